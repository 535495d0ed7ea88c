"""One environment per release, filled from its lock by uv with hard links.

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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.errors import UsageError
from harness.releases.installation import Installation, find_installation, why_not_startable
from harness.releases.locks import Lock, lock_path, pythons_of, read_lock
from harness.releases.manifest import POLICIES, Release, read_manifest
from harness.releases.uv_command import UvError, run_uv

FOLDER = ".environments"
WHEEL_VARIABLE = "SAVEDMODEL_BENCH_WHEEL"
"""Overrides what `wheel="auto"` finds: "cpu" or "cuda". It is the only way to tell asv, which knows no such option."""

_STAMP = "savedmodel-bench.json"
# With bytecode, tensorflow-cpu 2.21.0 takes 1.4 GB and tensorflow[and-cuda] 2.21.0 with NVIDIA's libraries 6.7 GB.
BYTES_NEEDED = {"cpu": 1_400_000_000, "cuda": 6_800_000_000}
"""Disk space of one environment, by wheel."""


class ReleaseError(UsageError):
    """A release cannot be had here; one sentence that says why and what to do."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a release lives: everything about it that has to stand beside a measured number."""

    name: str  # "tf-2.21.0-cpu-today-py311"; "python-NAME" for an interpreter release
    release: Release
    python: Path
    wheel: str | None  # "cpu" or "cuda"; None for an interpreter release, as everything below
    policy: str | None
    python_minor: str | None
    lock_digest: str | None
    keras: str | None
    installed: bool
    profile: str | None = None  # as everything below, set by `harness.releases.profiles.with_profile`
    variables: Mapping[str, str] = field(default_factory=dict)  # for the worker, on top of what is pinned
    packages: Mapping[str, str] = field(default_factory=dict)  # versions of what the profile needs beside the lock
    installation: Installation | None = None  # set by `prepare` for an interpreter release, which has no lock

    @property
    def version(self) -> str | None:
        """The version of TensorFlow: what an interpreter has installed now, else what `releases.toml` says."""
        return (self.installation and self.installation.version) or self.release.version

    @property
    def subject(self) -> str:
        """The name of what is measured: the release's, with the profile's."""
        return self.release.name if self.profile is None else f"{self.release.name}@{self.profile}"


def running_python_minor() -> str:
    """Return the Python minor of the harness, which its environments share: "3.11"."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


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
        gpu = importlib.import_module("harness.machine.gpu_presence").gpu_presence()
        has_cuda = gpu.is_there and (not gpu.is_broken or _has_cuda_environments(root))
        return "cuda" if has_cuda else "cpu"
    if wheel not in ("cpu", "cuda"):
        raise UsageError(f'The kind of wheel must be "auto", "cpu" or "cuda", not {wheel!r}.')
    return wheel


def _has_cuda_environments(root: Path | None) -> bool:
    return root is not None and any((root / FOLDER).glob(f"tf-*-cuda-*/{_STAMP}"))


def obstacle(release: Release, *, python_minor: str | None = None) -> str | None:
    """Return one sentence why this platform or this Python cannot install the release, or None if it can."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return f"{release.name} can only be measured on Linux x86-64, and this is {sys.platform} {platform.machine()}."
    if release.python is not None:
        reason = why_not_startable(release.python)
        wrong = f"The interpreter of {release.name} cannot be started: {release.python} {reason}"
        return None if reason is None else f"{wrong}; correct `python` in releases.toml."
    minor = python_minor or running_python_minor()
    if release.newest_python is not None and _number(minor) > _number(release.newest_python):
        return (
            f"{release.name} has no wheels for Python {minor}, only up to {release.newest_python}: "
            f"run `make setup PYTHON=python{release.newest_python}`, or use a newer release."
        )
    return None


def installable(releases: tuple[Release, ...], *, python_minor: str | None = None) -> tuple[Release, ...]:
    """Return the releases that have no obstacle here."""
    return tuple(release for release in releases if obstacle(release, python_minor=python_minor) is None)


def describe(release: Release, root: Path, *, wheel: str = "auto", policy: str | None = None) -> Environment:
    """Return what `prepare` would give, without installing anything.

    Args:
        release: the release.
        root: the project's root, which holds `releases.toml` and `locks/`.
        wheel: "cpu", "cuda", or "auto" for what the machine has.
        policy: "today" or "at-release"; None: what `releases.toml` says.

    Raises:
        UsageError: the lock is malformed.
    """
    if release.python is not None:
        there = why_not_startable(release.python) is None
        return Environment(f"python-{release.name}", release, release.python, None, None, None, None, None, there)
    wheel = choose_wheel(wheel, root)
    policy = choose_policy(root, policy)
    minor = running_python_minor()
    name = f"tf-{release.plain_name}-{wheel}-{policy}-py{minor.replace('.', '')}"
    path = lock_path(root, release, wheel, policy, minor)
    lock = read_lock(path) if path.exists() else None
    digest = lock.digest if lock is not None and lock.unresolvable is None else None
    keras = lock.packages.get("keras", lock.packages.get("keras-nightly")) if lock is not None else None
    folder = root / FOLDER / name
    there = digest is not None and _is_filled(folder, digest)
    return Environment(name, release, folder / "bin" / "python", wheel, policy, minor, digest, keras, there)


def describe_obtainable(release: Release, root: Path, *, wheel: str = "auto", policy: str | None = None) -> Environment:
    """Return what `prepare` would give, as `describe` does, refusing what is known to be impossible without installing.

    Raises:
        ReleaseError: it cannot be had here: wrong Python, no lock, or no set of versions fits.
        UsageError: the arguments or the lock are wrong.
    """
    complaint = obstacle(release)
    if complaint is not None:
        raise ReleaseError(complaint)
    environment = describe(release, root, wheel=wheel, policy=policy)
    if release.python is None and not environment.installed:
        _lock_for(environment, root)
    return environment


def identified(environment: Environment) -> Environment:
    """Return the environment with what identifies the packages of an interpreter release; a lock tells it of others.

    Raises:
        UsageError: the interpreter cannot be started or has no TensorFlow.
    """
    if environment.release.python is None:
        return environment
    return replace(environment, installation=find_installation(environment.release.python))


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
    say: Callable[[str], None] = lambda line: None,
) -> Environment:
    """Return the release's environment, made or made anew where it has to be.

    Args:
        release: the release.
        root: the project's root.
        wheel: "cpu", "cuda", or "auto" for what the machine has.
        policy: "today" or "at-release"; None: what `releases.toml` says.
        say: is told in one line what is going on, where it takes time.

    Raises:
        ReleaseError: it cannot be had here: wrong Python, no lock, too little disk, a failed install.
        UsageError: the arguments or the lock are wrong.
    """
    environment = describe_obtainable(release, root, wheel=wheel, policy=policy)
    if release.python is not None:
        environment = identified(environment)
        for sentence in environment.installation.warnings() if environment.installation else ():
            say(f"{release.name}: {sentence}")
        return environment
    if environment.installed:
        return environment
    lock = _lock_for(environment, root)
    folder = root / FOLDER / environment.name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        if not _is_filled(folder, lock.digest):
            _fill(folder, lock, environment, root, say)
    return describe(release, root, wheel=wheel, policy=policy)


def _lock_for(environment: Environment, root: Path) -> Lock:
    release, wheel, policy, minor = (
        environment.release,
        str(environment.wheel),
        str(environment.policy),
        str(environment.python_minor),
    )
    path = lock_path(root, release, wheel, policy, minor)
    if not path.exists():
        known = "" if minor in pythons_of(release) else f" (locks are kept for {', '.join(pythons_of(release))})"
        raise ReleaseError(
            f"{release.name} has no lock for the {wheel} wheel, policy {policy}, Python {minor}{known}: "
            f"make it with `savedmodel-bench releases lock {release.plain_name}`."
        )
    lock = read_lock(path)
    if lock.unresolvable is not None:
        raise ReleaseError(
            f"{release.name} cannot be installed as {wheel} wheel under policy {policy}: {lock.unresolvable}"
        )
    return lock


def _fill(folder: Path, lock: Lock, environment: Environment, root: Path, say: Callable[[str], None]) -> None:
    """Make the environment; the stamp comes last."""
    if folder.exists():
        say(f"removing the environment of {environment.release.name}: it is incomplete or its lock has changed")
        shutil.rmtree(folder)
    _check_space(folder.parent, environment)
    say(f"installing {environment.release.name} ({environment.name}), about a minute")
    try:
        run_uv(["venv", "--python", sys.executable, "--no-project", str(folder)], root=root)
        arguments = [
            "pip",
            "sync",
            "--python",
            str(folder / "bin" / "python"),
            "--require-hashes",
            "--compile-bytecode",
        ]
        arguments += ["--only-binary", ":all:", "--link-mode", "hardlink", str(lock.path)]
        run_uv(arguments, root=root)
    except UvError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ReleaseError(
            f"{environment.release.name} could not be installed: {error} "
            "(check the network, or set the mirror or proxy for pip or uv, and repeat the command)"
        ) from None
    stamp = {"release": environment.release.name, "lock_digest": lock.digest, "python": platform.python_version()}
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


def _number(minor: str) -> tuple[int, ...]:
    return tuple(int(part) for part in minor.split("."))
