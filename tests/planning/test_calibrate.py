"""From the records of a run against itself to the calibration that plans are made from."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shown import as_json, as_markdown, as_table
from stored_runs import MACHINE, NEW, block_end, project_root, repeat, store_run

from harness.answers.calibration import Calibration, calibration_data, calibration_of_run
from harness.cli import main
from harness.commands.shared import session
from harness.measure.narrowing import narrow
from harness.measure.preset_files import read_preset
from harness.measure.sitting import Outcome
from harness.planning.calibrated import split_of_budget
from harness.planning.forecast import forecast
from harness.planning.request import Request
from harness.report.calibration import advise, report_calibration
from harness.report.forecast import report_forecast
from harness.store.calibrations import calibration_path, read_calibration, write_calibration
from harness.store.records import Problem
from harness.store.runs import RunDirectory

PRESET = narrow(read_preset("quick"), devices=["cpu"])


def kept(run: RunDirectory, found: Calibration) -> dict[str, Any]:
    """Return the document that `calibrate` keeps."""
    return calibration_data(run, found, advise(found))


def planned(root: Path) -> Request:
    """Return a comparison of the plan that was calibrated."""
    return Request(root, ("v2.20.0", "v2.21.0"), devices=("cpu",), wheel="cpu", machine=MACHINE)


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """Eight blocks of one release against itself: 3 % between processes, 2 % between repeats, imports of 8 s."""
    random = np.random.default_rng(4)
    records = []
    for block in range(8):
        machine = random.normal(0, 0.2)
        for subject in (NEW, f"{NEW}#2"):
            process = machine + random.normal(0, 0.03)
            named = {"subject": subject, "block": block}
            records.append(
                repeat(4 * math.exp(process), metric="import_s", cell=None, operation="import", wall_s=8.0, **named)
            )
            for number in range(3):
                value = 0.1 * math.exp(process + random.normal(0, 0.02))
                taints = ["foreign-load: 1.2 cores"] if block == 0 and number == 0 else []
                records.append(repeat(value, number=number, wall_s=1.0, taints=taints, **named))
            calls = repeat(0.001, metric="infer_p50_s", operation="infer", batch=1, wall_s=1.0, **named)
            calls["metrics"].append({"metric": "infer_p90_s", "value": 0.0012, "batch": 1})
            records.append(calls)
        records.append(block_end(block))
    root = project_root(tmp_path)
    stored = store_run(root, records, subjects=(NEW,), kind="calibrate", parts={"preset": PRESET.digest()})
    facts = [stored.facts["subjects"][0], {**stored.facts["subjects"][0], "name": f"{NEW}#2"}]
    return stored.updated(subjects=facts, preset=PRESET.as_dict())


def test_a_run_against_itself_becomes_a_calibration(run: RunDirectory) -> None:
    report = calibration_of_run(run)
    assert (report.subject, report.machine, report.blocks, report.called) == (NEW, MACHINE, 8, 0)
    assert report.unknown == 0
    loads = next(row for row in report.rows if row.metric == "load_warm_s")
    assert 0.005 < loads.floor < 0.1
    assert loads.machine is not None
    assert loads.machine > 0.08
    assert report.taints == {"foreign-load": 2}
    assert report.calls == {"cpu mlp-s tf-module/tf-load batch 1": pytest.approx(math.log(1.2) / 1.2816, rel=1e-3)}
    document = json.loads(json.dumps(kept(run, report), allow_nan=False))
    assert document["block_s"] == pytest.approx(2 * (8 + 3 + 1))
    seen = document["rows"][-1]["detectable_ratio_by_blocks_and_repeats"]
    assert set(seen) == {"5", "10", "20"}
    shown = report_calibration(report, document)
    assert as_json(shown)["rows"] == document["rows"]
    assert "load, warm page cache" in as_markdown(shown)
    text = as_table(shown, width=100)
    assert "stop them" in text
    assert max(map(len, text.splitlines())) <= 100


def taint(run: RunDirectory, operation: str) -> None:
    """Taint all repeats of an operation, as a machine at work does."""
    records = run.records()[0]
    for record in records:
        if record["type"] == "repeat" and record["operation"] == operation:
            record["taints"] = ["foreign-load: 48 % of CPU time", *(["steal: 12 %"] if record["block"] == 1 else [])]
    (run.path / "records.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))


def calibrated(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run the command where measuring gives this run."""
    monkeypatch.chdir(run.path.parents[3])
    monkeypatch.setattr(session, "plan_of", lambda *_: None)
    monkeypatch.setattr(session, "measure", lambda *_: Outcome(run, 8, 0, 8, interrupted=False, stopped_by=None))
    return main(["calibrate", NEW, "--preset", "quick"])


def test_a_run_without_a_calm_repeat_is_refused_and_stores_nothing(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for operation in ("import", "load", "infer"):
        taint(run, operation)
    before = (run.path / "records.jsonl").read_bytes()
    assert calibrated(run, monkeypatch) == 3
    shown = capsys.readouterr()
    discarded = (
        "64 of 64 measurements were discarded (other programs used the CPU: 64, the hypervisor took the CPU away: 8)"
    )
    assert f"Calibration failed: {discarded}. Too few undisturbed ones are left." in shown.err
    assert "savedmodel-bench doctor" in shown.err
    assert shown.out == ""
    assert "from now on" not in shown.err
    assert not calibration_path(run.path.parents[3], MACHINE, "quick").exists()
    assert (run.path / "records.jsonl").read_bytes() == before


def test_rows_without_a_calm_repeat_are_counted(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    taint(run, "infer")
    assert calibrated(run, monkeypatch) == 0
    shown = capsys.readouterr()
    assert (
        "The noise of 1 of 3 rows is not known: fewer than two blocks have undisturbed measurements of both sides."
        in " ".join(shown.out.split())
    )
    assert "from now on" in shown.err
    found = json.loads(calibration_path(run.path.parents[3], MACHINE, "quick").read_text())
    assert (len(found["rows"]), found["rows_without_noise"]) == (2, 1)


def test_a_dry_run_plans_from_it(run: RunDirectory) -> None:
    root = run.path.parents[3]
    report = calibration_of_run(run)
    write_calibration(root, report.machine, "quick", kept(run, report))
    told = " ".join(as_table(report_forecast(forecast(planned(root), with_looks=True))).split())
    assert "about 24 s each" in told
    assert told.count(f"the calibration of run {run.run}") == 2


def test_a_budget_is_spent_on_what_it_shows_most_by(run: RunDirectory) -> None:
    """Imports are dear here, 16 s of a block's 24, and repeats are noisy: a budget buys more of these."""
    root = run.path.parents[3]
    found = kept(run, calibration_of_run(run))
    assert (found["import_s"], found["repeat_s"]) == (pytest.approx(16), pytest.approx(4))
    write_calibration(root, MACHINE, "quick", found)
    request = replace(planned(root), budget_s=600.0)
    split = split_of_budget(request, found)
    assert split is not None
    assert 5 <= split.blocks <= 20
    assert split.seconds <= 600
    told = as_table(report_forecast(forecast(request, with_looks=True)))
    assert f"Within the time limit, {split.blocks} blocks of" in told
    assert f"Blocks: {split.blocks}, " in told
    assert split_of_budget(replace(request, repeats=2), found) is None
    assert split_of_budget(replace(request, budget_s=60.0), found) is None


def test_memory_has_a_noise_floor_too(run: RunDirectory) -> None:
    records = run.records()[0]
    for record in records:
        if record["type"] == "repeat" and record["operation"] == "load":
            value = 5e6 * (1 + 0.01 * (record["block"] % 3) + (0.002 if record["subject"] == NEW else 0))
            record["metrics"].append({"metric": "load_host_peak_bytes", "value": value})
    (run.path / "records.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    report = calibration_of_run(run)
    assert [row.metric for row in report.memory] == ["load_host_peak_bytes"]
    assert report.memory[0].margin == 0.01
    assert all(row.metric != "load_host_peak_bytes" for row in report.rows)
    document = kept(run, report)
    assert len(document["memory_rows"]) == 1
    assert "peak host memory of load" in as_markdown(report_calibration(report, document))


def test_another_plan_or_a_broken_file_is_no_calibration(tmp_path: Path) -> None:
    assert read_calibration(tmp_path, "m", "quick", "d") is None
    path = write_calibration(tmp_path, "m", "quick", {"plan": "d", "rows": []})
    assert path == calibration_path(tmp_path, "m", "quick")
    assert read_calibration(tmp_path, "m", "quick", "other") is None
    found = read_calibration(tmp_path, "m", "quick", "d")
    assert isinstance(found, dict)
    path = write_calibration(tmp_path, "m", "quick", {"plan": "d", "rows": [], "estimator": "medians"})
    assert "run `savedmodel-bench calibrate` again" in str(read_calibration(tmp_path, "m", "quick", "d"))
    path.write_text('{"schema": 1')
    assert isinstance(read_calibration(tmp_path, "m", "quick", "d"), Problem)
