"""`fleet clean`, killed at any step: a fleet is there as a whole, or it is gone."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import fake_slurm
import pytest
from fleet_scenarios import do
from fleets import make_fleet, make_type, measured

from harness.cli import main
from harness.errors import UsageError
from harness.fleet.collecting import collect
from harness.fleet.folder import FleetFolder, fleet_names, fleets_path


@pytest.fixture
def fleet(by_hand: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FleetFolder:
    """A fleet whose job has ended and is merged."""
    (tmp_path / "scratch").mkdir()
    made = make_fleet(tmp_path / "project", {"h100": make_type("h100", scratch=str(tmp_path / "scratch"))}, blocks=1)
    do(by_hand)
    collect(made)
    monkeypatch.chdir(made.root)
    return made


def remove_until(fleet: FleetFolder, step: int) -> bool:
    """Remove in a process that kills itself before its `step`th change of the disk; return whether it did."""
    child = os.fork()
    if not child:
        left = [step]

        def watch(event: str, given: tuple[object, ...]) -> None:
            if event in ("os.rename", "os.remove", "os.rmdir"):
                left[0] -= 1
                if not left[0]:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(watch)
        try:
            fleet.remove()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


@pytest.mark.slow
@pytest.mark.parametrize(("step", "is_there"), [(1, True), (2, False), (5, False)])
def test_killed_while_removing_nothing_is_measured_or_merged_again(
    fleet: FleetFolder, by_hand: Path, step: int, is_there: bool
) -> None:
    before = measured(fleet.root)
    assert remove_until(fleet, step)
    assert fleet_names(fleet.root) == ([fleet.plan.fleet] if is_there else [])
    main(["fleet", "collect"])
    assert len(fake_slurm.jobs(by_hand)) == 1
    assert measured(fleet.root) == before
    if is_there:
        assert main(["fleet", "clean"]) == 0
    else:
        other = make_fleet(fleet.root, {"h100": make_type("h100")})
        other.remove()  # it takes with it what is left
    assert [path.name for path in fleets_path(fleet.root).iterdir() if path.name[:1] in ".2"] == []


def test_who_opened_a_fleet_before_it_was_removed_submits_nothing(fleet: FleetFolder, by_hand: Path) -> None:
    fleet.remove()
    with pytest.raises(UsageError, match="was removed meanwhile"):
        collect(fleet)
    assert not fleet.path.exists()
    assert len(fake_slurm.jobs(by_hand)) == 1
