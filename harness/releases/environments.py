"""One environment per release and Python, filled from the release's lock by uv with hard links.

Making one from a warm cache takes seconds (compiling to bytecode included: half a minute), having one takes nothing.
Nothing of the harness is ever installed there. A stamp, written last, says which lock an environment was filled from:
without it, or with another digest, the environment is made anew, so an interrupted install never passes for a whole
one.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.errors import ReleaseError, UsageError
from harness.releases.build_facts import build_facts
from harness.releases.build_locks import keep_build, kept_requirements, lock_builds
from harness.releases.installation import Installation, find_installation, why_not_startable
from harness.releases.locks import Lock, lock_path, make_usable_lock, read_lock, usable_lock
from harness.releases.manifest import POLICIES, read_manifest
from harness.releases.python_choice import choose_python, common_python
from harness.releases.pythons import Python, fetch_python, found_pythons
from harness.releases.release import Release
from harness.releases.uv_command import UvError, run_uv

FOLDER = ".environments"
WHEEL_VARIABLE = "SAVEDMODEL_BENCH_WHEEL"
"""Overrides what `wheel="auto"` finds: "cpu" or "cuda". It is the only way to tell asv, which knows no such option."""

_STAMP = "savedmodel-bench.json"
# With bytecode, tensorflow-cpu 2.21.0 takes 1.4 GB and tensorflow[and-cuda] 2.21.0 with NVIDIA's libraries 6.7 GB.
BYTES_NEEDED = {"cpu": 1_400_000_000, "cuda": 6_800_000_000}
"""Disk space of one environment, by wheel."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a release lives: everything about it that has to stand beside a measured number."""

    name: str  # "tf-2.21.0-cpu-today-py311"; "python-NAME" for an interpreter release
    release: Release
    python: Path
    wheel: str | None  # "cpu" or "cuda"; None for an interpreter release, as policy, lock and Keras
    policy: str | None
    python_minor: str | None  # of an interpreter release, once `identified` has asked it
    lock_digest: str | None
    keras: str | None
    installed: bool
    profile: str | None = None  # as everything below, set by `harness.releases.profiles.with_profile`
    variables: Mapping[str, str] = field(default_factory=dict)  # for the worker, on top of what is pinned
    packages: Mapping[str, str] = field(default_factory=dict)  # versions of what the profile needs beside the lock
    installation: Installation | None = None  # set by `prepare` for an interpreter release, which has no lock
    locked: Mapping[str, str] = field(default_factory=dict)  # versions of all packages, by the lock
    build: Mapping[str, Any] = field(default_factory=dict)  # how TensorFlow was built, set by `prepare`

    @property
    def version(self) -> str | None:
        """The version of TensorFlow: what an interpreter has installed now, else what `releases.toml` says."""
        return (self.installation and self.installation.version) or self.release.version

    @property
    def is_unlocked(self) -> bool:
        """Whether its lock has to be made before it can be installed."""
        return self.release.python is None and self.lock_digest is None

    @property
    def locked_for(self) -> tuple[str, str, str]:
        """Kind of wheel, policy and Python minor of a release that is not bound to an interpreter."""
        return str(self.wheel), str(self.policy), str(self.python_minor)

    @property
    def subject(self) -> str:
        """The name of what is measured: the release's, with the profile's."""
        return self.release.name if self.profile is None else f"{self.release.name}@{self.profile}"


def choose_wheel(wheel: str = "auto", root: Path | None = None) -> str:
    """Return "cpu" or "cuda": what was asked for, or what this machine has.

    Where a GPU is there and does not answer, a project that has CUDA environments goes on with them: for that night the
    CPU's numbers stay in their history. Another one need not install gigabytes that would not be used.

    Raises:
        UsageError: something else was asked for.
    """
    if wheel == "auto":
        wheel = os.environ.get(WHEEL_VARIABLE) or "auto"
    if wheel == "auto":
        gpu = importlib.import_module("harness.machine.gpu.presence").gpu_presence()
        has_cuda = gpu.is_there and (not gpu.is_broken or _has_cuda_environments(root))
        return "cuda" if has_cuda else "cpu"
    if wheel not in ("cpu", "cuda"):
        raise UsageError(f'The kind of wheel must be "auto", "cpu" or "cuda", not {wheel!r}.')
    return wheel


def _has_cuda_environments(root: Path | None) -> bool:
    return root is not None and any((root / FOLDER).glob(f"tf-*-cuda-*/{_STAMP}"))


def obstacle(release: Release, *, python: str | None = None, may_fetch: bool = True) -> str | None:
    """Return one sentence why the release cannot be had here, or None if it can.

    Args:
        release: the release.
        python: the Python minor that it has to have; None: any that it has wheels for.
        may_fetch: whether a Python that uv could fetch is one that can be had.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return f"{release.name} can only be measured on Linux x86-64, and this is {sys.platform} {platform.machine()}."
    if release.python is not None:
        reason = why_not_startable(release.python)
        wrong = f"The interpreter of {release.name} cannot be started: {release.python} {reason}"
        return None if reason is None else f"{wrong}; correct `python` in releases.toml."
    try:
        choose_python([release], asked=python, may_fetch=may_fetch)
    except UsageError as error:
        return str(error)
    return None


def installable(
    releases: Iterable[Release], *, python: str | None = None, may_fetch: bool = True
) -> tuple[Release, ...]:
    """Return the releases that have no obstacle here; the arguments are those of `obstacle`."""
    return tuple(release for release in releases if obstacle(release, python=python, may_fetch=may_fetch) is None)


def describe(
    release: Release, root: Path, *, wheel: str = "auto", policy: str | None = None, python: str | None = None
) -> Environment:
    """Return what `prepare` would give, without installing anything.

    Args:
        release: the release.
        root: the project's root, which holds `releases.toml` and `locks/`.
        wheel: "cpu", "cuda", or "auto" for what the machine has.
        policy: "today" or "at-release"; None: what `releases.toml` says.
        python: the Python minor ("3.11"); None: the newest that the release has wheels for and that can be had.

    Raises:
        UsageError: the lock is malformed, or no Python can be had.
    """
    if release.python is not None:
        there = why_not_startable(release.python) is None
        return Environment(f"python-{release.name}", release, release.python, None, None, None, None, None, there)
    wheel = choose_wheel(wheel, root)
    policy = choose_policy(root, policy)
    minor = python or common_python([release])
    name = f"tf-{release.plain_name}-{wheel}-{policy}-py{minor.replace('.', '')}"
    path = lock_path(root, release, wheel, policy, minor)
    lock = read_lock(path) if path.exists() else None
    digest = lock.digest if lock is not None and lock.unresolvable is None else None
    locked = {} if lock is None else lock.packages
    keras = locked.get("keras", locked.get("keras-nightly"))
    folder = root / FOLDER / name
    there = digest is not None and _is_filled(folder, digest)
    python_path = folder / "bin" / "python"
    return Environment(name, release, python_path, wheel, policy, minor, digest, keras, there, locked=locked)


def describe_obtainable(
    release: Release, root: Path, *, wheel: str = "auto", policy: str | None = None, python: str | None = None
) -> Environment:
    """Return what `prepare` would give, as `describe` does, refusing what is known to be impossible without installing.

    Raises:
        ReleaseError: it cannot be had here: another platform, no Python, or no set of versions fits.
        UsageError: the arguments or the lock are wrong.
    """
    complaint = obstacle(release, python=python)
    if complaint is not None:
        raise ReleaseError(complaint)
    environment = describe(release, root, wheel=wheel, policy=policy, python=python)
    if release.python is None and not environment.installed:
        usable_lock(root, release, *environment.locked_for)
    return environment


def identified(environment: Environment) -> Environment:
    """Return the environment with the Python and what identifies the packages of an interpreter release.

    Its lock tells it of others.

    Raises:
        UsageError: the interpreter cannot be started or has no TensorFlow.
    """
    if environment.release.python is None:
        return environment
    found = find_installation(environment.release.python)
    return replace(environment, installation=found, python_minor=found.python)


def choose_policy(root: Path, policy: str | None) -> str:
    """Return the policy that was asked for, or the one that `releases.toml` sets.

    Raises:
        UsageError: there is no such policy.
    """
    if policy is None:
        return read_manifest(root / "releases.toml").policy
    if policy not in POLICIES:
        raise UsageError(f'The policy must be "{POLICIES[0]}" or "{POLICIES[1]}", not {policy!r}.')
    return policy


def prepare(
    release: Release,
    root: Path,
    *,
    wheel: str = "auto",
    policy: str | None = None,
    python: str | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Environment:
    """Return the release's environment, made or made anew where it has to be.

    A Python and a lock that are missing are had first; the lock stays in `locks/`.

    Args:
        release: the release.
        root: the project's root.
        wheel: "cpu", "cuda", or "auto" for what the machine has.
        policy: "today" or "at-release"; None: what `releases.toml` says.
        python: the Python minor ("3.11"); None: the newest that the release has wheels for and that can be had.
        say: is told in one line what is going on, where it takes time.

    Raises:
        ReleaseError: it cannot be had here: no lock can be made, too little disk, a failed install.
        UsageError: the arguments or the lock are wrong, or no Python can be had.
    """
    environment = describe_obtainable(release, root, wheel=wheel, policy=policy, python=python)
    if release.python is not None:
        environment = identified(environment)
        for sentence in environment.installation.warnings() if environment.installation else ():
            say(f"{release.name}: {sentence}")
        return _with_build(environment, root)
    minor = str(environment.python_minor)
    what = environment.locked_for
    if environment.installed:
        keep_build(root, release, what[0])
        return _with_build(environment, root)
    lock_builds(root, [release], *what, say)
    lock = usable_lock(root, release, *what) or make_usable_lock(root, release, *what, say)
    base = found_pythons().get(minor) or _fetched(minor, say)
    folder = root / FOLDER / environment.name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        if not _is_filled(folder, lock.digest):
            _fill(folder, lock, environment, base, root, say)
    return _with_build(describe(release, root, wheel=wheel, policy=policy, python=minor), root)


def _with_build(environment: Environment, root: Path) -> Environment:
    """Return the environment with how its TensorFlow was built; asked of it once, and noted beside it."""
    identity = environment.lock_digest or str(environment.installation and environment.installation.tensorflow)
    note = root / FOLDER / f".{environment.name}.build.json"
    return replace(environment, build=build_facts(environment.python, identity, note))


def _fetched(minor: str, say: Callable[[str], None]) -> Python:
    say(f"Python {minor} is not on this machine: uv fetches it, about 30 MB")
    return fetch_python(minor)


def _fill(
    folder: Path, lock: Lock, environment: Environment, base: Python, root: Path, say: Callable[[str], None]
) -> None:
    """Make the environment from the Python `base`; the stamp comes last."""
    if folder.exists():
        say(f"removing the environment of {environment.release.name}: it is incomplete or its lock has changed")
        shutil.rmtree(folder)
    _check_space(folder.parent, environment)
    release, minor = environment.release, str(environment.python_minor)
    wanted = (
        None if release.build is None else kept_requirements(root, release, str(environment.wheel), lock, minor, say)
    )
    say(f"installing {release.name} ({environment.name}), about a minute")
    try:
        run_uv(["venv", "--python", str(base.path), "--no-project", str(folder)], root=root)
        arguments = [
            "pip",
            "sync",
            "--python",
            str(folder / "bin" / "python"),
            "--require-hashes",
            "--compile-bytecode",
        ]
        arguments += ["--only-binary", ":all:", "--link-mode", "hardlink"]
        if wanted is None:
            run_uv([*arguments, str(lock.path)], root=root)
        else:
            run_uv([*arguments, "--offline", "--no-index", "-"], root=root, stdin=wanted)
    except UvError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ReleaseError(
            f"{environment.release.name} could not be installed: {error} "
            "(check the network, or set the mirror or proxy for pip or uv, and repeat the command)"
        ) from None
    stamp = {"release": environment.release.name, "lock_digest": lock.digest, "python": base.version}
    temporary = folder / (_STAMP + ".partial")
    temporary.write_text(json.dumps(stamp, indent=1) + "\n", encoding="utf-8")
    temporary.replace(folder / _STAMP)


def _is_filled(folder: Path, digest: str) -> bool:
    """Whether the environment was filled from this lock and its interpreter still exists."""
    try:
        stamp = json.loads((folder / _STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return (
        isinstance(stamp, dict) and stamp.get("lock_digest") == digest and os.access(folder / "bin" / "python", os.X_OK)
    )


def _check_space(folder: Path, environment: Environment) -> None:
    needed = BYTES_NEEDED[str(environment.wheel)]
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ReleaseError(
            f"{environment.release.name} needs about {needed / 1e9:.1f} GB of disk for its environment and only "
            f"{free / 1e9:.1f} GB are free under {folder}: free some, or remove environments there."
        )


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of one environment, so that two commands do not fill it at once; the second waits."""
    with (folder.parent / f".{folder.name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
