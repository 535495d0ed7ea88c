"""When a job is submitted again, when not, and when nothing more comes of it, over a simulated Slurm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fake_slurm
import msgspec
import pytest
from fleet_scenarios import do
from fleets import make_fleet, make_type
from fleets import stub as stub_work

import harness.fleet.work as working
from harness.errors import UsageError
from harness.fleet import collecting, slurm, submission
from harness.fleet.collecting import REFUSED_PAUSE_S, cancel, collect
from harness.fleet.folder import FleetFolder, write_plan
from harness.fleet.slurm import NoAnswerError, SlurmError
from harness.fleet.status import UNANSWERED_S, JobStatus, State, statuses
from harness.machine.findings import problem


@pytest.fixture
def fleet(by_hand: Path, tmp_path: Path) -> FleetFolder:
    """A fleet of one job, on n1."""
    return one_job(tmp_path)


def one_job(tmp_path: Path, **fields: Any) -> FleetFolder:
    (tmp_path / "scratch").mkdir(exist_ok=True)
    kind = make_type("h100", scratch=str(tmp_path / "scratch"), **fields)
    return make_fleet(tmp_path / "project", {"h100": kind})


def only(fleet: FleetFolder) -> JobStatus:
    (found,) = statuses(fleet, slurm.listed())
    return found


def refuse(patch: pytest.MonkeyPatch, error: SlurmError) -> None:
    def submit(*_: object) -> str:
        raise error

    patch.setattr(slurm, "submit", submit)


def ago(fleet: FleetFolder, seconds: float) -> None:
    """Let the newest attempt have been submitted that much earlier."""
    newest = fleet.attempts("h100-1")[-1]
    newest.note(submitted_at=newest.submitted.submitted_at - seconds)


def lose(fleet: FleetFolder, folder: Path) -> None:
    """Let the newest job end without a word."""
    fake_slurm.change(folder, fake_slurm.jobs(folder)[-1]["id"], state="NODE_FAIL")


def test_a_job_that_slurm_took_without_answering_is_not_submitted_twice(
    fleet: FleetFolder, by_hand: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose(fleet, by_hand)
    taken = slurm.submit

    def late(arguments: Any, script: Path, words: Any) -> str:
        taken(arguments, script, words)
        raise NoAnswerError("Slurm did not say whether it took the job.")

    with monkeypatch.context() as patch:
        patch.setattr(slurm, "submit", late)
        assert "did not say" in collect(fleet).said[0]
    assert only(fleet).state is State.WAITING
    assert collect(fleet).submitted == []
    assert len(fake_slurm.jobs(by_hand)) == 2


def test_what_slurm_refuses_uses_no_try_and_is_not_asked_all_the_time(
    by_hand: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = one_job(tmp_path, tries=2, patience="1h")
    lose(fleet, by_hand)
    with monkeypatch.context() as patch:
        refuse(patch, SlurmError("Slurm did not take the job (limit reached)."))
        assert "limit reached" in collect(fleet).said[0]
        assert collect(fleet).said == []  # a minute has not passed
        for _ in range(9):
            ago(fleet, REFUSED_PAUSE_S)
            assert "limit reached" in collect(fleet).said[0]
        assert only(fleet).state is State.LOST
        for attempt in fleet.attempts("h100-1")[1:]:
            attempt.note(submitted_at=attempt.submitted.submitted_at - 4000)
        status = only(fleet)
        assert (status.state, "refused for 1h" in str(status.reason)) == (State.FAILED, True)
        for attempt in fleet.attempts("h100-1")[1:]:
            attempt.note(submitted_at=attempt.submitted.submitted_at + 3000)
    assert collect(fleet).submitted == ["h100-1"]
    assert do(by_hand) == 0
    assert only(fleet).state is State.FINISHED


def test_a_refused_job_can_be_cancelled(fleet: FleetFolder, by_hand: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lose(fleet, by_hand)
    with monkeypatch.context() as patch:
        refuse(patch, SlurmError("Slurm did not take the job (limit reached)."))
        collect(fleet)
    cancel(fleet)
    ago(fleet, REFUSED_PAUSE_S)
    assert collect(fleet).submitted == []
    assert only(fleet).state is State.CANCELLED


def test_a_job_is_not_called_cancelled_before_slurm_has_said_so(fleet: FleetFolder, by_hand: Path) -> None:
    fleet.attempts("h100-1")[-1].note(cancelled=True)  # and then killed, before scancel
    (by_hand / "silent").touch()
    assert only(fleet).state is State.UNKNOWN
    (by_hand / "silent").unlink()
    assert only(fleet).state is State.WAITING


def test_what_slurm_does_not_cancel_is_told(fleet: FleetFolder, by_hand: Path) -> None:
    (by_hand / "scancel").write_text("#!/bin/sh\necho 'scancel: error: Access/permission denied' >&2\nexit 1\n")
    with pytest.raises(UsageError, match="permission denied"):
        cancel(fleet)
    (by_hand / "scancel").write_text("#!/bin/sh\necho 'scancel: error: Invalid job id specified' >&2\nexit 1\n")
    cancel(fleet)


def test_who_waits_too_long_on_the_last_try_is_ended(by_hand: Path, tmp_path: Path) -> None:
    fleet = one_job(tmp_path, patience="1h", tries=1)
    fleet.attempts("h100-1")[-1].note(node="n1")
    ago(fleet, 4000)
    assert "waited 1h for n1, and all tries are used" in collect(fleet).said[0]
    assert fake_slurm.jobs(by_hand)[-1]["state"] == "CANCELLED"
    assert only(fleet).state is State.FAILED
    assert collect(fleet).is_done


def second_wave(fleet: FleetFolder) -> FleetFolder:
    """Return a fleet that confirms another's findings on n1, submitted."""
    plan = fleet.plan
    jobs = tuple(msgspec.structs.replace(job, node="n1") for job in plan.jobs)
    again = write_plan(msgspec.structs.replace(plan, fleet=f"{plan.fleet}0", jobs=jobs, confirms=plan.fleet))
    submission.submit(again, again.plan.jobs[0])
    return again


def test_what_was_found_on_a_node_is_confirmed_there_or_not_at_all(
    by_hand: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = one_job(tmp_path, patience="1h", constraint=None)
    waiting, unfit = second_wave(fleet), second_wave(second_wave(fleet))
    ago(waiting, 4000)
    assert "is confirmed there only" in collect(waiting).said[0]
    assert only(waiting).state is State.FAILED
    monkeypatch.setattr(working, "host_findings", lambda: [problem("memory", "1 GB of memory", "Add some.")])
    do(by_hand)
    done = collect(unfit)
    assert (done.submitted, only(unfit).state) == ([], State.FAILED)
    assert "n1 cannot be measured on (1 GB of memory. Add some.)" in done.said[0]


def test_an_error_of_the_node_is_no_failure_of_the_question(fleet: FleetFolder, by_hand: Path) -> None:
    def fails(*_: object) -> None:
        raise OSError(116, "Stale file handle", "/shared/bench")

    assert do(by_hand, measure=fails) == 0
    assert collect(fleet).submitted == ["h100-1"]
    assert "/shared/bench: Stale file handle" in str(fleet.attempts("h100-1")[0].state)


def test_a_stage_that_one_node_cannot_have_excludes_the_node(by_hand: Path, tmp_path: Path) -> None:
    (tmp_path / "stage").write_text("no folder")
    fleet = one_job(tmp_path, stage=str(tmp_path / "stage"), constraint=None)
    assert do(by_hand) == 0
    status = only(fleet)
    assert (status.state, "correct `stage`" in str(status.reason)) == (State.EXCLUDED, True)
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_scratch_folder_that_is_missing_is_not_made(by_hand: Path, tmp_path: Path) -> None:
    fleet = one_job(tmp_path, stage=True)
    (tmp_path / "scratch").rmdir()
    assert do(by_hand) == 0
    assert "correct `scratch`" in str(only(fleet).reason)
    assert not (tmp_path / "scratch").exists()


def test_a_job_that_died_with_everything_delivered_is_finished(fleet: FleetFolder, by_hand: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(working._Shift, "_end", lambda shift, *_: (shift.deliver(is_last=True), 0)[1])
        do(by_hand, ends="NODE_FAIL", measure=stub_work)
    done = collect(fleet)
    assert (done.submitted, done.jobs[0].state, len(done.merged)) == ([], State.FINISHED, 1)


def test_a_nodes_name_stays_as_slurm_writes_it(by_hand: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = one_job(tmp_path)
    fake_slurm.change(by_hand, "1", node="DGX-01")
    monkeypatch.setattr(working, "host_findings", lambda: [problem("memory", "1 GB of memory", "Add some.")])
    monkeypatch.setattr(collecting.slurm, "nodes_of", lambda *_: ["DGX-01", "DGX-02", "DGX-03"])
    do(by_hand)
    assert collect(fleet).submitted == ["h100-1"]
    assert "--exclude=DGX-01" in fake_slurm.jobs(by_hand)[-1]["words"]


def test_an_unanswered_submission_is_waited_for_and_uses_no_try(
    by_hand: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = one_job(tmp_path, tries=2)
    lose(fleet, by_hand)
    with monkeypatch.context() as patch:
        refuse(patch, NoAnswerError("Slurm did not say whether it took the job."))
        for _ in range(3):
            collect(fleet)
            assert only(fleet).state is State.UNKNOWN
            assert collect(fleet).said == []  # it may still come
            ago(fleet, UNANSWERED_S)
    assert collect(fleet).submitted == ["h100-1"]
    assert do(by_hand) == 0
    assert only(fleet).state is State.FINISHED


def test_without_the_names_of_all_nodes_an_unfit_one_is_passed_by(
    by_hand: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = one_job(tmp_path, constraint=None)
    monkeypatch.setattr(working, "host_findings", lambda: [problem("memory", "1 GB of memory", "Add some.")])
    monkeypatch.setattr(slurm, "nodes_of", lambda *_: None)
    do(by_hand)
    assert collect(fleet).submitted == ["h100-1"]
    assert "--exclude=n1" in fake_slurm.jobs(by_hand)[-1]["words"]


def test_a_job_that_was_freed_of_its_node_or_cancelled_is_not_moved_again(by_hand: Path, tmp_path: Path) -> None:
    fleet = one_job(tmp_path, patience="1h", constraint=None)
    (attempt,) = fleet.attempts("h100-1")
    for noted in ({"node": ""}, {"node": "n1", "cancelled": True}):
        attempt.note(submitted_at=attempt.submitted.submitted_at - 4000, **noted)
        assert (collect(fleet).said, only(fleet).state) == ([], State.WAITING)


def test_a_scancel_that_fails_without_a_word_is_no_success(fleet: FleetFolder, by_hand: Path) -> None:
    (by_hand / "scancel").write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(UsageError, match="exit code 1"):
        cancel(fleet)
