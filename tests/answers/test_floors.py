"""Operations beside what the hardware allows for the same bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from shown import as_json, as_markdown, as_table
from stored_runs import project_root, store_run

from harness.answers.comparison import Comparison, compare_subjects
from harness.answers.floors import multiples
from harness.answers.notes import DisturbedFloors
from harness.answers.run_facts import run_notes
from harness.answers.sides import SubjectFacts
from harness.machine.floors import Floor
from harness.report.comparison import report_comparison
from harness.report.floors import multiple_text
from harness.report.notes import note_text
from harness.verdict.margins import margin_table

COLUMNS = ["run", "block", "subject", "device", "model", "variant", "metric", "unit", "value", "n", "tainted"]
FLOORS = [
    Floor("write", 0.5, 100e6, "bytes", "").as_record(),
    Floor("read, cold", None, 100e6, "bytes", "", "not-cold: 100% of the pages stayed resident").as_record(),
    Floor("read, warm", 0.01, 100e6, "bytes", "").as_record(),
    Floor("matrix product", 0.01, 2e9, "operations", "").as_record(),
]


def comparison(
    artifact_bytes: float = 20e6, floors: list[dict[str, Any]] = FLOORS, copy_s: float | None = None
) -> Comparison:
    rows = [
        ("r1", block, subject, "cpu", "mlp-m", variant, metric, unit, value, 3, 0)
        for block in range(4)
        for subject in ("old", "new")
        for metric, variant, unit, value in (
            ("artifact_bytes", "tf-module", "bytes", artifact_bytes),
            ("device_copy_floor_s", "tf-module", "seconds", copy_s),
            ("save_first_s", "tf-module", "seconds", 0.4),
            ("load_cold_s", "tf-module/tf-load", "seconds", 0.3 + block / 1000),
            ("load_warm_s", "tf-module/tf-load", "seconds", 0.2),
            ("load_warm_s", "keras-export/tf-load", "seconds", 0.2),
            ("first_call_s", "tf-module/tf-load", "seconds", 0.2),
        )
        if value is not None
    ]
    return compare_subjects(
        pd.DataFrame(rows, columns=COLUMNS), None, SubjectFacts("old"), SubjectFacts("new"),
        margins=margin_table(0.10), machine={"name": "desk"}, preset="quick", floors=floors,
    )  # fmt: skip


def test_what_moves_an_artifact_is_told_as_a_multiple_of_moving_its_bytes() -> None:
    found = {one.measured.metric: one for one in multiples(comparison().measured[1], FLOORS)}
    # 20 MB at 200 MB/s take 0.1 s to write, at 10 GB/s 2 ms to read. Nothing could be read cold, and the artifact of
    # the other writer has no size here.
    assert list(found) == ["save_first_s", "load_warm_s"]
    assert found["save_first_s"].times == pytest.approx(4.0)
    assert found["load_warm_s"].times == pytest.approx(100.0)
    assert found["load_warm_s"].measured.variant == "tf-module/tf-load"


def test_small_artifacts_have_no_multiple() -> None:
    assert multiples(comparison(artifact_bytes=4096.0).measured[1], FLOORS) == ()


def test_a_load_to_a_gpu_is_held_against_the_copy_that_the_same_run_measured() -> None:
    found = [one for one in multiples(comparison(copy_s=0.05).measured[1], FLOORS) if one.floor == "copy to the device"]
    # Cold bytes have no floor of storage here, and are copied to the device all the same.
    assert {one.measured.metric: round(one.times, 2) for one in found} == {"load_cold_s": 6.03, "load_warm_s": 4.0}


def calls(device: str, product_s: float | None = None) -> dict[str, float]:
    """Return how many times its multiplications a steady call of resnet50 takes, by variant."""
    rows = [
        ("r1", block, subject, device, "resnet50", variant, metric, "seconds", value, 3, 0)
        for block in range(4)
        for subject in ("old", "new")
        for metric, variant, value in (
            ("infer_p50_s", "tf-module/tf-load b1", 0.09),
            ("infer_p50_s", "tf-module/tf-load b32", 1.5),
            ("call_p50_s", "tf-module/tf-load xla b32", 1.5),
        )
    ]
    if product_s is not None:
        rows += [
            ("r1", block, subject, device, "-", "-", "matrix_floor_s", "seconds", product_s, 1, 0)
            for block in range(4)
            for subject in ("old", "new")
        ]
    found = compare_subjects(
        pd.DataFrame(rows, columns=COLUMNS), None, SubjectFacts("old"), SubjectFacts("new"),
        margins=margin_table(0.10), machine={"name": "desk"}, preset="quick", floors=FLOORS,
    )  # fmt: skip
    return {one.measured.variant: one.times for one in multiples(found.measured[1], FLOORS)}


@pytest.mark.parametrize(("device", "size"), [("cpu", 2048), ("gpu", 4096)])
def test_a_steady_call_is_told_as_a_multiple_of_its_models_multiplications(device: str, size: int) -> None:
    assert calls(device) == {}
    # 8.178e9 operations an item, at a rate of 2e11 a second.
    product_s = 2 * size**3 / 2e11
    times = {"tf-module/tf-load b1": 0.09 / 0.04089, "tf-module/tf-load b32": 1.5 / (32 * 0.04089)}
    assert calls(device, product_s) == pytest.approx(times, rel=1e-3)


def test_floors_that_were_never_calm_are_told(tmp_path: Path) -> None:
    root = project_root(tmp_path)
    for calm in (FLOORS, [{**FLOORS[0], "taints": []}]):
        assert run_notes(store_run(root, [], floors=calm)) == []
    disturbed = [FLOORS[0], {**FLOORS[1], "taints": ["steal: 9 % of CPU time"]}]
    (note,) = run_notes(store_run(root, [], floors=disturbed))
    assert note == DisturbedFloors("steal: 9 % of CPU time")
    assert note_text(note).startswith(
        "The machine was disturbed while its hardware lower bounds were measured (the hypervisor took the CPU away: "
        "9 % of CPU time)"
    )


def test_reports_say_it_in_words_and_in_json() -> None:
    table = as_table(report_comparison(comparison()))
    assert "Time compared with the hardware lower bound" in table
    assert "4.0x a raw write" in table
    assert "100x a raw read, warm" in table
    assert "100x a raw read, warm" in as_markdown(report_comparison(comparison()))
    document = as_json(report_comparison(comparison()))
    assert [one["times"] for one in document["multiples"]] == [pytest.approx(4.0), pytest.approx(100.0)]
    assert document["floors"][1]["rate_per_s"] is None


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (0.934, "0.93x"),
        (1.0, "1.0x"),
        (4.04, "4.0x"),
        (9.96, "10x"),
        (45.2, "45x"),
        (123.4, "120x"),
        (1251.0, "1,300x"),
    ],
)
def test_a_multiple_has_two_significant_digits(times: float, said: str) -> None:
    (found, *_) = multiples(comparison().measured[1], FLOORS)
    assert multiple_text(replace(found, times=times)) == f"{said} a raw write"


def test_a_run_without_floors_says_nothing_about_them() -> None:
    assert "lower bound" in as_table(report_comparison(comparison()))
    assert "lower bound" not in as_table(report_comparison(comparison(floors=[])))
