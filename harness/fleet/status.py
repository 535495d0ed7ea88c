"""Where each job of a fleet stands: what it said itself, held against what Slurm says, or does not say."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.fleet import slurm
from harness.fleet.counting import counting
from harness.fleet.folder import Attempt, FleetFolder, JobPlan, NodeState, now
from harness.fleet.slurm import SlurmJob
from harness.fleet.types import MachineType, seconds
from harness.store.runs import RunDirectory, load_run

_REFUSALS = 10
"""So often in a row, and for the type's patience, a job is refused before it fails: one long ago ends nothing."""


class State(StrEnum):
    """The states of a job."""

    WAITING = "waiting"
    RUNNING = "running"
    DELIVERING = "delivering"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"
    LOST = "lost"
    EXCLUDED = "excluded"
    UNKNOWN = "unknown"


UNANSWERED_S = 300.0
"""How long a job may still begin whose submission Slurm did not answer."""

ENDED = frozenset({State.FINISHED, State.CANCELLED, State.FAILED})
"""States after which nothing more comes of a job."""

ASKING_AGAIN = frozenset({State.LOST, State.EXCLUDED})
"""States after which a job is submitted once more, if tries are left."""


@dataclass(frozen=True, slots=True)
class JobStatus:
    """Where one job stands; its newest attempt's."""

    job: JobPlan
    state: State
    attempt: int  # 0: not submitted yet
    node: str | None = None
    slurm_id: str | None = None
    blocks_done: int = 0
    blocks_planned: int = 0
    since: float | None = None
    reason: str | None = None


def statuses(fleet: FleetFolder, known: Sequence[SlurmJob] | None) -> list[JobStatus]:
    """Return where each job stands; `known` is `slurm.listed()`: None where Slurm does not answer."""
    return [status_of(fleet, job, known) for job in fleet.plan.jobs]


def status_of(fleet: FleetFolder, job: JobPlan, known: Sequence[SlurmJob] | None) -> JobStatus:
    """Return where one job stands."""
    planned = job.task.steps
    attempts = fleet.attempts(job.name)
    if not attempts:
        return JobStatus(job, State.LOST, 0, job.node, blocks_planned=planned, reason="it was not submitted yet")
    attempt, said = attempts[-1], attempts[-1].state
    slurm_job = _of(fleet, job, attempt, known)
    state, reason = _state(attempt, said, slurm_job, known is not None, slurm.accounted)
    if state in ASKING_AGAIN and _is_whole(fleet, job):
        state, reason = State.FINISHED, _with_scratch(None, said)  # it died between its last block and its last word
    if state in ASKING_AGAIN:
        state, reason = _last_try(state, reason, attempts, fleet.plan.machine_types[job.type])
    return JobStatus(
        job,
        state,
        attempt.number,
        (said and said.node) or (slurm_job and slurm_job.node) or attempt.submitted.node or job.node,
        (slurm_job and slurm_job.slurm_id) or attempt.submitted.slurm_id,
        min(planned, max((one.blocks_done for one in _said(attempts)), default=0)),  # without replacement blocks
        planned,
        said.since if said else attempt.submitted.submitted_at,
        _with_earlier_scratch(reason, attempts[:-1]),
    )


def _is_whole(fleet: FleetFolder, job: JobPlan) -> bool:
    """Whether the delivery that counts has all its blocks."""
    run, _ = counting(fleet, job)
    facts = None if run is None else load_run(run)
    return isinstance(facts, RunDirectory) and facts.facts.get("state") == "complete"


def tries_used(attempts: Iterable[Attempt]) -> int:
    """Return how often a job was submitted; what Slurm refused, or never answered and did not run, does not count."""
    return sum(one.submitted.refused is None and not _is_unheard(one) for one in attempts)


def _is_unheard(attempt: Attempt) -> bool:
    return attempt.submitted.unanswered and attempt.state is None


def _last_try(
    state: State, reason: str | None, attempts: Sequence[Attempt], kind: MachineType
) -> tuple[State, str | None]:
    """Return FAILED where a job is not submitted again: no try is left, or Slurm has refused it for too long."""
    used = tries_used(attempts)
    if used >= kind.tries:
        return State.FAILED, f"{reason}; all {used} tries are used"
    refused = [*itertools.takewhile(lambda one: one.submitted.refused is not None, reversed(attempts))]
    if len(refused) >= _REFUSALS and now() - refused[-1].submitted.submitted_at > seconds(kind.patience):
        return State.FAILED, f"{reason} It was refused for {kind.patience}, {len(refused)} times"
    return state, reason


def _said(attempts: Iterable[Attempt]) -> list[NodeState]:
    return [state for attempt in attempts if (state := attempt.state) is not None]


def _of(fleet: FleetFolder, job: JobPlan, attempt: Attempt, known: Sequence[SlurmJob] | None) -> SlurmJob | None:
    """Return what Slurm says of an attempt: found by its mark, also where its id was never noted."""
    comment = fleet.comment(job.name, attempt.number)
    return next((one for one in known or () if one.comment == comment), None)


def _state(
    attempt: Attempt,
    said: NodeState | None,
    slurm_job: SlurmJob | None,
    answers: bool,
    accounted: Callable[[str], str | None],
) -> tuple[State, str | None]:
    if said is not None and said.state in ("finished", "failed"):
        return State(said.state), _told(said)
    submitted = attempt.submitted
    if slurm_job is not None and slurm_job.state in slurm.RUNNING:
        return (State.DELIVERING if said is not None and said.state == "delivering" else State.RUNNING), None
    if slurm_job is not None and slurm_job.state in slurm.WAITING:
        return State.WAITING, slurm_job.reason and f"it waits: {slurm_job.reason}"
    has_ended = said is not None and said.state in ("excluded", "interrupted")
    if not answers and not has_ended:
        return State.UNKNOWN, "Slurm does not answer"
    if submitted.cancelled:
        return State.CANCELLED, _with_scratch("it was cancelled", said)
    if submitted.given_up is not None:
        return State.FAILED, submitted.given_up
    if submitted.refused is not None:
        return State.LOST, submitted.refused
    if said is not None and has_ended:
        return (State.EXCLUDED if said.state == "excluded" else State.LOST), _told(said)
    if slurm_job is None and _is_unheard(attempt):
        if now() - submitted.submitted_at < UNANSWERED_S:
            return State.UNKNOWN, "Slurm did not say whether it took the job, and may still take it"
        return State.LOST, "Slurm did not say whether it took the job, and does not know it"
    slurm_id = submitted.slurm_id
    ended = slurm_job.state if slurm_job else accounted(slurm_id) if slurm_id else None
    if ended is None:
        return State.LOST, _with_scratch("Slurm does not know it any more", said)
    if ended in slurm.RUNNING or ended in slurm.WAITING:
        return State.RUNNING, None
    return State.LOST, _with_scratch(_ENDINGS.get(ended, f"Slurm says {ended}"), said)


_ENDINGS = {
    "TIMEOUT": "it ran into its time limit",
    "NODE_FAIL": "its node failed",
    "OUT_OF_MEMORY": "it ran into the job's memory limit",
    "PREEMPTED": "another job took its place",
    "CANCELLED": "somebody cancelled it",
    "COMPLETED": "it ended without a word",
    "FAILED": "it ended with an error; `savedmodel-bench fleet logs` shows it",
}


def _with_earlier_scratch(reason: str | None, earlier: Iterable[Attempt]) -> str | None:
    """Return a reason, and where earlier attempts left what they could not deliver."""
    for said in _said(earlier):
        if said.state == "interrupted":
            reason = _with_scratch(reason, said)
    return reason


def _told(said: NodeState) -> str | None:
    return _with_scratch(said.reason, said)


def _with_scratch(reason: str | None, said: NodeState | None) -> str | None:
    if said is None or said.scratch is None or (reason and said.scratch in reason):
        return reason
    where = f"{said.scratch} on {said.node} may still be there"
    return f"{reason}; {where}" if reason else where
