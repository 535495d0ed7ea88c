"""Tables of repeats and samples: row keys, medians, taints, incomplete blocks and failures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from stored_runs import CELL, MACHINE, NEW, OLD, block_end, blocks, repeat, store_run

from harness.metrics import METRICS
from harness.store.frame import (
    FAILURES_DTYPES,
    REPEATS_DTYPES,
    SAMPLES_DTYPES,
    failures_frame,
    repeats_frame,
    row_key,
    samples_frame,
    taint_kinds,
    tainted_frame,
    tainted_repeats,
)
from harness.store.records import Problem, Record


@pytest.fixture(name="repeats_of")
def _repeats_of(tmp_path: Path):  # type: ignore[no-untyped-def]
    def make(records: Sequence[Record]) -> pd.DataFrame:
        return repeats_frame([store_run(tmp_path, records).path])

    return make


def values(samples: pd.DataFrame, subject: str = NEW, metric: str = "load_warm_s") -> dict[int, float]:
    chosen = samples[(samples["subject"] == subject) & (samples["metric"] == metric)]
    return dict(zip(chosen["block"], chosen["value"], strict=True))


@pytest.mark.parametrize(
    ("metric", "batch", "key"),
    [
        ("import_s", None, ("-", "-", "-")),
        ("device_init_s", None, ("cpu", "-", "-")),
        ("build_s", None, ("cpu", "mlp-s", "-")),
        ("artifact_bytes", None, ("cpu", "mlp-s", "tf-module")),
        ("load_cold_s", None, ("cpu", "mlp-s", "tf-module/tf-load")),
        ("infer_p50_s", 32, ("cpu", "mlp-s", "tf-module/tf-load b32")),
    ],
)
def test_the_row_key_follows_the_metrics_scope(metric: str, batch: int | None, key: tuple[str, str, str]) -> None:
    assert row_key(METRICS[metric], CELL, batch) == key


def test_an_import_has_no_cell() -> None:
    assert row_key(METRICS["import_s"], None) == ("-", "-", "-")


def test_every_metric_of_every_repeat_is_one_row_with_its_provenance(repeats_of) -> None:  # type: ignore[no-untyped-def]
    frame = repeats_of([repeat(0.5, number=2, taints=["steal: 12 % of CPU time"]), block_end()])
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == REPEATS_DTYPES
    (row,) = frame.to_dict("records")
    del row["run"]
    assert row == {
        "machine": MACHINE, "block": 0, "subject": NEW, "device": "cpu", "model": "mlp-s",
        "variant": "tf-module/tf-load", "metric": "load_warm_s", "unit": "seconds",
        "cell": "cpu mlp-s tf-module tf-load", "operation": "load", "page_cache": "", "repeat": 2,
        "value": 0.5, "tainted": True, "taints": "steal", "status": "ok", "reason": "", "partner": "",
        "complete_block": True, "record": 0,
    }  # fmt: skip


def test_no_runs_give_empty_tables_with_all_columns() -> None:
    repeats = repeats_frame([])
    assert list(repeats.columns) == list(REPEATS_DTYPES)
    assert list(samples_frame(repeats).columns) == list(SAMPLES_DTYPES)
    assert list(failures_frame(repeats).columns) == list(FAILURES_DTYPES)
    assert len(tainted_frame(repeats)) == 0


def test_a_sample_is_the_median_of_a_blocks_repeats(repeats_of) -> None:  # type: ignore[no-untyped-def]
    records = [repeat(value, number=number) for number, value in enumerate([1.0, 9.0, 2.0])]
    samples = samples_frame(repeats_of([*records, block_end(), repeat(4.0, block=1), block_end(1)]))
    assert {name: str(kind) for name, kind in samples.dtypes.items()} == SAMPLES_DTYPES
    assert values(samples) == {0: 2.0, 1: 4.0}
    assert list(samples["n"]) == [3, 1]


def test_batches_are_rows_of_their_own(repeats_of) -> None:  # type: ignore[no-untyped-def]
    record = repeat(0.001, metric="infer_p50_s", batch=1, operation="infer")
    record["metrics"].append({"metric": "infer_p50_s", "value": 0.01, "batch": 32})
    samples = samples_frame(repeats_of([record, block_end()]))
    assert dict(zip(samples["variant"], samples["value"], strict=True)) == {
        "tf-module/tf-load b1": 0.001,
        "tf-module/tf-load b32": 0.01,
    }


def test_an_incomplete_block_has_no_sample_but_its_repeats_are_seen(repeats_of) -> None:  # type: ignore[no-untyped-def]
    repeats = repeats_of([repeat(1.0), block_end(), repeat(5.0, block=1)])
    assert list(repeats["complete_block"]) == [True, False]
    assert values(samples_frame(repeats)) == {0: 1.0}


def test_a_block_measured_again_counts_once(repeats_of) -> None:  # type: ignore[no-untyped-def]
    repeats = repeats_of([repeat(7.0), repeat(8.0, number=1), repeat(1.0, attempt=1), block_end(attempt=1)])
    assert list(repeats["value"]) == [1.0]
    assert values(samples_frame(repeats)) == {0: 1.0}


def test_tainted_repeats_are_left_out_and_counted(repeats_of) -> None:  # type: ignore[no-untyped-def]
    retried = ["retried: timeout"]
    first = [repeat(1.0), repeat(50.0, number=1, taints=retried), block_end()]
    repeats = repeats_of([*first, repeat(60.0, block=1, taints=retried), block_end(1)])
    samples = samples_frame(repeats)
    assert values(samples) == {0: 1.0}
    assert (list(samples["n"]), list(samples["tainted"])) == ([1], [1])
    (counted,) = tainted_frame(repeats).to_dict("records")
    assert (counted["metric"], counted["repeats"], counted["blocks"]) == ("load_warm_s", 2, 1)
    assert not counted["without_value"]


def test_taints_are_counted_by_kind_of_the_repeats_that_they_exclude(repeats_of) -> None:  # type: ignore[no-untyped-def]
    both = ["retried: OSError: no fork; steal: made up", "steal: 12 % of CPU time"]
    repeats = repeats_of(
        [
            repeat(1.0, taints=both),
            repeat(1.0, number=1, taints=["steal: 9 % of CPU time", "not-cold: 40% resident"]),
            repeat(4096.0, metric="artifact_bytes", operation="save", taints=["steal: 9 % of CPU time"]),
            repeat(1.0, subject=OLD, taints=["throttle: 5 events"]),
            block_end(),
            repeat(1.0, block=1, taints=["swap-in: 9 pages"]),
        ]
    )
    # A warm load need not find cold pages, sizes do not depend on who runs beside, and block 1 never ended.
    assert taint_kinds(repeats, [NEW]) == {"steal": 2, "retried": 1}
    assert (tainted_repeats(repeats, [NEW]), taint_kinds(repeats, [OLD])) == (2, {"throttle": 1})
    counted = tainted_frame(repeats).set_index("subject")
    assert counted.loc[NEW, ["repeats", "kinds"]].tolist() == [2, "retried, steal"]
    assert counted["without_value"].tolist() == [True, True]


def test_a_repeat_that_is_left_out_of_many_metrics_is_one_repeat(repeats_of) -> None:  # type: ignore[no-untyped-def]
    record = repeat(1.0, taints=["retried: timeout"])
    record["metrics"].append({"metric": "first_call_s", "value": 1.0})
    repeats = repeats_of([record, block_end()])
    assert (tainted_repeats(repeats, [NEW]), tainted_repeats(repeats, [OLD])) == (1, 0)


def test_a_way_that_fails_within_a_repeat_is_told_once(repeats_of) -> None:  # type: ignore[no-untyped-def]
    record = repeat(None, operation="calls")
    told = {"reason": "failed: ValueError: no such graph", "way": "xla"}
    record["absent"] = [
        {"metric": "call_first_s", **told},
        *({"metric": "call_p50_s", "batch": batch, **told} for batch in (1, 32)),
        {"metric": "call_p99_s", "batch": 1, "way": "direct", "reason": "under-100-calls"},
    ]
    (failure,) = failures_frame(repeats_of([record, block_end()])).to_dict("records")
    assert (failure["variant"], failure["status"], failure["count"]) == ("tf-module/tf-load xla", "failed", 1)


def test_a_busy_machine_spoils_clocks_and_not_sizes(repeats_of) -> None:  # type: ignore[no-untyped-def]
    record = repeat(1.0, metric="save_first_s", operation="save", taints=["foreign-load: 40 % of CPU time on 2 CPUs"])
    record["metrics"].append({"metric": "artifact_bytes", "value": 4096.0})
    assert list(samples_frame(repeats_of([record, block_end()]))["metric"]) == ["artifact_bytes"]
    record["taints"] = ["retried: crashed"]
    assert samples_frame(repeats_of([record, block_end()])).empty


def test_a_warm_page_cache_spoils_the_cold_load_and_not_the_first_call(repeats_of) -> None:  # type: ignore[no-untyped-def]
    record = repeat(1.0, metric="load_cold_s", taints=["not-cold: 40 % of the artifact's pages were resident"])
    record["metrics"].append({"metric": "first_call_s", "value": 0.1})
    assert list(samples_frame(repeats_of([record, block_end()]))["metric"]) == ["first_call_s"]


def test_a_cold_import_spoils_what_holds_an_import(repeats_of) -> None:  # type: ignore[no-untyped-def]
    record = repeat(1.0, metric="first_result_s", taints=["cold-import: 32 MiB read from storage"])
    record["metrics"].append({"metric": "load_warm_s", "value": 0.1})
    assert list(samples_frame(repeats_of([record, block_end()]))["metric"]) == ["load_warm_s"]


def test_absent_is_null_with_a_reason_and_never_zero(repeats_of) -> None:  # type: ignore[no-untyped-def]
    record = repeat(1.0, absent=[{"metric": "load_device_need_bytes", "reason": "no-gpu"}])
    repeats = repeats_of([record, block_end()])
    absent = repeats[repeats["status"] == "absent"].to_dict("records")
    assert [(row["metric"], row["reason"], math.isnan(row["value"])) for row in absent] == [
        ("load_device_need_bytes", "no-gpu", True)
    ]
    assert list(samples_frame(repeats)["metric"]) == ["load_warm_s"]


def test_failures_are_named_and_counted(repeats_of) -> None:  # type: ignore[no-untyped-def]
    bad = {"status": "failed", "reason": "crashed: signal 11", "operation": "load"}
    repeats = repeats_of([repeat(None, number=number, **bad) for number in range(2)])
    (row,) = failures_frame(repeats).to_dict("records")
    assert {name: row[name] for name in ("subject", "variant", "operation", "status", "reason", "count")} == {
        "subject": NEW, "variant": "tf-module/tf-load", "operation": "load", "status": "failed",
        "reason": "crashed: signal 11", "count": 2,
    }  # fmt: skip


def test_cell_failed_become_a_row_of_both_sides_where_one_failed(repeats_of) -> None:  # type: ignore[no-untyped-def]
    records = blocks({OLD: [1.0, 1.0], NEW: [1.0, 1.0]})
    records.insert(1, repeat(None, subject=NEW, number=1, status="failed", reason="timeout"))
    samples = samples_frame(repeats_of(records))
    assert values(samples, OLD, "cell_failed") == {0: 0.0, 1: 0.0}
    assert values(samples, NEW, "cell_failed") == {0: 1.0, 1: 0.0}
    assert values(samples, NEW) == {0: 1.0, 1: 1.0}


def test_without_a_failure_there_is_no_row_of_failures(repeats_of) -> None:  # type: ignore[no-untyped-def]
    samples = samples_frame(repeats_of(blocks({OLD: [1.0], NEW: [1.0]})))
    assert "cell_failed" not in set(samples["metric"])


def test_who_cannot_do_it_at_all_has_no_count_of_failures(repeats_of) -> None:  # type: ignore[no-untyped-def]
    records = [
        repeat(None, subject=OLD, status="unsupported", reason="unsupported: AttributeError: no export"),
        repeat(None, subject=NEW, status="failed", reason="timeout"),
        block_end(),
    ]
    samples = samples_frame(repeats_of(records))
    assert values(samples, OLD, "cell_failed") == {}
    assert values(samples, NEW, "cell_failed") == {0: 1.0}


def test_several_runs_are_one_table_and_a_broken_one_is_named(tmp_path: Path) -> None:
    good = store_run(tmp_path, blocks({OLD: [1.0], NEW: [2.0]}))
    cut = store_run(tmp_path, blocks({NEW: [3.0, 4.0]}))
    cut.records_path.write_bytes(cut.records_path.read_bytes()[:-30])
    broken = store_run(tmp_path, [])
    (broken.path / "run.json").write_text("{")
    problems: list[Problem] = []
    frame = repeats_frame([good.path, cut.path, broken.path], problems)
    assert sorted(frame["run"].unique()) == sorted([good.run, cut.run])
    assert values(samples_frame(frame)).keys() == {0}
    assert {problem.path.name for problem in problems} == {"records.jsonl", "run.json"}


def test_a_metric_of_a_newer_harness_is_kept_under_its_whole_cell(repeats_of) -> None:  # type: ignore[no-untyped-def]
    (row,) = repeats_of([repeat(1.0, metric="save_energy_j"), block_end()]).to_dict("records")
    assert (row["metric"], row["unit"], row["variant"]) == ("save_energy_j", "", "tf-module/tf-load")
