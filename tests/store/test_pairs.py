"""Rounds of two subjects side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from stored_runs import CELL, NEW, OLD, block_end, repeat, store_run

from harness.store.frame import repeats_frame
from harness.store.pairs import PAIRS_DTYPES, pairs_frame
from harness.store.records import Record

OTHER = "v2.19.1"


@pytest.fixture(name="pairs_of")
def _pairs_of(tmp_path: Path):  # type: ignore[no-untyped-def]
    def make(records: Sequence[Record]) -> pd.DataFrame:
        return pairs_frame(repeats_frame([store_run(tmp_path, records).path]), OLD, NEW)

    return make


def whole(pairs: pd.DataFrame) -> list[tuple[int, float, float]]:
    return list(pairs.loc[pairs["whole"], ["block", "old", "new"]].itertuples(index=False, name=None))


def test_a_pair_is_the_same_round_of_both_sides(pairs_of) -> None:  # type: ignore[no-untyped-def]
    records = [
        *(repeat(1.0, subject=OLD), repeat(2.0, subject=NEW), repeat(9.0, subject=OTHER)),
        *(repeat(4.0, subject=NEW, number=1), repeat(3.0, subject=OLD, number=1), block_end()),
        *(repeat(5.0, subject=OLD, block=1), repeat(6.0, subject=NEW, block=1)),  # of no complete block
    ]
    pairs = pairs_of(records)
    assert {name: str(kind) for name, kind in pairs.dtypes.items()} == PAIRS_DTYPES
    assert whole(pairs) == [(0, 1.0, 2.0), (0, 3.0, 4.0)]


def test_a_process_that_worked_in_turn_with_a_third_subjects_has_no_pair_here(pairs_of) -> None:  # type: ignore[no-untyped-def]
    def slices(value: float, subject: str, partner: str, number: int) -> Record:
        named = {"metric": "infer_p50_s", "operation": "slices", "batch": 1}
        return repeat(value, subject=subject, partner=partner, number=number, **named)

    records = [
        *(slices(1.0, OLD, NEW, 0), slices(2.0, NEW, OLD, 0)),
        *(slices(8.0, OTHER, NEW, 1), slices(9.0, NEW, OTHER, 1)),
    ]
    pairs = pairs_of([*records, block_end()])
    assert whole(pairs) == [(0, 1.0, 2.0)]
    assert len(pairs) == 1


def test_a_taint_a_failure_or_a_retry_on_either_side_leaves_no_pair(pairs_of) -> None:  # type: ignore[no-untyped-def]
    records = [
        *(repeat(1.0, subject=OLD, taints=["steal: 12 %"]), repeat(2.0)),
        *(repeat(1.0, subject=OLD, number=1), repeat(2.0, number=1, taints=["retried: timeout"])),
        *(repeat(1.0, subject=OLD, number=2), repeat(None, number=2, status="failed")),
        *(repeat(1.0, subject=OLD, number=3), repeat(2.0, number=3), block_end()),
    ]
    pairs = pairs_of(records)
    assert whole(pairs) == [(0, 1.0, 2.0)]
    assert len(pairs) == 4


def test_passes_cells_and_values_of_one_repeat_are_kept_apart(pairs_of) -> None:  # type: ignore[no-untyped-def]
    records = []
    for subject, factor in ((OLD, 1.0), (NEW, 10.0)):
        for place, cache in enumerate(("cold", "warm")):
            records.append(repeat(factor * (place + 1), metric="first_call_s", subject=subject, page_cache=cache))
        other = repeat(factor * 3, metric="device_init_s", operation="save", subject=subject)
        records += [other, {**other, "cell": {**CELL, "model": "conv-s"}}]
        later = repeat(factor * 4, metric="save_later_s", operation="save", subject=subject)
        later["metrics"].append({"metric": "save_later_s", "value": factor * 5})
        records.append(later)
    pairs = pairs_of([*records, block_end()])
    assert sorted(whole(pairs)) == [(0, value, 10 * value) for value in (1.0, 2.0, 3.0, 3.0, 4.0, 5.0)]


def test_a_taint_that_does_not_concern_the_metric_leaves_the_pair(pairs_of) -> None:  # type: ignore[no-untyped-def]
    named = {"metric": "load_host_peak_bytes", "taints": ["foreign-load: 1.2 cores"]}
    assert whole(pairs_of([repeat(1.0, subject=OLD, **named), repeat(2.0, **named), block_end()])) == [(0, 1.0, 2.0)]


@pytest.mark.parametrize(("cpu_share", "judged"), [(1.0, [(0, 1.0, 1.5)]), (1.3, [(0, 2.0, 2.5)])])
def test_processes_in_turn_are_the_pairs_of_a_row_whose_cpu_seconds_are_the_walls(pairs_of, cpu_share, judged) -> None:  # type: ignore[no-untyped-def]
    records = []
    for subject, alone, in_turn in ((OLD, 2.0, 1.0), (NEW, 2.5, 1.5)):
        plain = repeat(alone, metric="save_first_s", operation="save", subject=subject)
        plain["metrics"].append({"metric": "save_first_cpu_s", "value": alone * cpu_share})
        records += [plain, repeat(in_turn, metric="save_first_s", operation="save-in-turn", subject=subject)]
    pairs = pairs_of([*records, block_end()])
    saves = pairs[pairs["metric"] == "save_first_s"]
    assert whole(saves) == judged
    assert saves["processes"].notna().all() == (cpu_share == 1.0)


def test_what_was_disturbed_in_turn_leaves_what_each_did_alone(pairs_of) -> None:  # type: ignore[no-untyped-def]
    records = []
    for subject, alone, in_turn, taints in ((OLD, 2.0, 1.0, ["steal: 12 %"]), (NEW, 2.5, 1.5, [])):
        plain = repeat(alone, metric="save_first_s", operation="save", subject=subject)
        plain["metrics"].append({"metric": "save_first_cpu_s", "value": alone})
        turn = repeat(in_turn, metric="save_first_s", operation="save-in-turn", subject=subject, taints=taints)
        records += [plain, turn]
    pairs = pairs_of([*records, block_end()])
    assert whole(pairs[pairs["metric"] == "save_first_s"]) == [(0, 2.0, 2.5)]
