"""One answer of a fleet that measured no time: each machine type's, put together of what its jobs found out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.answers.check import Check, Unread
from harness.answers.inspection import Inspection
from harness.answers.shortfall import EXIT_CODE
from harness.errors import UsageError
from harness.fleet import tasks
from harness.fleet.chunk_work import Answer, read_answer
from harness.fleet.folder import FleetFolder
from harness.fleet.status import JobStatus
from harness.measure.own_models import OwnModel


@dataclass(frozen=True, slots=True)
class ChunkAnswer:
    """What a fleet found out, by machine type; a type of which nothing arrived is not in `checks` or `inspections`.

    `asked` and `arrived` count models over all types; `missing` says for each job that did not answer about all of its
    models why.
    """

    fleet: str
    checks: Mapping[str, Check]
    inspections: Mapping[str, tuple[Inspection, ...]]
    asked: int
    arrived: int
    missing: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """1 where a model is broken on any type, else 3 where one was not tried, else 0."""
        codes = {one.exit_code for one in self.checks.values()}
        return 1 if 1 in codes else EXIT_CODE if self.missing else max(codes, default=0)


@dataclass(frozen=True, slots=True)
class _Found:
    """What a type's jobs found out, in the order of the models, and what no job tells."""

    answers: tuple[Answer, ...]
    missing: tuple[Unread, ...]


def chunk_answer(fleet: FleetFolder, jobs: list[JobStatus]) -> ChunkAnswer:
    """Put together what the jobs of a fleet delivered.

    Args:
        fleet: the fleet.
        jobs: where its jobs stand.

    Raises:
        UsageError: nothing was delivered.
    """
    found: dict[str, list[Answer]] = {name: [] for name in fleet.plan.machine_types}
    lacking: dict[str, list[Unread]] = {name: [] for name in fleet.plan.machine_types}
    missing = []
    for status in jobs:
        task = status.job.task
        assert isinstance(task, tasks.Chunk)
        answers, left = _of_job(fleet, status, task.models)
        found[status.job.type] += answers
        lacking[status.job.type] += left
        if left:
            missing.append(f"{status.job.name} has {len(answers)} of {task.steps} models ({_why(status)})")
    asked = sum(job.task.steps for job in fleet.plan.jobs)
    arrived = sum(map(len, found.values()))
    if not arrived:
        raise UsageError(f"Nothing of fleet {fleet.plan.fleet} has arrived yet: {'; '.join(missing)}.")
    there = {name: _Found(tuple(found[name]), tuple(lacking[name])) for name in found if found[name]}
    if fleet.plan.command == "check":
        checks = {name: _check(fleet, name, one) for name, one in there.items()}
        return ChunkAnswer(fleet.plan.fleet, checks, {}, asked, arrived, tuple(missing))
    inspections = {}
    for name, one in there.items():
        read = tuple(each.inspection for each in one.answers if each.inspection is not None)
        missing += [f"{name}: {each.unread.reason}" for each in one.answers if each.unread is not None]
        if len(read) == sum(job.task.steps for job in fleet.plan.jobs if job.type == name):
            inspections[name] = read
    return ChunkAnswer(fleet.plan.fleet, {}, inspections, asked, arrived, tuple(missing))


def _of_job(fleet: FleetFolder, status: JobStatus, models: tuple[OwnModel, ...]) -> tuple[list[Answer], list[Unread]]:
    paths = fleet.answers(status.job)
    answers, missing = [], []
    for number, model in enumerate(models):
        answer = read_answer(paths[number], model) if number in paths else None
        if answer is None:
            missing.append(Unread(model.path, f"job {status.job.name} has no answer ({_why(status)})"))
        else:
            answers.append(answer)
    return answers, missing


def _why(status: JobStatus) -> str:
    return status.reason or status.state.value


def _check(fleet: FleetFolder, machine_type: str, found: _Found) -> Check:
    jobs = [job.task for job in fleet.plan.jobs if isinstance(job.task, tasks.Check) and job.type == machine_type]
    releases = tuple(
        one.release if one.profile is None else f"{one.release}@{one.profile}"
        for one in fleet.plan.subjects[machine_type]
    )
    models = tuple(one.checked for one in found.answers if one.checked is not None)
    unread = (one.unread for one in found.answers if one.unread is not None)
    never = (each for task in jobs for each in task.unread)
    return Check(releases, jobs[0].reader, models, (*found.missing, *unread, *never))
