"""What is kept of nightlies and wheels: an index drops a nightly after weeks, and a wheel's file gets overwritten.

    .builds/releases/<name>/cpu.json                what the release is
    .builds/releases/<name>/today-cpu-py311.txt     its lock
    .builds/wheels/<sha256>/<file name>             every wheel of its locks, once for all releases

The folder has a size limit. Beyond it those releases go first, environments included, that were not used for longest;
those of the running command stay.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

from harness.errors import ReleaseError, UsageError
from harness.releases.release import Release, release_of_facts
from harness.releases.transfer import NoAnswer, download, sha256_of

FOLDER = ".builds"
FETCHED = f"{FOLDER}/fetched"
"""What URLs gave, until the limit is reached."""
LIMIT_VARIABLE = "SAVEDMODEL_BENCH_KEPT_GB"
_DEFAULT_GB = 20.0


def build_folder(root: Path, release: Release) -> Path:
    """Return the folder of a release's locks."""
    return root / FOLDER / "releases" / release.plain_name


def remember(root: Path, release: Release, wheel: str) -> None:
    """Note what a release is, and that it is used now."""
    path = build_folder(root, release) / f"{wheel}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(release.as_facts(), indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)


def kept_releases(root: Path, wheel: str) -> tuple[Release, ...]:
    """Return the nightlies and wheels that are kept of one kind of wheel, oldest first; damaged ones are left out."""
    found = []
    for path in (root / FOLDER / "releases").glob(f"*/{wheel}.json"):
        try:
            release = release_of_facts(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            continue
        if release is not None and release.build is not None:
            found.append(release)
    return tuple(sorted(found, key=lambda one: (one.date, one.build.built or "" if one.build else "", one.name)))


def kept_wheel(root: Path, sha256: str) -> Path | None:
    """Return the kept wheel with this SHA-256, None where it is not kept."""
    return next((root / FOLDER / "wheels" / sha256).glob("*.whl"), None)


def keep_file(root: Path, sha256: str, name: str, source: Path) -> Path:
    """Copy a wheel of the user's among the kept ones; a copy, because the user's file may be written again.

    Raises:
        ReleaseError: it cannot be copied, or has changed meanwhile.
    """
    known = kept_wheel(root, sha256)
    if known is not None:
        return known
    path = root / FOLDER / "wheels" / sha256 / name
    partial = path.with_name(f".{name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if source.is_relative_to(root / FETCHED):
            partial.hardlink_to(source)  # which is only ever replaced
        else:
            shutil.copyfile(source, partial)
        if sha256_of(partial) != sha256:
            raise ReleaseError(f"{source.name} was written to while it was read: repeat the command.")
        partial.replace(path)
    except OSError as error:
        raise ReleaseError(f"{source.name} cannot be kept in {FOLDER} ({error.strerror}): free some disk.") from None
    finally:
        partial.unlink(missing_ok=True)
    return path


def keep_url(root: Path, sha256: str, name: str, url: str) -> Path:
    """Fetch a wheel from the index among the kept ones.

    Raises:
        NoAnswer: it cannot be had.
    """
    known = kept_wheel(root, sha256)
    if known is not None:
        return known
    path = root / FOLDER / "wheels" / sha256 / name
    try:
        download(url, path, sha256)
    except OSError as error:
        raise NoAnswer(f"it cannot be kept in {FOLDER}: {error.strerror}") from None
    return path


@contextlib.contextmanager
def changing(root: Path) -> Iterator[None]:
    """Hold the right to change the folder; a second process waits."""
    folder = root / FOLDER
    folder.mkdir(exist_ok=True)
    with (folder / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def limit_bytes() -> int:
    """Return how large the folder may be.

    Raises:
        UsageError: the variable that says so holds no positive number.
    """
    text = os.environ.get(LIMIT_VARIABLE) or str(_DEFAULT_GB)
    try:
        limit = float(text)
    except ValueError:
        limit = 0.0
    if not 0 < limit < float("inf"):
        raise UsageError(f"{LIMIT_VARIABLE}={text!r} is no number of gigabytes: write it like {_DEFAULT_GB:g}.")
    return int(limit * 1e9)


def drop_oldest(root: Path, needed: Collection[str], environments: str) -> list[str]:
    """Drop releases until the folder is within its limit, and return their names.

    Args:
        root: the project's root.
        needed: names of releases that stay.
        environments: the folder of environments in the root; those of what is dropped go as well.
    """
    limit = limit_bytes()
    if not (root / FOLDER).is_dir():
        return []
    stay = {name.removeprefix("v") for name in needed}
    dropped: list[str] = []
    with changing(root):
        _drop_unreferenced(root)
        if _size(root) > limit:
            shutil.rmtree(root / FETCHED, ignore_errors=True)
        for folder in sorted((root / FOLDER / "releases").glob("*/"), key=_last_used):
            if _size(root) <= limit:
                break
            if folder.name in stay:
                continue
            shutil.rmtree(folder)
            for environment in (root / environments).glob(f"tf-{folder.name}-*"):
                shutil.rmtree(environment, ignore_errors=True)
            _drop_unreferenced(root)
            dropped.append(folder.name)
    return dropped


def _last_used(folder: Path) -> float:
    return max((path.stat().st_mtime for path in folder.glob("*.json")), default=0.0)


def _size(root: Path) -> int:
    found = [*(root / FOLDER / "wheels").glob("*/*.whl"), *(root / FETCHED).glob("*.whl")]
    return sum({path.stat().st_ino: path.stat().st_size for path in found}.values())


def _drop_unreferenced(root: Path) -> None:
    """Remove wheels that no lock names, and what a killed process left of a file."""
    for path in (root / FOLDER).rglob("*.partial"):
        path.unlink()
    named: set[str] = set()
    for path in (root / FOLDER / "releases").glob("*/*"):
        named |= set(re.findall(r"\b[0-9a-f]{64}\b", path.read_text(encoding="utf-8", errors="replace")))
    for folder in (root / FOLDER / "wheels").glob("*/"):
        if folder.name not in named:
            shutil.rmtree(folder, ignore_errors=True)
