"""Which delivery counts, over random histories of attempts, orphans and collectings: each block once, none unnamed."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fleets import make_fleet, make_type, measured
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from stored_runs import NEW, OLD, block_end, repeat

from harness.fleet import slurm
from harness.fleet.collecting import collect
from harness.fleet.delivery import deliver, take_up
from harness.fleet.folder import Attempt, FleetFolder, NodeState, now
from harness.fleet.slurm import SlurmJob
from harness.store.records import complete_blocks, next_attempt, read_records
from harness.store.runs import create_run, load_run, results_path
from harness.worker import WORKER_VERSION

BLOCKS = 4
TRIES = 3
JOB = "h100-1"


class Slurm:
    """Slurm as the collecting sees it: what it says of each job; a process may go on whatever it says."""

    def __init__(self) -> None:
        self.jobs: dict[str, SlurmJob] = {}

    def submit(self, arguments: list[str], *_: object) -> str:
        comment = next(word.partition("=")[2] for word in arguments if word.startswith("--comment="))
        number = str(len(self.jobs) + 1)
        self.jobs[number] = SlurmJob(number, "RUNNING", "n1", comment)
        return number

    def say(self, slurm_id: str | None, state: str) -> None:
        assert slurm_id is not None
        known = self.jobs[slurm_id]
        self.jobs[slurm_id] = SlurmJob(known.slurm_id, state, known.node, known.comment)

    def listed(self) -> list[SlurmJob]:
        return list(self.jobs.values())


class Process:
    """An attempt on its node: goes on from what it was told, delivers after each block, and may outlive its job."""

    def __init__(self, fleet: FleetFolder, attempt: Attempt, folder: Path, boot: str) -> None:
        self.attempt, self._boot = attempt, boot
        self.is_alive = True
        self.own: set[int] = set()
        before = attempt.submitted.seed_from
        if before is not None:
            earlier = next(one for one in fleet.attempts(JOB) if one.number == before)
            for run in earlier.delivered():
                take_up(run, results_path(folder) / "runs" / run.parent.name / run.name)
        taken = [load_run(path.parent) for path in results_path(folder).glob("runs/*/*/run.json")]
        same = [run for run in taken if run.facts["boot"] == boot]  # type: ignore[union-attr]
        self._run = same[-1] if same else create_run(folder, "node-n1", _facts(boot))

    def block(self) -> None:
        """Measure and deliver the next block that is not there."""
        records = read_records(self._run.path / "records.jsonl")[0]  # type: ignore[union-attr]
        number = next((one for one in range(BLOCKS) if one not in complete_blocks(records)), None)
        if number is not None:
            attempt = next_attempt(records, number)
            with self._run.writer() as writer:  # type: ignore[union-attr]
                for subject in (OLD, NEW):
                    stub = [self.attempt.number, "n1"]
                    value = 1.0 + self.attempt.number / 10
                    writer.append(repeat(value, subject=subject, block=number, attempt=attempt, stub=stub))
                writer.append(block_end(number, attempt=attempt))
            self.own.add(number)
        self._deliver()

    def cut(self) -> None:
        """Die within a block, some of which is delivered, and say no more."""
        with self._run.writer() as writer:  # type: ignore[union-attr]
            writer.append(repeat(9.0, block=BLOCKS - 1, attempt=7, stub=[self.attempt.number, "n1"]))
        self._deliver()
        self.is_alive = False

    def _deliver(self) -> None:
        run = self._run.path  # type: ignore[union-attr]
        deliver(run, self.attempt.path / run.parent.name / run.name)
        done = len(complete_blocks(read_records(run / "records.jsonl")[0]))
        state = "finished" if done == BLOCKS else "running"
        self.attempt.say(NodeState(state, now(), "n1", blocks_done=done, blocks_planned=BLOCKS))
        self.is_alive = done < BLOCKS


def _facts(boot: str) -> dict[str, Any]:
    subjects = [{"name": name, "release": name, "wheel": "cpu"} for name in (OLD, NEW)]
    machine = {"name": "node-n1", "cpu": "Some CPU", "logical_cpus": 2, "memory_bytes": 2**34}
    return {
        "kind": "compare", "preset": {"name": "quick"}, "subjects": subjects, "machine": machine, "boot": boot,
        "worker_version": WORKER_VERSION, "fingerprint_parts": {"boot": boot},
    }  # fmt: skip


@pytest.fixture
def slurm_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Slurm]]:
    """What stands in for Slurm's commands, exchanged for each history."""
    now_there = {"slurm": Slurm()}
    monkeypatch.setattr(slurm, "submit", lambda *given: now_there["slurm"].submit(*given))
    monkeypatch.setattr(slurm, "listed", lambda: now_there["slurm"].listed())
    monkeypatch.setattr(slurm, "accounted", lambda slurm_id: None)
    return now_there


EVENTS = ("block", "lose", "late", "late", "block", "lose", "die", "cut", "collect", "reboot")


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 2)), max_size=24))
@pytest.mark.slow
def test_each_block_counts_once_and_the_newer_attempts(
    slurm_of: dict[str, Slurm], events: list[tuple[str, int]]
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="history-"))
    try:
        History(slurm_of, folder).go(events)
    finally:
        shutil.rmtree(folder)


class History:
    def __init__(self, slurm_of: dict[str, Slurm], folder: Path) -> None:
        slurm_of["slurm"] = self.slurm = Slurm()
        self.folder, self.boots = folder, 0
        kind = make_type("h100", tries=TRIES, patience="100h")
        self.fleet = make_fleet(folder / "project", {"h100": kind}, blocks=BLOCKS)
        self.processes: list[Process] = []
        self.failures = 0
        self.taken: dict[int, int] | None = None

    def go(self, events: list[tuple[str, int]]) -> None:
        for name, which in events:
            self._start()
            if name == "reboot":
                self.boots += 1
            elif name == "collect":
                self._collect()
            elif name == "late":
                self._block(which)  # whoever lives, orphans too
            else:
                self._last(name)
                if name != "block":
                    self._collect()
        for _ in range(TRIES * BLOCKS * 2):
            self._start()
            if self._collect():
                break
            self._last("block")
        for which, _ in itertools.product(range(TRIES), range(BLOCKS)):
            self._block(which)
        self._collect()
        if self.failures < TRIES:
            assert set(self._counted()) == set(range(BLOCKS))

    def _start(self) -> None:
        """Slurm starts what was submitted."""
        for attempt in self.fleet.attempts(JOB)[len(self.processes) :]:
            node = self.folder / f"node-{attempt.number}"
            self.processes.append(Process(self.fleet, attempt, node, f"boot-{self.boots}"))

    def _block(self, which: int) -> None:
        alive = [one for one in self.processes if one.is_alive][:-1] or self.processes
        if alive:
            process = alive[which % len(alive)]
            if process.is_alive:
                process.block()
                self._end(process)

    def _last(self, name: str) -> None:
        process = self.processes[-1]
        if not process.is_alive or self.slurm.jobs[str(process.attempt.submitted.slurm_id)].state != "RUNNING":
            return
        if name == "block":
            process.block()
            self._end(process)
            return
        self.failures += 1
        if name == "cut":
            process.cut()
        process.is_alive = name == "lose"  # an orphan: Slurm gives it up, and it goes on
        self.slurm.say(process.attempt.submitted.slurm_id, "NODE_FAIL")

    def _end(self, process: Process) -> None:
        job = self.slurm.jobs[str(process.attempt.submitted.slurm_id)]
        if not process.is_alive and job.state == "RUNNING":
            self.slurm.say(job.slurm_id, "COMPLETED")

    def _collect(self) -> bool:
        done = collect(self.fleet)
        assert done.said == []
        counted = self._counted()
        if counted and self.taken is None:
            newest = max(one.attempt.number for one in self.processes if one.own)
            own = next(one.own for one in self.processes if one.attempt.number == newest)
            assert {block for block, attempt in counted.items() if attempt == newest} == own
        if self.taken is not None:
            assert self.taken.items() <= counted.items()  # what was taken stays
        self.taken = counted or self.taken
        if done.is_done:
            named = {one.attempt for one in done.aside}
            for one in self.processes:
                unnamed = one.own - {block for block, attempt in counted.items() if attempt == one.attempt.number}
                assert not unnamed or one.attempt.number in named or self._went_on(one, named)
        return done.is_done

    def _went_on(self, process: Process, named: set[int]) -> bool:
        """Whether a delivery that is kept aside and named began with this one's blocks."""
        return any(one.attempt.submitted.seed_from == process.attempt.number for one in self.processes
                   if one.attempt.number in named)  # fmt: skip

    def _counted(self) -> dict[int, int]:
        """Return the attempt by block, and see that each block is there once, both sides of one attempt."""
        found = measured(self.fleet.root)
        keys = [(subject, block) for _, _, subject, block, _, _ in found]
        assert len(keys) == len(set(keys))
        attempts: dict[int, set[int]] = {}
        for _, _, _, block, attempt, _ in found:
            attempts.setdefault(block, set()).add(attempt)
        assert all(len(one) == 1 for one in attempts.values())
        assert len(keys) == 2 * len(attempts)
        return {block: one.pop() for block, one in attempts.items()}
