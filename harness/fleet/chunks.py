"""Questions that measure no time, cut to chunks of about ten minutes: any node of a type may take one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from harness.answers.check import has_keras_3
from harness.errors import UsageError
from harness.fleet.folder import FleetPlan, JobPlan
from harness.fleet.starting import made_plan, require_place
from harness.fleet.tasks import Check, Inspect
from harness.fleet.types import MachineType
from harness.formats.registry import READERS
from harness.measure.own_models import KERAS_FILE, SAVED_MODEL, OwnModel
from harness.planning.checks import CheckRequest, Resolved, resolve
from harness.planning.fixed import FixedSubject, fixed_subject
from harness.planning.own_models import DIGITS
from harness.planning.request import Request
from harness.releases.beside import with_packages
from harness.releases.environments import prepare
from harness.releases.manifest import read_manifest
from harness.savedmodel.content import digest
from harness.savedmodel.reading import read

CHUNK_S = 600.0
"""What a chunk is expected to take; a model that takes longer is one alone."""
_RELEASE_S = 5.0  # to start a release and import TensorFlow
_TRY_S = 1.5  # to load a small model, call it twice and write what it answers
_READ_BYTES_PER_S = 100e6

_Say = Callable[[str], None]
_Chunk = TypeVar("_Chunk", Check, Inspect)


def plan_check(
    request: CheckRequest, words: Sequence[str], types: Mapping[str, MachineType], say: _Say
) -> tuple[FleetPlan, dict[str, OwnModel]]:
    """Resolve what `check` is asked, and cut it; nothing is submitted yet.

    Returns:
        The plan, and the models by their names, which lie where the user has them.

    Raises:
        UsageError: the question, or a type's cost, cannot be accepted.
    """
    root = request.root
    require_place(root)
    asked = resolve(request, say)
    for environment in filter(has_keras_3, asked.environments):
        # A remedy that `check` tries: nodes need no network for it.
        with suppress(UsageError):
            with_packages(environment, ["tf_keras"], root, say)
    subjects = tuple(fixed_subject(root, environment) for environment in asked.environments)
    return check_plan(request, asked, subjects, words, types), {model.name: model for model in asked.models}


def check_plan(
    request: CheckRequest,
    asked: Resolved,
    subjects: tuple[FixedSubject, ...],
    words: Sequence[str],
    types: Mapping[str, MachineType],
) -> FleetPlan:
    """Return the plan of what is resolved: chunks of models, each a job on every type.

    A model is tried in all releases by one job, since its answers are compared with each other: what differs between
    two CPUs is no difference between releases.

    Raises:
        UsageError: a type's cost cannot be accepted.
    """
    expected = None if request.expected is None else str(request.expected.absolute())
    tasks = [
        Check(
            models=models,
            forecast_s=sum(check_s(model, len(subjects)) for model in models),
            reader=request.reader,
            packages=asked.packages,
            imports=asked.imports,
            expected=expected,
            unread=() if number else asked.unread,
        )
        for number, models in enumerate(cut(asked.models, [check_s(model, len(subjects)) for model in asked.models]))
    ]
    jobs, by_type = _jobs(types, tasks), dict.fromkeys(types, subjects)
    return made_plan(_request(request.root, subjects), "check", words, types, by_type, jobs)


def plan_inspect(
    root: Path,
    paths: Sequence[Path],
    release: str | None,
    words: Sequence[str],
    types: Mapping[str, MachineType],
    say: _Say,
) -> tuple[FleetPlan, dict[str, OwnModel]]:
    """Resolve what `inspect` is asked; nothing is submitted yet.

    Args:
        root: the project's root.
        paths: of one SavedModel, or of two that are compared.
        release: which is asked for its ops; None: none is.
        words: as it was typed.
        types: on which machine types.
        say: is told what takes time.

    Raises:
        UsageError: a path is no SavedModel, the release cannot be had, or a type's cost cannot be accepted.
    """
    require_place(root)
    models = tuple(_as_model(path) for path in paths)
    subjects: tuple[FixedSubject, ...] = ()
    if release is not None:
        found = read_manifest(root / "releases.toml").find(release)
        subjects = (fixed_subject(root, prepare(found, root, wheel="cpu", say=say)),)
    forecast_s = _RELEASE_S * len(subjects) + sum(_TRY_S + one.size_bytes / _READ_BYTES_PER_S for one in models)
    tasks = [Inspect(models=models, forecast_s=forecast_s)]
    jobs, by_type = _jobs(types, tasks), dict.fromkeys(types, subjects)
    plan = made_plan(_request(root, subjects), "inspect", words, types, by_type, jobs)
    return plan, {model.name: model for model in models}


def check_s(model: OwnModel, releases: int) -> float:
    """Return the seconds that it is expected to take to try a model in so many releases, by all readers."""
    tries = 1 if model.kind == KERAS_FILE else len(READERS)
    return releases * (_RELEASE_S + tries * (_TRY_S + model.size_bytes / _READ_BYTES_PER_S))


def cut(models: Sequence[OwnModel], expected_s: Sequence[float]) -> list[tuple[OwnModel, ...]]:
    """Return models in as many parts as need be for each to take ten minutes, in their order."""
    parts: list[list[OwnModel]] = []
    left_s = 0.0
    for model, one_s in zip(models, expected_s, strict=True):
        if not parts or one_s > left_s:
            parts.append([])
            left_s = CHUNK_S
        parts[-1].append(model)
        left_s -= one_s
    return [tuple(part) for part in parts]


def _request(root: Path, subjects: Sequence[FixedSubject]) -> Request:
    return Request(root, tuple(one.release for one in subjects))


def _jobs(types: Mapping[str, MachineType], tasks: Sequence[_Chunk]) -> list[JobPlan]:
    return [JobPlan(f"{name}-{number}", name, None, task) for name in types for number, task in enumerate(tasks, 1)]


def _as_model(path: Path) -> OwnModel:
    """Return a SavedModel that is only read: how it is called does not matter.

    Raises:
        UsageError: it is none, or cannot be read.
    """
    saved, identity = read(path), digest(path)
    return OwnModel(
        name=f"{path.absolute().name}@{identity[:DIGITS]}",
        kind=SAVED_MODEL,
        path=str(path.absolute()),
        digest=identity,
        size_bytes=saved.bytes,
        inputs=(),
        inputs_told="none",
    )
