"""What `check` is asked becomes models that are read and releases that are installed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.answers.check import Unread
from harness.errors import ReleaseError, UsageError
from harness.measure import given_inputs
from harness.measure.own_models import PYTHON_FILE, OwnModel
from harness.planning.own_models import Called, read_model, split_models
from harness.planning.pythons import ALL, groups_of_subjects
from harness.releases.beside import Beside, with_packages
from harness.releases.environments import Environment, prepare
from harness.releases.manifest import read_manifest
from harness.releases.profiles import with_profile
from harness.releases.pythons import found_pythons, number
from harness.releases.subjects import chosen_subjects
from harness.releases.versions import version_key


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """What the options of `check` say.

    `releases` None: the last stable one with Keras 2, and the newest stable one. `expected` is a file of the right
    outputs, None: those of the oldest release count.
    """

    root: Path
    models: tuple[str, ...]
    called: Called
    releases: tuple[str, ...] | None = None
    reader: str = "tf-load"
    expected: Path | None = None
    wheel: str = "cpu"


@dataclass(frozen=True, slots=True)
class Resolved:
    """Models that can be tried, those that cannot and why, and releases with the packages beside them, oldest first."""

    models: tuple[OwnModel, ...]
    unread: tuple[Unread, ...]
    environments: tuple[Environment, ...]
    packages: tuple[str, ...]
    imports: tuple[str, ...]


def resolve(request: CheckRequest, say: Callable[[str], None]) -> Resolved:
    """Read the models and install the releases that are asked for.

    Raises:
        UsageError: none of the models can be tried, or an option or a release's name is wrong.
        ReleaseError: a release that is asked for by its name cannot be had here.
    """
    models, unread = _models(request)
    packages = tuple(dict.fromkeys([*request.called.packages, *(each for model in models for each in model.packages)]))
    environments: list[Environment] = []
    imports: set[str] = set()
    for environment in _environments(request, say):
        if packages:
            beside = _beside(environment, packages, request, say)
            environment = beside.environment
            imports.update(beside.imports)
        environments.append(environment)
    return Resolved(tuple(models), tuple(unread), tuple(environments), packages, tuple(sorted(imports)))


def read_expected(path: Path) -> dict[str, object]:
    """Return outputs by name, text as bytes, as TensorFlow gives it.

    Raises:
        UsageError: the file cannot be read.
    """
    read = given_inputs.read_npz(path)
    return {name: np.char.encode(values) if values.dtype.kind == "U" else values for name, values in read.items()}


def _models(request: CheckRequest) -> tuple[list[OwnModel], list[Unread]]:
    """Return the models that can be tried, and the others; one that stands alone must be one of the first."""
    globs, asked = split_models(request.root, ",".join(request.models), request.called)
    if globs:
        raise UsageError(
            f"There is no model {globs}: give the path of a SavedModel directory, or a name in models.toml."
        )
    models, unread = [], []
    for one in asked:
        try:
            model = read_model(one)
            if model.kind == PYTHON_FILE:
                raise UsageError(f"{one.path} builds its model anew in each release: use `compare --model` for it.")
            models.append(model)
        except UsageError as error:
            if len(asked) == 1:
                raise
            unread.append(Unread(str(one.path), str(error)))
    if not models:
        raise UsageError(" ".join(one.reason for one in unread))
    return models, unread


def _environments(request: CheckRequest, say: Callable[[str], None]) -> list[Environment]:
    """Install the releases and return them, the oldest first."""
    root = request.root
    manifest = read_manifest(root / "releases.toml")
    if request.releases is None:
        stable = [one for one in manifest.releases if one.is_stable]
        keras_2 = [one for one in stable if version_key(one.version) < version_key("2.16")]
        names: Sequence[str] = list(
            dict.fromkeys([*(one.name for one in keras_2[-1:]), *(one.name for one in stable[-1:])])
        )
    else:
        names = request.releases
        names = [ALL] if [name.casefold() for name in names] == ["all"] else names
    found: list[tuple[object, Environment]] = []
    for python, members in groups_of_subjects(root, names, None):
        for release, profile in chosen_subjects(root, members):
            try:
                environment = prepare(release, root, wheel=request.wheel, python=python, say=say)
            except ReleaseError as error:
                if request.releases is None or names == [ALL]:
                    say(f"{release.name} is left out: {error}")
                    continue
                raise
            if profile is not None:
                environment = with_profile(environment, profile, root, say)
            found.append(((release.date, version_key(release.version)), environment))
    if not found:
        raise UsageError("No release could be tried: name some with --releases.")
    found.sort(key=lambda each: each[0])  # type: ignore[arg-type, return-value]
    return [environment for _, environment in found]


def _beside(
    environment: Environment, packages: Sequence[str], request: CheckRequest, say: Callable[[str], None]
) -> Beside:
    """Return a release with packages, under an older Python of this machine where they have nothing for its own.

    Raises:
        ReleaseError: no versions of them fit the release.
    """
    root = request.root
    try:
        return with_packages(environment, packages, root, say)
    except ReleaseError:
        own, release = environment.python_minor, environment.release
        if own is None or release.python is not None or environment.profile is not None:
            raise
        for minor in found_pythons():
            if number(minor) < number(own):
                with suppress(ReleaseError, UsageError):
                    older = prepare(release, root, wheel=request.wheel, python=minor, say=say)
                    found = with_packages(older, packages, root, say)
                    say(f"{release.name} is tried under Python {minor}: {', '.join(packages)} has none for {own}")
                    return found
        raise
