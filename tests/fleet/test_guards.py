"""What guards a fleet's files and names against a second command, a kill and odd surroundings."""

from __future__ import annotations

import json
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import fake_slurm
import pytest
from fleet_scenarios import do
from fleets import make_fleet, make_type

from harness.cli import main
from harness.commands import fleet as commands
from harness.errors import UsageError
from harness.fleet import assignment, slurm, staging
from harness.fleet.answer import answer
from harness.fleet.assignment import jobs_of, read_assignment
from harness.fleet.collecting import collect
from harness.fleet.folder import FleetFolder, fleet_names
from harness.fleet.staging import staged
from harness.fleet.starting import made_plan
from harness.measure.narrowing import narrow
from harness.measure.preset_files import read_preset
from harness.planning.request import Request
from harness.report.fleet_answer import report_fleet


@pytest.fixture
def fleet(by_hand: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FleetFolder:
    """A fleet of two types that have measured; the new release is slower on one."""
    root = tmp_path / "project"
    for folder in (root, tmp_path / "scratch"):
        folder.mkdir()
    (root / "stub.json").write_text(json.dumps({"slower": {"a100": 1.5}}))
    kinds = {name: make_type(name, scratch=str(tmp_path / "scratch")) for name in ("h100", "a100")}
    made = make_fleet(root, kinds, blocks=6)
    for job in fake_slurm.jobs(by_hand):
        do(by_hand, job["id"])
    monkeypatch.chdir(root)
    return made


def test_a_type_without_any_answer_is_3_whatever_coverage_is_required(fleet: FleetFolder) -> None:
    for run in fleet.attempts("a100-1")[0].delivered():
        shutil.rmtree(run)
    report = report_fleet(answer(fleet, collect(fleet).jobs, None, None), require_coverage=0.0)
    assert report.exit_code == 3
    assert "Too little was measured on a100" in str(report.shortfall)


@pytest.mark.slow
def test_only_one_of_two_commands_confirms(
    fleet: FleetFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    starting = commands.start

    def start(*given: Any) -> Any:
        assert main(["fleet", "confirm"]) == 3  # another one, before this one has begun its fleet
        assert "Another command works on fleet" in capsys.readouterr().err
        return starting(*given)

    monkeypatch.setattr(commands, "start", start)
    assert [main(["fleet", "confirm"]) for _ in range(2)] == [0, 3]
    (first, second) = fleet_names(fleet.root)
    printed = capsys.readouterr()
    assert f"Fleet {second} measured it again already" in printed.err
    assert main(["fleet", "report", "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["fleet"] == first


def test_two_starts_keep_both_assignments(by_hand: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writing = assignment.write_assignment

    def slowly(*given: Any) -> None:
        time.sleep(0.05)
        writing(*given)

    monkeypatch.setattr(assignment, "write_assignment", slowly)
    presets = [narrow(read_preset("quick"), models=model) for model in ("mlp-s", "conv-s")]
    starts = [threading.Thread(target=jobs_of, args=(tmp_path, "any", make_type(), one)) for one in presets]
    for one in starts:
        one.start()
    for one in starts:
        one.join()
    assert {model for slot in read_assignment(tmp_path, "any") for model in slot.models} == {"mlp-s", "conv-s"}


def test_a_job_that_would_have_the_name_of_a_type_is_refused(fleet: FleetFolder) -> None:
    kinds = {"h100": make_type(), "h100-1": make_type()}
    with pytest.raises(UsageError, match="rename that type"):
        made_plan(Request(fleet.root, ()), "compare", ["compare"], kinds, {}, fleet.plan.jobs)


def test_a_copy_that_was_cut_off_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage, first, second = tmp_path / "stage", tmp_path / "first", tmp_path / "second"
    for source in (first, second):
        source.mkdir()
        (source / "file").write_bytes(b"x" * 1000)

    def killed(source: Path, target: Path) -> None:
        target.mkdir()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(staging, "_copy", killed)
        with pytest.raises(KeyboardInterrupt):
            staged(first, "1", stage, 10_000)
    copy = staged(second, "2", stage, 10_000)
    assert [path.name for path in stage.iterdir() if path.is_dir()] == [copy.parent.name]


def test_a_comment_that_is_no_utf8_hides_no_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "squeue"
    program.write_bytes(b"#!/bin/sh\nprintf '1|RUNNING|n1|None|caf\\351\\n2|PENDING||Priority|ours\\n'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    found = slurm.listed()
    assert found is not None
    assert [(one.slurm_id, one.lives) for one in found] == [("1", True), ("2", True)]
    assert found[1].comment == "ours"
