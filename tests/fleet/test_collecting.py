"""Collecting, over a simulated Slurm whose jobs the test runs itself: what is submitted, and what counts."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fake_slurm
import pytest
from fleets import make_fleet, make_type, measured, stub

import harness.fleet.work as working
from harness.errors import UsageError
from harness.fleet import collecting, slurm
from harness.fleet.collecting import cancel, collect
from harness.fleet.folder import FleetFolder
from harness.fleet.status import State
from harness.fleet.submission import sbatch_arguments
from harness.machine.findings import problem


@pytest.fixture
def by_hand(fake: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A simulated Slurm that keeps jobs waiting; looking at the machine takes no time."""
    (fake / "manual").touch()
    monkeypatch.setattr(working, "host_findings", list)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield fake
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def fleet(by_hand: Path, tmp_path: Path) -> FleetFolder:
    """A fleet of one job of four blocks."""
    return one_job(tmp_path)


def one_job(tmp_path: Path, **fields: Any) -> FleetFolder:
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    return make_fleet(tmp_path / "project", {"h100": make_type("h100", scratch=str(scratch), **fields)})


def do(folder: Path, slurm_id: str = "", *, ends: str = "COMPLETED", measure: Any = stub) -> int:
    """Run a waiting job here; the newest where none is named."""
    job = next(one for one in reversed(fake_slurm.jobs(folder)) if slurm_id in ("", one["id"]))
    named = {"SLURM_JOB_ID": job["id"], "SLURMD_NODENAME": job["node"]}
    before = {name: os.environ.get(name) for name in named}
    os.environ.update(named)
    fake_slurm.change(folder, job["id"], state="RUNNING")
    try:
        return working.work(Path(job["arguments"][-1]), measure)
    finally:
        fake_slurm.change(folder, job["id"], state=ends)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def after(blocks: int, failure: BaseException) -> Callable[..., Any]:
    """Return a worker that ends in this way after some blocks."""

    class Ending:
        def __init__(self, progress: Any) -> None:
            self._progress, self._left = progress, blocks

        def block_done(self, *told: Any) -> None:
            self._progress.block_done(*told)
            self._left -= 1
            if not self._left:
                raise failure

    return lambda root, node, progress: stub(root, node, Ending(progress))


def only(fleet: FleetFolder) -> Any:
    (status,) = collect(fleet).jobs
    return status


def test_the_intention_is_on_disk_before_sbatch_and_refusals_are_kept(fleet: FleetFolder, by_hand: Path) -> None:
    (attempt,) = fleet.attempts("h100-1")
    assert attempt.submitted.slurm_id == "1"
    assert (attempt.path / "job.json").stat().st_mode & 0o777 == 0o600
    assert (fleet.path / "plan.json").stat().st_mode & 0o777 == 0o600
    assert only(fleet).state is State.WAITING


def test_what_was_interrupted_goes_on_where_it_stopped(fleet: FleetFolder, by_hand: Path, tmp_path: Path) -> None:
    assert do(by_hand, measure=after(2, KeyboardInterrupt())) == 0
    assert collect(fleet).submitted == ["h100-1"]
    assert "--nodelist=n1" in fake_slurm.jobs(by_hand)[-1]["words"]
    do(by_hand)
    assert only(fleet).state is State.FINISHED
    attempts = [attempt for _, _, _, block, attempt, _ in sorted(measured(fleet.root), key=lambda one: one[3])]
    assert attempts == [1, 1, 1, 1, 2, 2, 2, 2]
    assert list((tmp_path / "scratch").iterdir()) == []


def test_no_more_than_tries(by_hand: Path, tmp_path: Path) -> None:
    fleet = one_job(tmp_path, tries=2)
    for again in (["h100-1"], []):
        do(by_hand, measure=after(1, KeyboardInterrupt()), ends="TIMEOUT")
        assert collect(fleet).submitted == again
    status = only(fleet)
    assert status.state is State.FAILED
    assert "all 2 tries are used" in str(status.reason)
    assert len(measured(fleet.root)) == 4  # two blocks of two subjects: what was delivered is merged


def test_a_node_that_is_unfit_is_excluded(by_hand: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    both = make_type("h100", scratch=str(scratch), constraint=None)
    fleet = make_fleet(tmp_path / "project", {"any": both})
    with monkeypatch.context() as patch:
        patch.setattr(working, "host_findings", lambda: [problem("memory", "1 GB of memory", "Add some.")])
        assert do(by_hand) == 0
    assert collect(fleet).submitted == ["any-1"]
    assert "--exclude=n1" in fake_slurm.jobs(by_hand)[-1]["words"]
    do(by_hand)
    status = only(fleet)
    assert (status.state, status.node) == (State.FINISHED, "n2")


def test_more_than_half_of_a_types_nodes_unfit_ends_it(
    fleet: FleetFolder, by_hand: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "host_findings", lambda: [problem("memory", "1 GB of memory", "Add some.")])
    do(by_hand)
    done = collect(fleet)  # n1 is the only h100
    assert done.submitted == []
    assert "more than half of its nodes" in done.said[0]
    assert done.jobs[0].state is State.EXCLUDED


def test_a_wrong_question_is_told_from_a_bad_node(fleet: FleetFolder, by_hand: Path) -> None:
    def refuses(*_: object) -> None:
        raise UsageError("There is no such release.")

    do(by_hand, measure=refuses)
    status = only(fleet)
    assert (status.state, status.reason) == (State.FAILED, "There is no such release.")
    assert collect(fleet).submitted == []


def test_a_full_quota_keeps_scratch_and_says_where(
    fleet: FleetFolder, by_hand: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(122, "Disk quota exceeded", "records.jsonl")

    monkeypatch.setattr(working, "deliver", full)
    assert do(by_hand, ends="FAILED") == 3
    status = only(fleet)
    (scratch,) = (tmp_path / "scratch").iterdir()
    assert status.state is State.FAILED
    assert f"on n1 in {scratch}" in str(status.reason)
    assert list(scratch.rglob("records.jsonl"))


def test_no_answer_submits_nothing(fleet: FleetFolder, by_hand: Path) -> None:
    do(by_hand, measure=after(1, KeyboardInterrupt()))
    (by_hand / "silent").touch()
    done = collect(fleet)
    assert (done.submitted, done.merged) == ([], [])
    with pytest.raises(UsageError, match="nothing was cancelled"):
        cancel(fleet)


def test_forgotten_by_slurm_is_lost_only_if_it_answers(fleet: FleetFolder, by_hand: Path) -> None:
    fake_slurm.change(by_hand, "1", state="COMPLETED")
    (by_hand / "forget").touch()
    assert collect(fleet).submitted == ["h100-1"]


def test_who_waits_too_long_for_a_node_is_measured_elsewhere(
    by_hand: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = one_job(tmp_path, patience="1h", constraint=None)
    job = fleet.plan.jobs[0]
    collecting.submit(fleet, job, node="n1")
    monkeypatch.setattr(collecting, "now", lambda: fleet.attempts("h100-1")[-1].submitted.submitted_at + 4000)
    done = collect(fleet)
    assert "waited 1h for n1" in done.said[0]
    words = fake_slurm.jobs(by_hand)[-1]["words"]
    assert "--exclude=n1" in words
    assert not [word for word in words if word.startswith("--nodelist")]


STEPS = ["harness.fleet.slurm.submit", "harness.fleet.collecting.merge", "harness.fleet.folder.FleetFolder.begin"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("is_after", [False, True])
def test_killed_at_any_step_the_next_collect_goes_on(
    fleet: FleetFolder, by_hand: Path, monkeypatch: pytest.MonkeyPatch, step: str, is_after: bool
) -> None:
    where, _, name = step.rpartition(".")
    owner = {"harness.fleet.slurm": slurm, "harness.fleet.collecting": collecting}.get(where, FleetFolder)
    real = getattr(owner, name)

    def killed(*given: object, **named: object) -> None:
        if is_after:
            real(*given, **named)
        raise SystemExit

    do(by_hand, measure=after(2, KeyboardInterrupt()))
    ended = False
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, killed)
        try:
            collect(fleet)
            do(by_hand)
            collect(fleet)
        except SystemExit:
            ended = True
    assert ended
    for _ in range(4):
        if collect(fleet).is_done:
            break
        waiting = [job["id"] for job in fake_slurm.jobs(by_hand) if job["state"] == "PENDING"]
        assert len(waiting) <= 1  # never twice
        if waiting:
            do(by_hand, waiting[0])
    found = measured(fleet.root)
    assert len(found) == len(set(found)) == 8


HOSTILE = ["a space", 'a "quote"', "$(touch X)", "new\nline", "%j", "-leading", "a;b", "ünï"]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_go_through_no_shell(by_hand: Path, tmp_path: Path, name: str) -> None:
    fleet = make_fleet(tmp_path / name / "project", {"h100": make_type("h100", scratch=str(tmp_path))})
    (job,) = fake_slurm.jobs(by_hand)
    assert Path(job["output"]) == fleet.path / "jobs" / "h100-1" / "1" / "log"
    assert Path(job["arguments"][-1]).is_file()
    do(by_hand)
    assert only(fleet).state is State.FINISHED
    assert len(measured(fleet.root)) == 8
    assert not (tmp_path / "X").exists()


def test_what_is_asked_of_sbatch(fleet: FleetFolder) -> None:
    words = sbatch_arguments(fleet, fleet.plan.jobs[0], Path("/a%b"), 1, exclude=["n7"])
    assert {"--export=NONE", "--no-requeue", "--exclusive", "--time=5", "--signal=B:TERM@10", "--exclude=n7"} <= {
        *words
    }
    assert "--output=/a%%b/log" in words
    assert all(word.startswith("--") for word in words)
