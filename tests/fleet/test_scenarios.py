"""What a cluster does to jobs, against the simulated and the real Slurm: nothing is lost, nothing counts twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from fleet_scenarios import collected, forgotten_by_slurm, kill_work, state_of, stub, types, until, whole
from fleets import make_fleet, measured
from real_slurm import Slurm

from harness.fleet import slurm as commands
from harness.fleet.collecting import cancel, collect
from harness.fleet.status import State, statuses


def test_every_type_measures_delivers_and_is_merged_once(
    slurm: Path | Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "project"
    monkeypatch.setenv("SECRET_TOKEN", "planted")
    fleet = make_fleet(root, types(tmp_path, "h100", "a100"))
    done = collected(fleet)
    assert {one.job.name: (one.state, one.node) for one in done.jobs} == {
        "h100-1": (State.FINISHED, "n1"),
        "a100-1": (State.FINISHED, "n2"),
    }
    whole(fleet, root)
    assert collect(fleet).is_done
    whole(fleet, root)
    assert list((tmp_path / "scratch").iterdir()) == []
    written = [path for path in (root / "results").rglob("*") if path.is_file()]
    assert [path for path in written if b"planted" in path.read_bytes()] == []
    machines = {path.name.rpartition("-")[2] for path in (root / "results" / "runs").iterdir()}
    assert machines == {"n1", "n2"}


def test_a_job_that_is_told_to_end_delivers_and_a_successor_goes_on(slurm: Path | Slurm, tmp_path: Path) -> None:
    root = tmp_path / "project"
    stub(root, pause_s=1.0)
    fleet = make_fleet(root, types(tmp_path, "h100"), blocks=6)
    until(lambda: statuses(fleet, commands.listed())[0].blocks_done >= 2)
    job = statuses(fleet, commands.listed())[0]
    commands.cancel([str(job.slurm_id)])
    until(lambda: state_of(fleet) is State.LOST)
    assert collect(fleet).submitted == ["h100-1"]
    stub(root, pause_s=0.0)
    done = collected(fleet)
    assert [(one.state, one.attempt) for one in done.jobs] == [(State.FINISHED, 2)]
    whole(fleet, root)
    attempts = {attempt for _, _, _, _, attempt, _ in measured(root)}
    assert attempts == {1, 2}  # nothing was measured twice


def test_a_job_that_is_killed_is_submitted_again(slurm: Path | Slurm, tmp_path: Path) -> None:
    root = tmp_path / "project"
    stub(root, pause_s=1.0)
    fleet = make_fleet(root, types(tmp_path, "h100"), blocks=4)
    until(lambda: statuses(fleet, commands.listed())[0].blocks_done >= 1)
    scratch = next(attempt.state for attempt in fleet.attempts("h100-1"))
    assert scratch is not None
    kill_work(fleet)
    until(lambda: state_of(fleet) is State.LOST)
    told = statuses(fleet, commands.listed())[0].reason
    assert scratch.scratch is not None
    assert scratch.scratch in str(told)
    stub(root, pause_s=0.0)
    collected(fleet)
    whole(fleet, root)


def test_a_job_after_the_others_collects_and_goes_on_until_nothing_is_lost(slurm: Path | Slurm, tmp_path: Path) -> None:
    root = tmp_path / "project"
    stub(root, pause_s=1.0)
    fleet = make_fleet(root, types(tmp_path, "h100"), blocks=4, collects=True)
    until(lambda: statuses(fleet, commands.listed())[0].blocks_done >= 1)
    stub(root, pause_s=0.0)
    kill_work(fleet)
    log = fleet.path / "collect" / "2" / "log"
    until(lambda: log.exists() and "Collected." in log.read_text())
    whole(fleet, root)
    assert [attempt.number for attempt in fleet.attempts("h100-1")] == [1, 2]
    assert [path.name for path in sorted((fleet.path / "collect").iterdir())] == ["1", "2"]


def test_what_was_cancelled_stays_cancelled(slurm: Path | Slurm, tmp_path: Path) -> None:
    root = tmp_path / "project"
    stub(root, pause_s=1.0)
    fleet = make_fleet(root, types(tmp_path, "h100", "a100"), blocks=30)
    until(lambda: any(one.state is State.RUNNING for one in statuses(fleet, commands.listed())))
    cancel(fleet)
    until(lambda: all(one.state is State.CANCELLED for one in statuses(fleet, commands.listed())))
    assert collect(fleet).submitted == []


def test_no_answer_is_not_a_loss(slurm: Path | Slurm, tmp_path: Path) -> None:
    root = tmp_path / "project"
    stub(root, pause_s=1.0)
    fleet = make_fleet(root, types(tmp_path, "h100"), blocks=4)
    until(lambda: state_of(fleet) is State.RUNNING)
    silence(slurm)
    try:
        done = collect(fleet)
        assert [one.state for one in done.jobs] in ([State.UNKNOWN], [State.FINISHED])
        assert done.submitted == []
    finally:
        speak(slurm)
    done = collected(fleet)
    assert [(one.state, one.attempt) for one in done.jobs] == [(State.FINISHED, 1)]
    whole(fleet, root)


def test_a_job_whose_id_was_never_noted_is_found_again(slurm: Path | Slurm, tmp_path: Path) -> None:
    root = tmp_path / "project"
    fleet = make_fleet(root, types(tmp_path, "h100"))
    (attempt,) = fleet.attempts("h100-1")
    known = attempt.submitted.slurm_id
    attempt.note(slurm_id=None)
    assert statuses(fleet, commands.listed())[0].slurm_id == known
    done = collected(fleet)
    assert [(one.state, one.attempt) for one in done.jobs] == [(State.FINISHED, 1)]


def test_a_late_orphan_is_kept_aside(slurm: Path | Slurm, tmp_path: Path) -> None:
    root = tmp_path / "project"
    stub(root, pause_s=0.8)
    fleet = make_fleet(root, types(tmp_path, "h100"), blocks=6)
    until(lambda: statuses(fleet, commands.listed())[0].blocks_done >= 2)
    (first,) = fleet.attempts("h100-1")
    with forgotten_by_slurm():  # while it goes on: its successor waits for the machine's lock
        assert collect(fleet).submitted == ["h100-1"]
    done = collected(fleet)
    assert done.jobs[0].attempt == 2
    whole(fleet, root)
    until(lambda: (state := first.state) is not None and state.state == "finished")
    again = collect(fleet)
    assert [(kept.job, kept.attempt) for kept in again.aside] in ([], [("h100-1", 1)], [("h100-1", 2)])
    whole(fleet, root)


def silence(slurm: Path | Slurm) -> None:
    """Let nobody answer."""
    if isinstance(slurm, Path):
        (slurm / "silent").touch()
    else:
        slurm.stop("slurmctld")


def speak(slurm: Path | Slurm) -> None:
    """Let the controller answer again."""
    if isinstance(slurm, Path):
        (slurm / "silent").unlink()
    else:
        slurm.start("slurmctld")
        until(lambda: commands.listed() is not None)
