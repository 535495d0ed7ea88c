"""`fleet report --from DIR`: what a workflow's runners left becomes a fleet, as a whole, and only below its folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from fleet_scenarios import do
from fleets import make_fleet, make_type
from msgspec.structs import replace

from harness.errors import UsageError
from harness.fleet import runners
from harness.fleet.collecting import collect
from harness.fleet.folder import FleetPlan, fleet_names, fleets_path, new_name
from harness.fleet.runners import PLAN, keep_plan, take
from harness.fleet.status import State


@pytest.fixture
def plan(by_hand: Path, tmp_path: Path) -> FleetPlan:
    """The plan of a matrix whose runs lie in `artifacts`, and are merged."""
    (tmp_path / "scratch").mkdir()
    kinds = {name: make_type(name, scratch=str(tmp_path / "scratch")) for name in ("h100", "a100")}
    made = make_fleet(tmp_path / "project", kinds, blocks=1)
    for number in ("1", "2"):
        do(by_hand, number)
    collect(made)
    for job in made.plan.jobs:
        (attempt,) = made.attempts(job.name)
        (run,) = attempt.delivered()
        shutil.copytree(run, tmp_path / "artifacts" / job.name / run.parent.name / run.name)
    made.remove()
    found = replace(made.plan, fleet=new_name())
    keep_plan(found, tmp_path / "artifacts" / PLAN)
    return found


def test_who_was_killed_while_taking_repeats_the_command(
    plan: FleetPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, folder = Path(plan.root), tmp_path / "artifacts"

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    for name in ("deliver", "blocks_of", "write_plan"):
        with monkeypatch.context() as patch:
            patch.setattr(runners, name, killed)
            with pytest.raises(KeyboardInterrupt):
                take(root, folder)
        assert fleet_names(root) == []
    for _ in range(2):
        fleet = take(root, folder)
        assert [(one.state, one.attempt) for one in collect(fleet).jobs] == [(State.FINISHED, 1)] * 2
    assert fleet_names(root) == [plan.fleet]


def test_names_of_an_artifact_stay_below_the_folder_of_fleets(plan: FleetPlan, tmp_path: Path) -> None:
    root, folder = Path(plan.root), tmp_path / "artifacts"
    job, other = plan.jobs
    for wrong in (
        replace(plan, fleet="../../x"),
        replace(plan, fleet="20260101T000000-abcd/../../x"),
        replace(plan, jobs=(replace(job, name="../../x"), other)),
        replace(plan, jobs=(replace(job, type="../x"), other)),
        replace(plan, words=("ci", "keep"), command="ci"),
        replace(plan, words=("ci", "keep")),
    ):
        keep_plan(wrong, folder / PLAN)
        with pytest.raises(UsageError, match="is not as `fleet matrix --plan FILE` writes it"):
            take(root, folder)
    assert [path.name for path in fleets_path(root).iterdir() if path.name != "assignment"] == []
    assert not (root / "x").exists()
