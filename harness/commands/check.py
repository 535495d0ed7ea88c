"""`savedmodel-bench check`: do models of your own still load and answer the same in other releases, and what helps."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.answers.check import Question, Unread, check
from harness.commands.shared.output import add_output, add_verbose, output_of
from harness.commands.shared.plan import SUBJECT, add_own_models, called_of
from harness.errors import ReleaseError, UsageError
from harness.formats.registry import READERS
from harness.measure import given_inputs
from harness.measure.guard import what_guards
from harness.measure.own_models import PYTHON_FILE, OwnModel
from harness.measure.trials import scratch
from harness.planning.own_models import read_model, split_models
from harness.planning.pythons import ALL, groups_of_subjects
from harness.releases.beside import Beside, with_packages
from harness.releases.environments import Environment, prepare
from harness.releases.locks import WHEELS
from harness.releases.manifest import read_manifest
from harness.releases.profiles import with_profile
from harness.releases.project import find_root
from harness.releases.pythons import found_pythons, number
from harness.releases.subjects import chosen_subjects
from harness.releases.versions import version_key
from harness.report.check import report_check
from harness.report.screens.check import with_check_screen
from harness.store.runs import results_path

HELP = "say whether a SavedModel loads and answers the same in other releases, and what helps where it does not"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "models",
        nargs="+",
        metavar="MODEL",
        help="a SavedModel directory, a .keras or .h5 file, or a name in models.toml",
    )
    parser.add_argument(
        "--releases",
        metavar="A,B,…",
        help=f"releases to try, each {SUBJECT}; all: every one that can be installed here (default: the last one with "
        "Keras 2, and the newest)",
    )
    parser.add_argument(
        "--reader",
        choices=sorted(READERS),
        default="tf-load",
        help="the way to load that decides the exit code; all are tried (default: tf-load)",
    )
    parser.add_argument(
        "--expect", type=Path, metavar="FILE", help="the right outputs, as .npz by name (default: the oldest release's)"
    )
    parser.add_argument("--wheel", choices=("auto", *WHEELS), default="cpu", help=argparse.SUPPRESS)
    add_own_models(parser)
    add_output(parser)
    add_verbose(parser)


def run(options: argparse.Namespace) -> int:
    """Try everything, print the answer, and return 1 where the newest release refuses or answers differently."""
    root = find_root()
    models, unread = _models(root, options)
    packages = list(dict.fromkeys([*options.packages, *(each for model in models for each in model.packages)]))
    environments: list[Environment] = []
    imports: set[str] = set()
    for environment in _environments(root, options):
        if packages:
            beside = _beside(environment, packages, root, options)
            environment = beside.environment
            imports.update(beside.imports)
        environments.append(environment)
    expected = None if options.expect is None else _expected(options.expect)
    _say(what_guards().sentence)
    with scratch(results_path(root) / "scratch") as folder:
        question = Question(
            models=tuple(models),
            environments=tuple(environments),
            reader=options.reader,
            folder=folder,
            expected=expected,
            beside=lambda environment, wanted: with_packages(environment, wanted, root, _say),
            imports=tuple(sorted(imports)),
        )
        answer = replace(check(question, _say), unread=tuple(unread))
    return output_of(options).put(with_check_screen(report_check(answer), answer))


def _models(root: Path, options: argparse.Namespace) -> tuple[list[OwnModel], list[Unread]]:
    """Return the models that can be tried, and the others; one that stands alone must be one of the first."""
    globs, asked = split_models(root, ",".join(options.models), called_of(options))
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


def _environments(root: Path, options: argparse.Namespace) -> list[Environment]:
    """Install the releases and return them, the oldest first."""
    manifest = read_manifest(root / "releases.toml")
    if options.releases is None:
        stable = [one for one in manifest.releases if one.is_stable]
        keras_2 = [one for one in stable if version_key(one.version) < version_key("2.16")]
        names: Sequence[str] = list(
            dict.fromkeys([*(one.name for one in keras_2[-1:]), *(one.name for one in stable[-1:])])
        )
    else:
        names = [name.strip() for name in options.releases.split(",") if name.strip()]
        names = [ALL] if [name.casefold() for name in names] == ["all"] else names
    found: list[tuple[object, Environment]] = []
    for python, members in groups_of_subjects(root, names, None):
        for release, profile in chosen_subjects(root, members):
            try:
                environment = prepare(release, root, wheel=options.wheel, python=python, say=_say)
            except ReleaseError as error:
                if options.releases is None or names == [ALL]:
                    _say(f"{release.name} is left out: {error}")
                    continue
                raise
            if profile is not None:
                environment = with_profile(environment, profile, root, _say)
            found.append(((release.date, version_key(release.version)), environment))
    if not found:
        raise UsageError("No release could be tried: name some with --releases.")
    found.sort(key=lambda each: each[0])  # type: ignore[arg-type, return-value]
    return [environment for _, environment in found]


def _beside(environment: Environment, packages: Sequence[str], root: Path, options: argparse.Namespace) -> Beside:
    """Return a release with packages, under an older Python of this machine where they have nothing for its own.

    Raises:
        ReleaseError: no versions of them fit the release.
    """
    try:
        return with_packages(environment, packages, root, _say)
    except ReleaseError:
        own, release = environment.python_minor, environment.release
        if own is None or release.python is not None or environment.profile is not None:
            raise
        for minor in found_pythons():
            if number(minor) < number(own):
                with suppress(ReleaseError, UsageError):
                    older = prepare(release, root, wheel=options.wheel, python=minor, say=_say)
                    found = with_packages(older, packages, root, _say)
                    _say(f"{release.name} is tried under Python {minor}: {', '.join(packages)} has none for {own}")
                    return found
        raise


def _expected(path: Path) -> dict[str, object]:
    """Return outputs by name, text as bytes, as TensorFlow gives it."""
    read = given_inputs.read_npz(path)
    return {name: np.char.encode(values) if values.dtype.kind == "U" else values for name, values in read.items()}


def _say(line: str) -> None:
    print(line, file=sys.stderr)
