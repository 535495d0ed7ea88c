"""Packages beside a release: in a folder of their own, of versions that fit it, their lock kept."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from harness.errors import ReleaseError, UsageError
from harness.releases.environments import FOLDER, Environment
from harness.releases.locks import lock_path, read_lock
from harness.releases.resolution import PLATFORM
from harness.releases.uv_command import UvError, run_uv
from harness.releases.versions import version_key

LOCKS = "beside"
"""The folder of their locks, below `locks/`."""
_OF_MINOR = ("tf-keras", "tensorflow-text")
"""Packages whose versions follow TensorFlow's, so that the release's own minor is meant where none is asked for."""
_TENSORFLOW = ("tensorflow", "tensorflow-cpu", "tf-nightly", "tf-nightly-cpu", "tensorflow-intel")
_DONE = "savedmodel-bench.done"


@dataclass(frozen=True, slots=True)
class Beside:
    """A release with packages beside it, and what has to be imported for the packages that were asked for."""

    environment: Environment
    imports: tuple[str, ...]


def with_packages(
    environment: Environment, packages: Sequence[str], root: Path, say: Callable[[str], None] = lambda line: None
) -> Beside:
    """Return a release with packages beside it; nothing of its own environment changes.

    Their versions are resolved together with the release's lock, once: the lock is kept. TensorFlow itself, and what
    the release has already, is never installed again.

    Args:
        environment: of the release.
        packages: requirements: "tensorflow-text", "tf_keras==2.20.*".
        root: the project's root.
        say: is told where that takes time.

    Raises:
        UsageError: one of them is no requirement.
        ReleaseError: no versions fit the release, or they cannot be had.
    """
    wanted = [_requirement(text, environment) for text in packages]
    slug = re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(wanted)).strip("-.")
    if len(slug) > 60:
        slug = hashlib.sha256(slug.encode()).hexdigest()[:16]
    lock = root / "locks" / LOCKS / f"{environment.name}+{slug}.txt"
    folder = root / FOLDER / f"{environment.name}+{slug}"
    name = environment.release.name
    try:
        if not lock.exists():
            say(f"resolving {', '.join(wanted)} for {name}; the lock is kept in {lock.relative_to(root)}")
            _write(lock, wanted, _resolved(wanted, environment, root))
        digest = hashlib.sha256(lock.read_bytes()).hexdigest()
        if not (folder / _DONE).is_file() or (folder / _DONE).read_text() != digest:
            shutil.rmtree(folder, ignore_errors=True)
            say(f"installing {', '.join(wanted)} beside {name}")
            command = ["pip", "install", "--python", str(environment.python), "--target", str(folder), "--no-deps"]
            if read_lock(lock).packages:
                command += ["--require-hashes", "--only-binary", ":all:", "-r", str(lock)]
                run_uv(command, root=root)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / _DONE).write_text(digest)
    except UvError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ReleaseError(f"{', '.join(wanted)} cannot be installed beside {name}: {error}") from None
    versions = dict(info.name.removesuffix(".dist-info").split("-", 1) for info in sorted(folder.glob("*.dist-info")))
    paths = [str(folder), environment.variables.get("PYTHONPATH")]  # of a profile that has packages of its own
    variables = {**environment.variables, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    beside = replace(environment, variables=variables, packages={**environment.packages, **versions})
    names = [canonicalize_name(Requirement(text).name) for text in wanted]
    return Beside(beside, tuple(one for each in names for one in _modules(folder, each)))


def _requirement(text: str, environment: Environment) -> str:
    try:
        asked = Requirement(text)
    except InvalidRequirement:
        raise UsageError(
            f"{text!r} is no package: write it as pip does, for example tensorflow-text==2.20.1."
        ) from None
    if not asked.specifier and canonicalize_name(asked.name) in _OF_MINOR and environment.version is not None:
        version = version_key(environment.version)
        return f"{asked.name}=={version.major}.{version.minor}.*"
    return str(asked)


def _resolved(wanted: Sequence[str], environment: Environment, root: Path) -> str:
    """Return the pinned requirements, with hashes, that are not in the release's lock."""
    constraints, known = _pins(environment, root)
    with tempfile.TemporaryDirectory() as folder:
        output, pins = Path(folder) / "pylock.beside.toml", Path(folder) / "constraints.txt"
        pins.write_text("".join(f"{line}\n" for line in constraints), encoding="utf-8")
        arguments = ["pip", "compile", "-", "--format", "pylock.toml", "--output-file", str(output)]
        arguments += ["--python", str(environment.python), "--python-platform", PLATFORM, "--only-binary", ":all:"]
        arguments += ["--constraint", str(pins)]
        run_uv(arguments, root=root, stdin="\n".join(wanted) + "\n")
        packages = tomllib.loads(output.read_text(encoding="utf-8"))["packages"]
    lines = []
    for package in packages:
        name = canonicalize_name(package["name"])
        if name in known or name in _TENSORFLOW or name.startswith("nvidia-"):
            continue
        digests = sorted({wheel["hashes"]["sha256"] for wheel in package.get("wheels", [])})
        if not digests:
            raise UvError(f"{name} {package['version']} has no wheel for this platform")
        lines.append(f"{name}=={package['version']} \\")
        lines += [f"    --hash=sha256:{digest} \\" for digest in digests[:-1]]
        lines.append(f"    --hash=sha256:{digests[-1]}")
    return "\n".join(lines) + "\n"


def _pins(environment: Environment, root: Path) -> tuple[list[str], set[str]]:
    """Return what the resolution is bound to, and the packages that the release has."""
    version = environment.version
    lines = [f"{name}=={version}" for name in _TENSORFLOW[:2] if version is not None]
    if environment.release.python is not None:
        return lines, set()
    lock = read_lock(lock_path(root, environment.release, *environment.locked_for))
    own = {canonicalize_name(name): pinned for name, pinned in lock.packages.items()}
    return [*lines, *(f"{name}=={pinned}" for name, pinned in own.items() if name not in _TENSORFLOW)], set(own)


def _write(lock: Path, wanted: Sequence[str], body: str) -> None:
    lock.parent.mkdir(parents=True, exist_ok=True)
    temporary = lock.with_suffix(".partial")
    temporary.write_text(f"# {', '.join(wanted)}, beside {lock.stem.partition('+')[0]}\n{body}", encoding="utf-8")
    temporary.replace(lock)


def _modules(folder: Path, package: str) -> list[str]:
    """Return the modules that a package's own files make importable."""
    for info in folder.glob("*.dist-info"):
        if canonicalize_name(info.name.removesuffix(".dist-info").split("-", 1)[0]) == package:
            record = (info / "RECORD").read_text(encoding="utf-8").splitlines()
            tops = (line.split(",")[0].split("/") for line in record)
            return sorted({parts[0] for parts in tops if len(parts) == 2 and parts[1] == "__init__.py"})
    return []
