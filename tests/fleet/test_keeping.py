"""When a fleet's answer is kept: once nothing more comes, by whatever command merges the last of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fleet_scenarios import do
from fleets import make_check_fleet, make_fleet, make_type
from msgspec.structs import replace

from harness.cli import main
from harness.fleet.folder import FleetFolder, new_name, write_plan
from harness.fleet.kept import is_kept, kept_answers


@pytest.fixture
def fleet(by_hand: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FleetFolder:
    """A fleet of two jobs, of which one has ended."""
    (tmp_path / "scratch").mkdir()
    kinds = {name: make_type(name, scratch=str(tmp_path / "scratch")) for name in ("h100", "a100")}
    made = make_fleet(tmp_path / "project", kinds)
    monkeypatch.chdir(made.root)
    do(by_hand, "1")
    return made


def test_a_report_while_jobs_run_is_not_kept(fleet: FleetFolder, by_hand: Path) -> None:
    main(["fleet", "report"])
    assert not is_kept(fleet.root, fleet.plan.fleet)
    do(by_hand, "2")
    assert main(["fleet", "collect"]) == 0
    (kept,) = kept_answers(fleet.root, 1)[0]
    assert (kept.coverage, kept.missing) == ({"h100": 1.0, "a100": 1.0}, ())


def test_a_report_over_nights_collects_first(fleet: FleetFolder, by_hand: Path) -> None:
    do(by_hand, "2")
    assert main(["fleet", "report", "--nights", "1"]) == 0
    (kept,) = kept_answers(fleet.root, 1)[0]
    assert kept.coverage == {"h100": 1.0, "a100": 1.0}


@pytest.mark.slow
def test_fleets_of_other_questions_crowd_out_none(
    fleet: FleetFolder, by_hand: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    do(by_hand, "2")
    write_plan(replace(fleet.plan, fleet=_later(), jobs=(), confirms=fleet.plan.fleet))
    make_check_fleet(fleet.root, {"h100": make_type()}, ["one"])
    capsys.readouterr()  # what the jobs printed
    assert main(["fleet", "report", "--nights", "1", "--format", "json"]) == 0
    assert [one["fleet"] for one in json.loads(capsys.readouterr().out)["nights"]] == [fleet.plan.fleet]


def _later() -> str:
    return f"2099{new_name()[4:]}"
