"""What a comparison says of its pairs, from records to the report."""

from __future__ import annotations

from pathlib import Path

import pytest
from shown import as_json, as_table
from stored_runs import NEW, OLD, block_end, repeat, store_run

from harness.answers.judging import compare_in_run
from harness.report.comparison import report_comparison
from harness.store.records import Record
from harness.verdict.differences import ESTIMATOR

SPELL = [(1.0, 1.3), (1.0, 1.3), (3.0, 1.3), (3.0, 1.3), (3.0, 3.9)]
"""A slow spell on three rounds of the old side and on one of the new: pairs say +30 %, medians -57 %."""


def records(steal_in: int) -> list[Record]:
    found = []
    for block, wobble in enumerate((1.0, 1.01, 0.99, 1.0, 1.005, 0.995)):
        for number, (old, new) in enumerate(SPELL):
            taints = ["steal: 12 % of CPU time"] if block == steal_in and number % 2 else []
            found.append(repeat(old * wobble, subject=OLD, block=block, number=number, taints=taints))
            other = ["steal: 12 % of CPU time"] if block == steal_in and not number % 2 else []
            found.append(repeat(new, block=block, number=number, taints=other))
        found.append(block_end(block))
    return found


@pytest.fixture(name="report")
def _report(tmp_path: Path):  # type: ignore[no-untyped-def]
    preset = {"name": "quick", "time_margin": 0.1, "groups": []}
    run = store_run(tmp_path, records(steal_in=5)).updated(preset=preset)
    return report_comparison(compare_in_run(run, OLD, NEW))


def test_a_row_says_how_its_change_was_made(report) -> None:  # type: ignore[no-untyped-def]
    (row,) = [row for row in as_json(report)["rows"] if row["metric"] == "load_warm_s"]
    # In the last block each round was disturbed on one side: no whole pair, so no difference.
    assert (row["estimator"], row["pairs"], row["pairs_dropped"], row["blocks"]) == (ESTIMATOR, 25, 5, 5)
    assert (row["process_pairs"], row["work"], row["borrowed_freedom"]) == (None, None, None)


def test_medians_that_say_something_else_stand_beside_the_row(report) -> None:  # type: ignore[no-untyped-def]
    (row,) = [row for row in as_json(report)["rows"] if row["metric"] == "load_warm_s"]
    assert not row["low"] <= row["new"] / row["old"] <= row["high"]
    assert "the medians shown lie outside the interval" in row["detail"]
    assert "medians -56." in " ".join(as_table(report).split())
