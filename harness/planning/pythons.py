"""Which Python the subjects of a run are measured under: one for all of them, or a run for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.errors import ReleaseError
from harness.releases.environments import installable, obstacle
from harness.releases.installation import find_python_minor
from harness.releases.manifest import read_manifest
from harness.releases.python_choice import Choice, choose_python, group_by_python
from harness.releases.release import Release
from harness.releases.subjects import chosen_subjects

ALL = "ALL"
"""In place of subjects: every release that can be had here."""


def chosen_python(releases: Sequence[Release], asked: str | None) -> Choice | None:
    """Return the one Python that all these releases are measured under; None where none of them tells its own.

    Args:
        releases: what is measured; those that are bound to an interpreter have its Python.
        asked: the minor that the user asked for.

    Raises:
        ReleaseError: they can have none in common here; an interpreter is not there.
    """
    for release in releases:
        complaint = obstacle(release) if release.python is not None else None
        if complaint is not None:
            raise ReleaseError(complaint)
    bound = {release.name: find_python_minor(release.python) for release in releases if release.python}
    return choose_python(
        [release for release in releases if release.python is None],
        asked=asked,
        bound={name: minor for name, minor in bound.items() if minor is not None},
    )


def groups_of_subjects(
    root: Path, names: Sequence[str], asked: str | None, wheel: str = "auto"
) -> list[tuple[str | None, list[str]]]:
    """Return the runs that subjects are measured in: the Python of each, None where it is unknown, and their names.

    It is one run where a Python can be had for all of them, else one for each of as few Pythons as this machine allows.

    Args:
        root: the project's root.
        names: of the subjects; "ALL" means every release that can be had here.
        asked: the minor that the user asked for.
        wheel: the kind that nightlies are looked for in.

    Raises:
        UsageError: a subject's name is wrong.
        ReleaseError: a subject cannot be had here.
    """
    if list(names) == [ALL]:
        releases = read_manifest(root / "releases.toml").releases
        names = [release.name for release in installable(releases, python=asked)]
        if not names:
            raise ReleaseError(str(obstacle(releases[-1], python=asked)))
    chosen = chosen_subjects(root, names, wheel)
    try:
        choice = chosen_python([release for release, _ in chosen], asked)
        return [(None if choice is None else choice.minor, list(names))]
    except ReleaseError:
        if asked is not None:
            raise
    groups: dict[str | None, list[str]] = {}
    own = group_by_python([release for release, _ in chosen if release.python is None])
    python_of = {release.name: minor for minor, members in own.items() for release in members}
    for name, (release, _) in zip(names, chosen, strict=True):
        alone = chosen_python([release], None)
        minor = python_of.get(release.name) or (None if alone is None else alone.minor)
        groups.setdefault(minor, []).append(name)
    return list(groups.items())


def python_sentence(choice: Choice, subjects: int) -> str:
    """Return under which Python is measured: "Python 3.11 on all sides, which uv fetches first"."""
    sides = {1: "", 2: " on both sides"}.get(subjects, " on all sides")
    return f"Python {choice.minor}{sides}{', which uv fetches first' if choice.is_fetched else ''}"
