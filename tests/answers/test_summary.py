"""The summary: everything in the results in one table, machines never mixed."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest
from shown import as_json, as_markdown, as_table
from stored_runs import MACHINE, NEW, OLD, blocks, project_root, store_run

from harness.answers.summary import SUMMARY_INDEX, summary
from harness.cli import main
from harness.report.summary import report_summary
from harness.store.records import Problem
from harness.store.runs import RunDirectory


@pytest.fixture(name="root")
def _root(tmp_path: Path) -> Path:
    return project_root(tmp_path)


def test_the_table_has_the_median_over_blocks_of_all_runs_and_releases_by_date(root: Path) -> None:
    store_run(root, blocks({NEW: [2.0, 4.0], OLD: [1.0, 1.0]}), subjects=(NEW, OLD))
    store_run(root, blocks({NEW: [9.0], "v2.15.1": [5.0]}), subjects=(NEW, "v2.15.1"))
    table = summary(root)
    assert list(table.columns) == ["v2.15.1", OLD, NEW]
    assert table.index.names == SUMMARY_INDEX
    assert table.index.tolist() == [(MACHINE, "load_warm_s", "seconds", "cpu", "mlp-s", "tf-module/tf-load")]
    assert table.iloc[0].tolist() == [5.0, 1.0, 4.0]


def test_rows_come_as_the_metrics_are_listed_and_models_by_size(root: Path) -> None:
    records = []
    for metric in ("load_warm_s", "save_first_s"):
        for model in ("mlp-m", "mlp-s"):
            cell = {"device": "cpu", "model": model, "writer": "tf-module", "reader": "tf-load"}
            records += blocks({NEW: [1.0]}, metric=metric, cell=cell)
    store_run(root, records, subjects=(NEW,))
    index = summary(root).reset_index()
    assert list(zip(index["metric"], index["model"], strict=True)) == [
        ("save_first_s", "mlp-s"), ("save_first_s", "mlp-m"), ("load_warm_s", "mlp-s"), ("load_warm_s", "mlp-m"),
    ]  # fmt: skip


def test_reference_runs_are_rows_of_their_own_machine(root: Path) -> None:
    reference = store_run(root, blocks({OLD: [1.0]}), machine="reference-box")
    (root / "results" / "reference").mkdir()
    reference.path.parent.rename(root / "results" / "reference" / "reference-box")
    store_run(root, blocks({OLD: [3.0], NEW: [2.0]}))
    table = summary(root)
    assert table.index.get_level_values("machine").tolist() == [MACHINE, "reference-box (reference)"]
    assert table[OLD].tolist() == [3.0, 1.0]
    assert table[NEW].isna().tolist() == [False, True]
    assert summary(root, machine=MACHINE).index.get_level_values("machine").tolist() == [MACHINE]


def test_one_release_in_two_environments_has_two_columns(root: Path) -> None:
    run = store_run(root, blocks({NEW: [1.0]}), subjects=(NEW,))
    subject = {**run.facts["subjects"][0], "environment": "tf-2.21.0-cuda-today-py311"}
    store_run(root, blocks({NEW: [2.0]}), subjects=(NEW,)).updated(subjects=[subject])
    assert list(summary(root).columns) == [
        "v2.21.0 [tf-2.21.0-cpu-today-py311]",
        "v2.21.0 [tf-2.21.0-cuda-today-py311]",
    ]


def test_what_cannot_be_read_is_named_and_the_rest_is_shown(root: Path) -> None:
    store_run(root, blocks({NEW: [1.0]}))
    damaged = store_run(root, blocks({NEW: [1.0]}))
    (damaged.path / "run.json").write_text("garbage")
    (root / "releases.toml").write_text("not [ toml")
    problems: list[Problem] = []
    assert summary(root, problems=problems).shape == (1, 1)
    assert {problem.path.name for problem in problems} == {"run.json", "releases.toml"}


def test_one_run_can_be_shown_alone(root: Path) -> None:
    store_run(root, blocks({NEW: [1.0], OLD: [1.0]}))
    run = store_run(root, blocks({NEW: [2.0]}), subjects=(NEW,))
    table = summary(root, run=run.run)
    assert list(table.columns) == [NEW]
    assert table[NEW].tolist() == [2.0]


def test_measuring_the_harness_itself_is_no_result(root: Path) -> None:
    store_run(root, blocks({NEW: [1.0]}), kind="speed")
    assert summary(root).empty


def test_nothing_measured_is_an_empty_table_that_can_be_shown(root: Path) -> None:
    table = summary(root)
    assert table.empty
    for shown in (as_table, as_markdown, as_json):
        assert shown(report_summary(table, pd.DataFrame()))


def test_every_median_is_in_json_and_csv(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(root)
    store_run(root, blocks({NEW: [0.12345], OLD: [0.1]}))
    store_run(root, blocks({NEW: [4096000.0]}, metric="artifact_bytes", operation="save"))
    document = as_json(report_summary(summary(root), pd.DataFrame()))
    assert document["subjects"] == [OLD, NEW]
    assert [(row["metric"], row["values"]) for row in document["rows"]] == [
        ("artifact_bytes", {OLD: None, NEW: 4096000.0}),
        ("load_warm_s", {OLD: 0.1, NEW: 0.12345}),
    ]
    for command in (("summary", "--format", "csv"), ("export", "--medians")):
        assert main(command) == 0
        csv = pd.read_csv(io.StringIO(capsys.readouterr().out))
        assert csv[NEW].tolist() == [4096000.0, 0.12345]
        assert list(csv.columns) == [*SUMMARY_INDEX, OLD, NEW]


def test_the_command_says_where_each_row_stands_and_what_changed(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(root)
    store_run(root, blocks({"v2.15.1": [1.2], OLD: [0.1], NEW: [0.15]}), subjects=("v2.15.1", OLD, NEW))
    assert main(["summary", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    (standing,) = document["standings"]
    assert (standing["latest"], standing["latest_release"]) == (0.15, NEW)
    assert (standing["best"], standing["best_release"]) == (0.1, OLD)
    assert standing["latest_to_best"] == pytest.approx(1.5)
    assert standing["course"] == [1.2, 0.1, 0.15]
    assert document["history"] == []
    assert main(["summary", "--changes", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [section["axis"] for section in document["history"]] == ["releases", "nights"]
    for form in ("table", "markdown"):
        assert main(["summary", "--changes", "--format", form]) == 0
        shown = capsys.readouterr().out
        assert "150 ms" in shown
        assert "100 ms" in shown
        assert "█▁▁" in shown
        assert "Over releases: no change" in shown


def test_spawned_runs_are_left_out_beside_forked_ones_and_read_alone_elsewhere(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(root)
    store_run(root, blocks({NEW: [2.0, 2.0]}), subjects=(NEW,))
    left = store_run(root, blocks({NEW: [1.0] * 5}), subjects=(NEW,), isolation="spawn")
    alone = store_run(root, blocks({NEW: [3.0]}), subjects=(NEW,), machine="other-box", isolation="spawn")
    assert main(["summary", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [(row["machine"], row["values"][NEW]) for row in document["rows"]] == [(MACHINE, 2.0), ("other-box", 3.0)]
    assert document["spawned_runs"] == [
        {"machine": MACHINE, "runs": [left.run], "are_read": False},
        {"machine": "other-box", "runs": [alone.run], "are_read": True},
    ]
    for form in ("table", "markdown", "csv"):
        assert main(["summary", "--format", form]) == 0
        shown = capsys.readouterr()
        told = " ".join((shown.err if form == "csv" else shown.out).split())
        assert told.count("(--isolation spawn)") == 2
        assert (
            f"{MACHINE}: 1 spawned run (--isolation spawn) left out, because they are not comparable with forked ones; "
            "`savedmodel-bench export` has all. other-box: all numbers are of 1 spawned run (--isolation spawn)."
        ) in told


@pytest.mark.slow
def test_older_worker_versions_are_left_out_machine_by_machine(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(root)

    def leaks(value: float, machine: str, version: int | None) -> RunDirectory:
        records = blocks({NEW: [value]}, metric="host_leaks", operation="memory")
        return store_run(root, records, subjects=(NEW,), machine=machine, worker_version=version)

    older = [leaks(1, MACHINE, version).run for version in (None, 3, 3, 3)]
    for _ in range(3):
        leaks(0, MACHINE, 4)
    leaks(1, "other-box", 3)
    leaks(1, "silent-box", None)
    store_run(root, [], subjects=(NEW,), worker_version=5)  # has no block yet
    reference = leaks(1, MACHINE, 3)
    (root / "results" / "reference" / MACHINE).mkdir(parents=True)
    reference.path.rename(root / "results" / "reference" / MACHINE / reference.run)
    assert main(["summary", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {row["machine"]: row["values"][NEW] for row in document["rows"]} == {
        MACHINE: 0, "other-box": 1, "silent-box": 1, f"{MACHINE} (reference)": 1,
    }  # fmt: skip
    assert document["older_runs"] == [{"machine": MACHINE, "runs": sorted(older), "version_read": 4}]
    for form in ("table", "markdown", "csv"):
        assert main(["summary", "--format", form]) == 0
        shown = capsys.readouterr()
        told = " ".join((shown.err if form == "csv" else shown.out).split())
        assert told.count("left out") == 1
        assert (
            f"{MACHINE}: 4 runs with a measurement method before version 4 left out, because not all of their numbers "
            "are comparable; `savedmodel-bench export` has all."
        ) in told


def test_standings_that_leave_out_other_runs_than_the_medians_say_so(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A calibration counts in the medians, and has no place in a history."""
    monkeypatch.chdir(root)
    for version, kind in ((2, "run"), (3, "run"), (4, "calibrate")):
        store_run(root, blocks({NEW: [1.0]}), subjects=(NEW,), worker_version=version, kind=kind)
    assert main(["summary"]) == 0
    told = [line.partition(" left out")[0] for line in capsys.readouterr().out.splitlines() if "left out" in line]
    assert told == [
        f"{MACHINE}: 2 runs with a measurement method before version 4",
        f"{MACHINE}: 1 run with a measurement method before version 3",
    ]
