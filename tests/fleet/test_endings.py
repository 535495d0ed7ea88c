"""What ends a job: nothing that was delivered is left out, and nothing ends that can still go on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import fake_slurm
import pytest
from fleet_scenarios import do, types
from fleets import make_fleet, measured, stub
from msgspec.structs import replace

import harness.fleet.work as working
from harness.errors import UsageError
from harness.fleet import collecting, slurm
from harness.fleet.collecting import collect
from harness.fleet.folder import FleetFolder, now
from harness.fleet.status import State, statuses


def one_job(tmp_path: Path, **fields: Any) -> FleetFolder:
    kinds = {name: replace(kind, **fields) for name, kind in types(tmp_path, "h100").items()}
    return make_fleet(tmp_path / "project", kinds)


def after_two_blocks(root: Path, node: Any, progress: Any) -> Any:
    class Ending:
        left = 2

        def block_done(self, *told: Any) -> None:
            progress.block_done(*told)
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt

    return stub(root, node, Ending())  # type: ignore[arg-type]


def test_one_refusal_long_ago_does_not_end_a_job(by_hand: Path, tmp_path: Path) -> None:
    fleet = one_job(tmp_path)
    fake_slurm.change(by_hand, "1", comment="somebody else's")
    (attempt,) = fleet.attempts("h100-1")
    attempt.note(refused="QOSMaxSubmitJobPerUserLimit", slurm_id=None, submitted_at=time.time() - 12 * 3600)
    assert collect(fleet).submitted == ["h100-1"]  # the first collect, the morning after


def test_a_whole_run_of_the_last_try_is_finished(by_hand: Path, tmp_path: Path) -> None:
    fleet = one_job(tmp_path, tries=1)
    do(by_hand, ends="NODE_FAIL")
    (attempt,) = fleet.attempts("h100-1")
    attempt.say(replace(attempt.state, state="delivering"))  # type: ignore[type-var]
    done = collect(fleet)
    assert done.jobs[0].state is State.FINISHED
    assert len(measured(fleet.root)) == 8


def test_what_was_delivered_before_patience_ended_is_merged_at_once(
    by_hand: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = one_job(tmp_path)
    fleet = FleetFolder(first.path, replace(first.plan, confirms="the first"))  # it stays on its node
    do(by_hand, measure=after_two_blocks)
    assert collect(fleet).submitted == ["h100-1"]
    monkeypatch.setattr(collecting, "now", lambda: now() + 7 * 3600)
    done = collect(fleet)
    assert done.is_done  # who waits for this reports now
    assert len(measured(fleet.root)) == 4


def test_what_a_job_delivered_is_not_merged_while_its_last_try_waits(by_hand: Path, tmp_path: Path) -> None:
    fleet = one_job(tmp_path, tries=2)
    do(by_hand, measure=after_two_blocks)
    done = collect(fleet)
    assert (done.submitted, done.jobs[0].state, done.merged) == (["h100-1"], State.WAITING, [])


def test_a_refused_job_that_slurm_may_have_is_not_cancelled_while_nobody_answers(by_hand: Path, tmp_path: Path) -> None:
    fleet = one_job(tmp_path)
    (attempt,) = fleet.attempts("h100-1")
    attempt.note(refused="Socket timed out on send/recv operation", slurm_id=None, cancelled=True)
    (by_hand / "silent").touch()
    (status,) = statuses(fleet, slurm.listed())
    assert status.state is State.UNKNOWN


def test_a_question_that_cannot_be_measured_stays_failed_though_nothing_was_delivered(
    by_hand: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = one_job(tmp_path)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "records.jsonl")

    def refuses(root: Path, node: Any, progress: Any) -> None:
        stub(root, node, progress)
        raise UsageError("There is no such release.")

    with monkeypatch.context() as patch:
        patch.setattr(working, "deliver", full)
        do(by_hand, measure=refuses, ends="FAILED")
    (status,) = statuses(fleet, slurm.listed())
    assert status.state is State.FAILED
    assert "There is no such release." in str(status.reason)


def test_status_names_the_scratch_folder_of_an_earlier_attempt(
    by_hand: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = one_job(tmp_path)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "records.jsonl")

    with monkeypatch.context() as patch:
        patch.setattr(working, "deliver", full)
        do(by_hand, ends="FAILED")
    assert collect(fleet).submitted == ["h100-1"]
    (scratch,) = (tmp_path / "scratch").iterdir()
    (status,) = statuses(fleet, slurm.listed())
    assert f"{scratch} on n1 may still be there" in str(status.reason)
