"""`results merge` as it is typed: what it says, and its exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from stored_runs import NEW, OLD, blocks, project_root, store_run

from harness.cli import main


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project_root(tmp_path / "ours"))


def test_runs_are_taken_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = store_run(tmp_path / "theirs", blocks({OLD: [1.0], NEW: [1.0]}))
    assert main(["results", "merge", str(tmp_path / "theirs"), "--format", "json"]) == 0
    (said,) = json.loads(capsys.readouterr().out)["runs"]
    assert (said["fate"], said["run"], said["reason"]) == ("added", run.run, None)
    assert main(["results", "merge", str(tmp_path / "theirs")]) == 0
    assert "1 already there" in capsys.readouterr().out


def test_a_refusal_ends_with_3_and_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = store_run(tmp_path / "theirs", blocks({OLD: [1.0], NEW: [1.0]}))
    (run.logs_path / "log").symlink_to("/etc/passwd")
    assert main(["results", "merge", str(tmp_path / "theirs")]) == 3
    assert "'logs/log' in it is a link" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("folder", "said"), [("nowhere", "There is no folder"), ("ours/benchmarks", "There is no run in")]
)
def test_a_folder_without_runs_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], folder: str, said: str
) -> None:
    assert main(["results", "merge", str(tmp_path / folder)]) == 3
    assert said in capsys.readouterr().err
