"""A fleet begun: the question resolved once, on the submitting host, and a job planned for each node."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.fleet.assignment import block_s, jobs_of
from harness.fleet.chain import chain
from harness.fleet.folder import FleetFolder, FleetPlan, JobPlan, new_name, now, write_plan
from harness.fleet.slurm import SlurmError
from harness.fleet.submission import sbatch_arguments, submit
from harness.fleet.tasks import Check, Measure, Task
from harness.fleet.types import MachineType
from harness.machine.measuring_lock import FOLDER_VARIABLE
from harness.measure.own_models import OwnModel
from harness.measure.presets import Preset
from harness.planning.fixed import FixedSubject, fix, preset_of
from harness.planning.request import Request
from harness.releases.kept import FOLDER as BUILDS

_PROJECT_FILES = ("releases.toml", "profiles.toml", "models.toml", "asv.conf.json")
_VARIABLES = (FOLDER_VARIABLE,)
"""Variables of the submitter that reach a job, by name."""


_LOCK_WAIT_S = 600.0
"""How long a start waits for a `collect` that found the new fleet first."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a type's jobs take: the longest is expected to take `expected_s`; hours are the most, tries included."""

    type: str
    jobs: int
    expected_s: float
    node_hours: float
    gpu_hours: float
    most_node_hours: float


def plan_fleet(
    request: Request,
    command: str,
    words: Sequence[str],
    types: Mapping[str, MachineType],
    say: Callable[[str], None],
    *,
    is_kept: bool = True,
) -> tuple[FleetPlan, dict[str, OwnModel]]:
    """Resolve a question for all types; nothing is submitted yet.

    Args:
        request: what is asked.
        command: run or compare.
        words: as it was typed.
        types: on which machine types.
        say: is told what takes time.
        is_kept: whether the assignment of models to nodes is written.

    Returns:
        The plan, and the user's own models by their names, which lie where the user has them.

    Raises:
        UsageError: the question, or a type's cost, cannot be accepted.
    """
    if request.machine is not None:
        raise UsageError("--machine names one machine: leave it out, nodes have names of their own.")
    require_place(request.root)
    jobs: list[JobPlan] = []
    subjects: dict[str, tuple[FixedSubject, ...]] = {}
    own: dict[str, OwnModel] = {}
    for name, kind in types.items():
        asked = replace(request, wheel=kind.build if request.wheel == "auto" else request.wheel)
        fixed = fix(asked, kind.has, say)
        subjects[name] = fixed.subjects
        own |= {model.name: model for model in fixed.preset.models}
        jobs += jobs_of(request.root, name, kind, relocated(fixed.preset), is_kept=is_kept)
    return made_plan(request, command, words, types, subjects, jobs), own


def require_place(root: Path) -> None:
    """Refuse a project below which Slurm cannot write.

    Raises:
        UsageError: it is there.
    """
    if "\\" in str(root):
        raise UsageError(f"Slurm cannot write below {root}: move the project to a path without a backslash.")


def made_plan(
    request: Request,
    command: str,
    words: Sequence[str],
    types: Mapping[str, MachineType],
    subjects: Mapping[str, tuple[FixedSubject, ...]],
    jobs: Sequence[JobPlan],
    **night: Any,
) -> FleetPlan:
    """Return the plan of a new fleet.

    Args:
        request: what is asked.
        command: its name.
        words: as it was typed.
        types: on which machine types.
        subjects: by type, or by job where each has its own.
        jobs: each with its part.
        night: the fields of a night.

    Raises:
        UsageError: a type's cost cannot be accepted, or a job would have the name of another type.
    """
    plan = FleetPlan(
        fleet=new_name(),
        created_at=str(now()),
        root=str(request.root),
        python=sys.executable,
        words=tuple(words),
        command=command,
        seed=request.seed,
        isolation=request.isolation,
        machine_types=dict(types),
        subjects=dict(subjects),
        jobs=tuple(jobs),
        variables={name: os.environ[name] for name in _VARIABLES if name in os.environ},
        **night,
    )
    for job in jobs:
        if job.name in types:
            raise UsageError(
                f"A job of {job.type} would be called {job.name}, as a machine type is: rename that type in fleet.toml."
            )
    for cost in costs(plan):
        if cost.node_hours > cost.most_node_hours:
            raise UsageError(
                f"{cost.type} could take {cost.node_hours:g} node-hours, tries included, and `max_node_hours` allows "
                f"{cost.most_node_hours:g}: shorten `wall_time`, lower `tries` or `nodes`, or raise it."
            )
    return plan


def costs(plan: FleetPlan) -> list[Cost]:
    """Return what each type's jobs take at most, all tries included."""
    found = []
    for name, kind in plan.machine_types.items():
        jobs = [job for job in plan.jobs if job.type == name]
        longest = max((_expected_s(job.task, len(plan.subjects_of(job))) for job in jobs), default=0.0)
        waves = 1 if plan.night is None or plan.confirms else 2  # what a night calls is measured twice
        hours = waves * sum(job.task.limited(kind).node_hours(1) for job in jobs)
        found.append(Cost(name, len(jobs), longest, hours, hours * kind.gpus, kind.most_node_hours))
    return found


def _expected_s(task: Task, subjects: int) -> float:
    if not isinstance(task, Measure):
        return task.forecast_s
    preset = preset_of(task.preset)
    return preset.blocks * block_s(preset) * subjects


def start(plan: FleetPlan, own: Mapping[str, OwnModel], project: Path | None = None) -> tuple[FleetFolder, list[str]]:
    """Write a fleet's folder and submit its jobs; return it, and what Slurm refused.

    A job that could not be submitted is submitted by `fleet collect`.

    Args:
        plan: the fleet's plan.
        own: the user's own models by their names.
        project: the copy that another fleet made of all that names releases, locks and models; None: it is made.
    """

    def fill(folder: Path) -> None:
        if project is None:
            _copy_project(plan, folder, own)
            _copy_expected(plan, folder)
        else:
            shutil.copytree(project, folder, dirs_exist_ok=True)

    fleet = write_plan(plan, fill)
    refused = []
    with fleet.locked(wait_s=_LOCK_WAIT_S):
        # A `collect` that came first, as cron's can, has submitted some.
        for job in (one for one in plan.jobs if not fleet.attempts(one.name)):
            try:
                submit(fleet, job)
            except SlurmError as error:
                refused.append(str(error))
        unchained = chain(fleet)
    return fleet, [*refused, *([] if unchained is None else [unchained])]


def _copy_project(plan: FleetPlan, project: Path, own: Mapping[str, OwnModel]) -> None:
    root = Path(plan.root)
    for name in _PROJECT_FILES:
        if (root / name).exists():
            shutil.copyfile(root / name, project / name)
    if (root / "locks").exists():  # a project of interpreters has none
        shutil.copytree(root / "locks", project / "locks", dirs_exist_ok=True)
    for name in {one.release.removeprefix("v") for subjects in plan.subjects.values() for one in subjects}:
        kept = Path(BUILDS) / "releases" / name  # what a build is, and its locks
        if (root / kept).is_dir():
            shutil.copytree(root / kept, project / kept, dirs_exist_ok=True)
    for model in own.values():
        _copy_model(project, model)


def submissions(plan: FleetPlan) -> list[tuple[str, list[str]]]:
    """Return each job's name and sbatch's arguments as they would be submitted."""
    fleet = FleetFolder(Path(plan.root) / "results" / "fleet" / plan.fleet, plan)
    return [(job.name, sbatch_arguments(fleet, job, fleet.path / "jobs" / job.name / "1", 1)) for job in plan.jobs]


def relocated(preset: Preset) -> Preset:
    """Return the test plan with its models where the fleet's folder has them, relative to its project."""
    return replace(preset, models=tuple(map(relocated_model, preset.models)))


def relocated_model(model: OwnModel) -> OwnModel:
    """Return a model where the fleet's folder has it, relative to its project."""
    inputs = None if model.inputs_file is None else str(_inputs_place(model))
    return replace(model, path=str(_place(model)), inputs_file=inputs)


def expected_place(path: str) -> Path:
    """Return where the fleet's project has the file of the right outputs, relative to it."""
    return Path("expected") / Path(path).name


def _copy_expected(plan: FleetPlan, project: Path) -> None:
    for path in {job.task.expected for job in plan.jobs if isinstance(job.task, Check)} - {None}:
        target = project / expected_place(str(path))
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(str(path), target)


def _place(model: OwnModel) -> Path:
    return Path("models") / model.digest.replace(":", "-") / Path(model.path).name


def _inputs_place(model: OwnModel) -> Path:
    return Path("models") / model.digest.replace(":", "-") / f"inputs{Path(str(model.inputs_file)).suffix}"


def _copy_model(project: Path, model: OwnModel) -> None:
    target = project / _place(model)
    target.parent.mkdir(parents=True, exist_ok=True)
    if Path(model.path).is_dir():
        shutil.copytree(model.path, target, dirs_exist_ok=True)
    else:
        shutil.copyfile(model.path, target)
    if model.inputs_file is not None:
        shutil.copyfile(model.inputs_file, project / _inputs_place(model))
