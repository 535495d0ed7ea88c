"""Installing what is measured together: found, locked alike, and each in its environment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from harness.errors import ReleaseError
from harness.planning.pythons import chosen_python, python_sentence
from harness.releases.beside import with_packages
from harness.releases.build_locks import lock_builds
from harness.releases.environments import (
    FOLDER,
    Environment,
    choose_policy,
    choose_wheel,
    describe_obtainable,
    prepare,
)
from harness.releases.kept import LIMIT_VARIABLE, drop_oldest
from harness.releases.locks import make_usable_lock
from harness.releases.profiles import with_profile
from harness.releases.subjects import chosen_subjects


def installed(
    root: Path,
    names: Sequence[str],
    *,
    wheel: str = "auto",
    policy: str | None = None,
    python: str | None = None,
    packages: Sequence[str] = (),
    say: Callable[[str], None] = lambda line: None,
) -> list[Environment]:
    """Return the environments of subjects that are measured together, made where they are missing.

    Whatever cannot be had of any of them is said before the first is installed. Nightlies and wheels get one set of
    dependencies where one fits.

    Args:
        root: the project's root.
        names: of the subjects, as they were typed.
        wheel: "cpu", "cuda", or "auto" for what the machine has.
        policy: "today" or "at-release"; None: what `releases.toml` says.
        python: the Python minor of all of them; None: the newest that has wheels for all and that can be had.
        packages: that models need beside each of them.
        say: is told in one line what is going on, where it takes time.

    Raises:
        UsageError: a name or an argument is wrong.
        ReleaseError: a release cannot be had here.
    """
    chosen = chosen_subjects(root, names, wheel, say)
    releases = [release for release, _ in chosen]
    choice = chosen_python(releases, python)
    minor = None if choice is None else choice.minor
    if choice is not None:
        say(f"{python_sentence(choice, len(chosen))}.")
    for release in releases:
        described = describe_obtainable(release, root, wheel=wheel, policy=policy, python=minor)
        if described.is_unlocked and release.build is None:
            make_usable_lock(root, release, *described.locked_for, say)
    if any(release.build is not None for release in releases):
        lock_builds(root, releases, choose_wheel(wheel, root), choose_policy(root, policy), str(minor), say)
    environments = []
    for release, profile in chosen:
        environment = prepare(release, root, wheel=wheel, policy=policy, python=minor, say=say)
        environment = environment if profile is None else with_profile(environment, profile, root, say)
        environments.append(_with_packages(environment, packages, root, say) if packages else environment)
    for name in drop_oldest(root, {release.name for release in releases}, FOLDER):
        say(f"{name} is not kept any more: the kept wheels have reached their limit ({LIMIT_VARIABLE})")
    return environments


def _with_packages(
    environment: Environment, packages: Sequence[str], root: Path, say: Callable[[str], None]
) -> Environment:
    try:
        return with_packages(environment, packages, root, say).environment
    except ReleaseError as error:
        raise ReleaseError(f"{str(error).rstrip('.')}. An older Python may have it: try --python 3.11.") from None
