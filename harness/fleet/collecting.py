"""What may be done at any moment, by anybody, as often as one likes: merge what was delivered, submit what is lost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.fleet import slurm
from harness.fleet.assignment import bind
from harness.fleet.chain import chain
from harness.fleet.counting import Kept, Taken, counting
from harness.fleet.delivery import blocks_of
from harness.fleet.folder import Attempt, FleetFolder, JobPlan, now
from harness.fleet.gpus import keep_gpu
from harness.fleet.slurm import SlurmError
from harness.fleet.status import ASKING_AGAIN, ENDED, JobStatus, State, status_of, statuses, tries_used
from harness.fleet.submission import submit
from harness.fleet.types import MachineType, seconds
from harness.store.merging import Fate, Merged, merge
from harness.store.runs import ResultsLock, results_path, write_json_atomically

RESULTS_WAIT_S = 300.0
REFUSED_PAUSE_S = 60.0
"""How long a job that Slurm refused is not submitted again."""


@dataclass
class Collected:
    """What one collecting did, and where the jobs stand after it."""

    jobs: list[JobStatus] = field(default_factory=list)
    merged: list[Merged] = field(default_factory=list)
    aside: list[Kept] = field(default_factory=list)
    submitted: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @property
    def is_done(self) -> bool:
        """Whether nothing more will come."""
        return all(one.state in ENDED for one in self.jobs)


def collect(fleet: FleetFolder) -> Collected:
    """Merge what ended jobs delivered, and submit again what is lost, at most `tries` times.

    Nothing is submitted while Slurm does not answer. Killed at any step, the next call goes on.

    Args:
        fleet: the fleet.

    Raises:
        UsageError: another command works on it, or on the results.
    """
    done = Collected()
    with fleet.locked():
        known = slurm.listed()
        for job in fleet.plan.jobs:
            status = status_of(fleet, job, known)
            if known is not None and status.state is State.WAITING:
                _be_patient(fleet, job, status, done)
                if _is_given_up(fleet, job):
                    known = slurm.listed()
                    status = status_of(fleet, job, known)
            if known is not None and status.state in ASKING_AGAIN:
                _submit_again(fleet, job, status, done)
                if _is_given_up(fleet, job):
                    status = status_of(fleet, job, known)
            if status.state in ENDED and not job.task.is_timed:
                done.aside += _overruled(fleet, job)
            elif status.state in ENDED:
                _merge(fleet, job, done)
        refused = chain(fleet)
        done.said += [] if refused is None else [refused]
        done.jobs = statuses(fleet, slurm.listed() if done.submitted or done.said else known)
    return done


def _merge(fleet: FleetFolder, job: JobPlan, done: Collected) -> None:
    """Merge what counts of an ended job; once, unless more is delivered afterwards.

    The intention is on disk before: what was taken into the results stays, and nothing is merged beside it.
    """
    file = fleet.path / "jobs" / job.name / "merged.json"
    noted = _noted(file)
    delivered = _delivered(fleet, job)
    if noted.get("delivered") == delivered:
        return
    run, aside = counting(fleet, job, _taken(fleet, noted))
    done.aside += aside
    if run is None or not blocks_of(run):
        return
    note = {"run": str(run.relative_to(fleet.path)), "size": (run / "records.jsonl").stat().st_size}
    write_json_atomically(file, note)
    with ResultsLock(fleet.root, wait_s=RESULTS_WAIT_S):
        merged = merge(fleet.root, [run])
        bind(fleet, job)
        keep_gpu(fleet.root, job.type, fleet.attempts(job.name)[-1].state)
    done.merged += merged
    for one in merged:
        if one.fate is Fate.REFUSED:
            done.said.append(f"{one.source} {one.reason}.")
    if not aside and all(one.fate is not Fate.REFUSED for one in merged):
        write_json_atomically(file, {**note, "delivered": delivered})


def _delivered(fleet: FleetFolder, job: JobPlan) -> list[list[Any]]:
    """Return the files of records that were delivered for a job, each with its size."""
    found = [run / "records.jsonl" for attempt in fleet.attempts(job.name) for run in attempt.delivered()]
    return [[str(path.relative_to(fleet.path)), path.stat().st_size] for path in found if path.exists()]


def _noted(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _taken(fleet: FleetFolder, noted: dict[str, Any]) -> Taken | None:
    return Taken(fleet.path / noted["run"], int(noted["size"])) if "run" in noted else None


def _be_patient(fleet: FleetFolder, job: JobPlan, status: JobStatus, done: Collected) -> None:
    """Let a job that waits too long for its node be measured elsewhere, this time, or end it where that cannot be."""
    attempts = fleet.attempts(job.name)
    attempt = attempts[-1]
    bound = job.node if attempt.submitted.node is None else attempt.submitted.node
    kind = fleet.plan.machine_types[job.type]
    if (
        not bound
        or attempt.submitted.cancelled
        or now() - attempt.submitted.submitted_at < seconds(kind.patience)
        or status.slurm_id is None
    ):
        return
    waited = f"{job.name} waited {kind.patience} for {bound}"
    is_last = tries_used(attempts) >= kind.tries
    try:
        slurm.cancel([status.slurm_id])
        if is_last or fleet.plan.confirms is not None:
            why = "all tries are used" if is_last else "what was found there is confirmed there only"
            _give_up(attempt, f"{waited}, and {why}", done)
            return
        submit(fleet, job, node="", exclude=[bound, *excluded(fleet, job.type)])
    except SlurmError as error:
        done.said.append(str(error))
        return
    done.submitted.append(job.name)
    done.said.append(f"{waited}: it is measured on another node this time.")


def _give_up(attempt: Attempt, reason: str, done: Collected) -> None:
    attempt.note(given_up=reason)
    done.said.append(f"{reason}.")


def _submit_again(fleet: FleetFolder, job: JobPlan, status: JobStatus, done: Collected) -> None:
    attempts = fleet.attempts(job.name)
    bad = excluded(fleet, job.type)
    kind = fleet.plan.machine_types[job.type]
    if attempts and attempts[-1].submitted.refused and now() - attempts[-1].submitted.submitted_at < REFUSED_PAUSE_S:
        return
    if attempts and bad and _too_many(kind, bad):
        why = f"{job.type}: more than half of its nodes cannot be measured on: {', '.join(bad)} ({status.reason})"
        _give_up(attempts[-1], why, done)
        return
    if attempts and fleet.plan.confirms is not None and job.node in bad:
        why = f"{job.node} cannot be measured on ({status.reason}), and what was found there is confirmed there only"
        _give_up(attempts[-1], why, done)
        return
    before, _ = counting(fleet, job)
    seed_from = None
    node: str | None = None
    if before is not None and status.state is State.LOST:
        # Blocks of one run are of one node: its successor asks for the same.
        seed_from, node = int(before.parents[1].name), _node_of(attempts, int(before.parents[1].name))
    if node in bad or (job.node in bad and node is None):
        seed_from, node = None, ""
    try:
        submit(fleet, job, seed_from=seed_from, node=node, exclude=bad)
    except SlurmError as error:
        done.said.append(str(error))
        return
    done.submitted.append(job.name)


def _is_given_up(fleet: FleetFolder, job: JobPlan) -> bool:
    return any(one.submitted.given_up is not None for one in fleet.attempts(job.name)[-1:])


def excluded(fleet: FleetFolder, machine_type: str) -> list[str]:
    """Return the nodes of a type that a job found unfit, sorted."""
    found = set()
    for job in fleet.plan.jobs:
        if job.type == machine_type:
            states = (attempt.state for attempt in fleet.attempts(job.name))
            found |= {state.node for state in states if state is not None and state.state == "excluded"}
    return sorted(found)


def _too_many(kind: MachineType, bad: Sequence[str]) -> bool:
    nodes = slurm.nodes_of(kind.partition, kind.constraint)
    return bool(nodes) and len(bad) > len(nodes or ()) / 2  # where Slurm does not name them, `tries` ends it


def _node_of(attempts: Sequence[Attempt], number: int) -> str | None:
    state = next((one.state for one in attempts if one.number == number), None)
    return None if state is None else state.node


def cancel(fleet: FleetFolder) -> list[JobStatus]:
    """Cancel all jobs that have not ended; what they delivered stays.

    Raises:
        SlurmError: Slurm does not answer.
    """
    with fleet.locked():
        known = slurm.listed()
        if known is None:
            raise SlurmError("Slurm does not answer, so nothing was cancelled: try again.")
        open_jobs = [one for one in statuses(fleet, known) if one.state not in ENDED]
        for status in open_jobs:
            attempts = fleet.attempts(status.job.name)
            (attempts[-1] if attempts else fleet.begin(status.job.name)).note(cancelled=True)
        slurm.cancel([one.slurm_id for one in known if one.comment.startswith(fleet.mark) and one.lives])
        return statuses(fleet, slurm.listed())


def _overruled(fleet: FleetFolder, job: JobPlan) -> list[Kept]:
    """Return the attempts with answers about models that a newer attempt answered about, too."""
    counting_ones = set(fleet.answers(job).values())
    found = []
    for attempt in fleet.attempts(job.name):
        path = attempt.path / "answers"
        old = [one for one in path.glob("*.json") if one not in counting_ones]
        found += [Kept(job.name, attempt.number, len(old), path)] if old else []
    return found


def run_of(fleet: FleetFolder, job: JobPlan) -> Path | None:
    """Return where the run of a job lies in the results; None where it was not merged."""
    noted = _taken(fleet, _noted(fleet.path / "jobs" / job.name / "merged.json"))
    if noted is None:
        return None
    path = results_path(fleet.root) / "runs" / noted.run.parent.name / noted.run.name
    return path if path.exists() else None
