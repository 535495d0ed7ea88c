"""A night of many machines: what is measured on each node is resolved once, on the submitting host.

A night belongs to a machine, as last good builds and findings do. So each job has the baselines of its own node: the
last good builds that the nights of its machine left, and the newest stable release.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from harness.answers.night import Night, is_canary_due
from harness.answers.shortfall import EXIT_CODE
from harness.errors import UsageError
from harness.fleet.assignment import jobs_of
from harness.fleet.folder import FleetPlan, JobPlan, NodeNight, fleet_names, open_fleet
from harness.fleet.starting import made_plan, relocated
from harness.fleet.status import JobStatus
from harness.fleet.tasks import Measure
from harness.fleet.types import MachineType, seconds
from harness.measure.own_models import OwnModel
from harness.measure.presets import Preset
from harness.planning.fixed import FixedSubject, fixed_preset, fixed_subjects
from harness.planning.nights import CANARY, CANARY_PLAN, AskedNight, find, sync, with_registered
from harness.planning.request import Request
from harness.store.nights import NIGHT, StoredNight, in_time, known_after, night_seed, nights_of
from harness.store.runs import results_path

CANARY_WALL_S = 30 * 60.0


@dataclass(frozen=True, slots=True)
class NodeAnswer:
    """One job's part of a night; `night` is None before its node's night has come to its end."""

    status: JobStatus
    machine: str | None
    night: Night | None


@dataclass(frozen=True, slots=True)
class FleetNight:
    """A night of many machines: each node's own, and the fleet that measured again what they called.

    `is_over`: nothing more comes; every node's night is concluded, or its job has ended without anything.
    """

    fleet: str
    night: str
    nodes: tuple[NodeAnswer, ...]
    is_over: bool
    second: str | None = None
    second_jobs: tuple[JobStatus, ...] = ()
    unstaged: tuple[str, ...] = ()  # types on which imports would measure a shared file system

    @property
    def coverage(self) -> dict[str, float]:
        """The share of each type's blocks that was measured."""
        found: dict[str, float] = {}
        for kind in dict.fromkeys(one.status.job.type for one in self.nodes):
            of_type = [one.status for one in self.nodes if one.status.job.type == kind]
            planned = sum(one.blocks_planned for one in of_type)
            found[kind] = sum(one.blocks_done for one in of_type) / max(1, planned)
        return found

    def exit_code(self, require_coverage: float) -> int:
        """Return 1 if a regression is newly confirmed on any node, else 3 where a node has no answer, else 0."""
        codes = {EXIT_CODE if one.night is None else one.night.exit_code for one in self.nodes}
        if 1 in codes:
            return 1
        if EXIT_CODE in codes or min(self.coverage.values(), default=0.0) < require_coverage:
            return EXIT_CODE
        return 0


def plan_nights(
    asked: AskedNight,
    words: Sequence[str],
    types: Mapping[str, MachineType],
    say: Callable[[str], None],
    *,
    is_kept: bool = True,
) -> tuple[FleetPlan, dict[str, OwnModel]]:
    """Resolve a night for all types, as `plan_fleet` does a comparison.

    A node whose last night measured this build already has no job: a plan without any has nothing to measure.

    Args:
        asked: what the night is to measure.
        words: as it was typed.
        types: on which machine types.
        say: is told what takes time.
        is_kept: whether the assignment of models to nodes is written.

    Returns:
        The plan, and the user's own models by their names.

    Raises:
        UsageError: the question, or a type's cost, cannot be accepted, or there is nothing to measure against.
    """
    request = with_registered(asked.request)
    if request.machine is not None:
        raise UsageError("--machine names one machine: leave it out, nodes have names of their own.")
    night = asked.night or f"{asked.now():%Y-%m-%d}"
    if not NIGHT.fullmatch(night):
        raise UsageError(f"{night!r} is no night: write a day like {asked.now():%Y-%m-%d}.")
    _refuse_twice(request.root, night, types)
    sync(request, say)
    earlier = nights_by_place(request.root)
    own: dict[str, OwnModel] = {}
    jobs: list[JobPlan] = []
    subjects: dict[str, tuple[FixedSubject, ...]] = {}
    nights: dict[str, NodeNight] = {}
    builds: dict[str, str] = {}
    brief: dict[str, MachineType] = {}
    for name, kind in types.items():
        wheel = kind.build if request.wheel == "auto" else request.wheel
        of_type = replace(request, wheel=wheel, subjects=(asked.build,) * 3, against_first=True)
        preset = fixed_preset(of_type, kind.has)
        own |= {model.name: model for model in preset.models}
        for job in jobs_of(request.root, name, kind, relocated(preset), is_kept=is_kept):
            before = [one for one in earlier.get((name, str(job.node)), ()) if in_time(one.night) < in_time(night)]
            found = find(
                replace(asked, request=of_type, build=builds.get(wheel, asked.build)), known_after(before), before, say
            )
            builds[wheel] = found.subjects[0] if found.subjects else found.build["name"]
            if found.baselines is None:
                say(f"{job.name}: {found.build['name']} was measured there before.")
                continue
            measured = (found.subjects[0], *found.subjects)
            subjects[job.name] = fixed_subjects(replace(of_type, subjects=measured), preset.packages, say)
            facts = found.as_facts()
            nights[job.name] = NodeNight(
                facts["build"],
                found.subjects,
                tuple((one, role.value, ident) for one, role, ident in found.baselines),
                found.unavailable,
            )
            jobs.append(job)
            if job.node is not None and is_canary_due(before, night):
                brief[f"{name}-{CANARY}"] = _brief(kind)
                canary = JobPlan(
                    canary_of(job), f"{name}-{CANARY}", job.node, Measure(_canary_preset(request.root).as_dict())
                )
                planted = (found.subjects[0], f"{found.subjects[0]}@{CANARY}")
                subjects[canary.name] = fixed_subjects(replace(of_type, subjects=planted), (), say)
                jobs.append(canary)
    request = replace(request, seed=night_seed(night))
    return made_plan(request, "nightly", words, {**types, **brief}, subjects, jobs, night=night, nights=nights), own


def canary_of(job: JobPlan) -> str:
    """Return the name of the job that measures the canary on a job's node."""
    return f"{job.name}-{CANARY}"


def _brief(kind: MachineType) -> MachineType:
    """Return a type as a canary asks for it: it takes minutes, and one that was lost is due again in the next night."""
    wall_s = min(60 * kind.wall_minutes, max(CANARY_WALL_S, 2 * seconds(kind.notice)))
    return msgspec.structs.replace(kind, wall_time=f"{math.ceil(wall_s / 60)}m", tries=1)


def _canary_preset(root: Path) -> Preset:
    return fixed_preset(Request(root, (CANARY,) * 2, preset=str(CANARY_PLAN), devices=("cpu",)), ("cpu",))


def nights_by_place(root: Path) -> dict[tuple[str, str], list[StoredNight]]:
    """Return the nights of each node's machine, the oldest first, by machine type and node.

    Of a node that has had several names in the results, those of the name that its newest night has.
    """
    found: dict[tuple[str, str], list[StoredNight]] = {}
    for path in sorted((results_path(root) / "nights").glob("*/")):
        nights, _ = nights_of(root, path.name)
        place = nights[-1].facts.get("place") if nights else None
        if place is None:
            continue
        key = (str(place[0]), str(place[1]))
        if key not in found or in_time(found[key][-1].night) < in_time(nights[-1].night):
            found[key] = nights
    return found


def _refuse_twice(root: Path, night: str, types: Mapping[str, MachineType]) -> None:
    for name in fleet_names(root):
        plan = open_fleet(root, name).plan
        both = [one for one in types if one in plan.machine_types]
        if plan.night == night and both:
            raise UsageError(
                f"Night {night} of {', '.join(both)} is that of fleet {plan.fleet}: `fleet report {plan.fleet}` tells "
                f"it. Another one of that day has a number: --night {night[:10]}.2."
            )
