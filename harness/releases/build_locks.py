"""Locks and wheels of nightlies and wheels: one set of dependencies for those that are compared, all of it kept.

What is compared shall differ in TensorFlow alone. So a build is locked with the versions that the other side has, or
that the nightly before it had, where they fit; keras-nightly is among them. Under the policy "at-release" each has
what was there in its days.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.errors import ReleaseError
from harness.releases.kept import changing, keep_file, keep_url, kept_releases, kept_wheel, remember
from harness.releases.locks import (
    Lock,
    lock_path,
    make_lock,
    make_usable_lock,
    read_lock,
    usable_lock,
)
from harness.releases.release import Release
from harness.releases.resolution import package_of, wheel_addresses
from harness.releases.transfer import NoAnswer
from harness.releases.uv_command import UvError
from harness.releases.versions import nightly_date
from harness.releases.wheel_tags import best_wheel

Say = Callable[[str], None]

_TOGETHER = 4
"""Files that are fetched at a time."""


def lock_builds(root: Path, releases: Sequence[Release], wheel: str, policy: str, python_minor: str, say: Say) -> None:
    """Make the locks that nightlies and wheels lack, with the same dependencies for all that is compared.

    Args:
        root: the project's root.
        releases: all that is measured together; those without a build have locks of their own.
        wheel, policy, python_minor: what the locks are for.
        say: is told in one line what is going on.

    Raises:
        ReleaseError: no set of versions fits.
        UsageError: the package index could not be asked.
    """
    what = wheel, policy, python_minor
    builds = sorted({one.ident: one for one in releases if one.build is not None}.values(), key=lambda one: one.date)
    for release in builds:
        keep_build(root, release, wheel)
    locks = {one.ident: usable_lock(root, one, *what) for one in builds}
    alone = policy == "at-release"
    for release in reversed(builds):
        if locks[release.ident] is None:
            others = [] if alone else [lock.beside_tensorflow for lock in locks.values() if lock is not None]
            preferred = others if alone else [*others, *_preferred(root, release, releases, *what)]
            locks[release.ident] = make_usable_lock(root, release, *what, say, preferred)
    if alone or not builds:
        return
    newest = locks[builds[-1].ident]
    for release in builds[:-1]:
        lock = locks[release.ident]
        if newest is not None and lock is not None and not _agree(lock, newest):
            _lock_alike(root, release, lock, newest, what, say)


def _agree(lock: Lock, other: Lock) -> bool:
    """Whether two locks have one version of each dependency that both have."""
    versions = other.beside_tensorflow
    return all(versions.get(name, version) == version for name, version in lock.beside_tensorflow.items())


def _preferred(
    root: Path, release: Release, releases: Sequence[Release], wheel: str, policy: str, python_minor: str
) -> list[Mapping[str, str]]:
    """Return the versions that a build takes where they fit: of the nightly that was kept last, of the other sides."""
    what = wheel, policy, python_minor
    paths = [lock_path(root, one, *what) for one in releases if one.build is None and one.python is None]
    if nightly_date(release.version) is not None:
        nightlies = [one for one in kept_releases(root, wheel) if nightly_date(one.version) is not None]
        made = [path for one in nightlies if (path := lock_path(root, one, *what)).exists()]
        paths = [*sorted(made, key=lambda path: path.stat().st_mtime)[-1:], *paths]
    found = [read_lock(path) for path in paths if path.exists()]
    return [lock.beside_tensorflow for lock in found if lock.unresolvable is None]


def _lock_alike(root: Path, release: Release, lock: Lock, newest: Lock, what: tuple[str, str, str], say: Say) -> None:
    """Give a build the dependencies of the newest one where they fit; else its lock stays as it is."""
    before = lock.path.read_text(encoding="utf-8")
    made, _ = make_lock(root, release, *what, [newest.beside_tensorflow])
    if made.unresolvable is None and _agree(made, newest):
        say(f"{release.name} gets the dependencies of the build that it is compared with")
        return
    lock.path.write_text(before, encoding="utf-8")


def keep_build(root: Path, release: Release, wheel: str) -> None:
    """Note a nightly or a wheel as used, and copy the wheel that the user gave.

    Raises:
        ReleaseError: the file cannot be kept.
    """
    build = release.build
    if build is None:
        return
    with changing(root):
        remember(root, release, wheel)
        if build.source is not None and build.sha256 is not None:
            keep_file(root, build.sha256, str(build.file), build.source)


def kept_requirements(root: Path, release: Release, wheel: str, lock: Lock, python_minor: str, say: Say) -> str:
    """Return what to install a build from: each package of its lock as a kept wheel, fetched where it is missing.

    Raises:
        ReleaseError: a wheel is neither kept nor on the index.
    """
    with changing(root):
        paths = _kept(root, lock, python_minor)
        missing = [name for name in lock.packages if name not in paths]
        if missing:
            own = package_of(release, wheel) if release.build is not None and release.build.sha256 else None
            wanted = {name: lock.packages[name] for name in missing if name != own}
            try:
                _fetch(root, lock, missing, wheel_addresses(root, wanted, python_minor), python_minor, release, say)
            except (UvError, NoAnswer) as error:
                raise ReleaseError(
                    f"{release.name} cannot be installed: {_listed(missing)} not kept here, and the package index does "
                    f"not give {'it' if len(missing) == 1 else 'them'} ({error})."
                ) from None
            paths = _kept(root, lock, python_minor)
        lines = [
            f"{name} @ {path.absolute().as_uri()} --hash=sha256:{path.parent.name}"
            for name, path in sorted(paths.items())
        ]
    return "\n".join(lines) + "\n"


def _kept(root: Path, lock: Lock, python_minor: str) -> dict[str, Path]:
    """Return the kept wheel of each package of a lock that has one which this Python can use."""
    found: dict[str, Path] = {}
    for name, hashes in lock.hashes.items():
        kept = {path.name: path for digest in hashes if (path := kept_wheel(root, digest)) is not None}
        best = best_wheel(list(kept), python_minor)
        if best is not None:
            found[name] = kept[best]
    return found


def _fetch(
    root: Path,
    lock: Lock,
    names: Sequence[str],
    addresses: Mapping[str, str],
    python_minor: str,
    release: Release,
    say: Say,
) -> None:
    """Fetch the wheels of some packages among the kept ones."""
    wanted: list[tuple[str, str, str]] = []
    for name in names:
        files = {_file_name(addresses[one]): one for one in lock.hashes[name] if one in addresses}
        best = best_wheel(list(files), python_minor)
        if best is None:
            raise NoAnswer(f"it has no wheel of {name} {lock.packages[name]} with the hash of the lock")
        wanted.append((files[best], best, addresses[files[best]]))
    say(f"fetching {len(wanted)} wheel{'' if len(wanted) == 1 else 's'} of {release.name}, which are kept")
    with ThreadPoolExecutor(_TOGETHER) as threads:
        jobs = [threads.submit(keep_url, root, digest, name, _as_url(where)) for digest, name, where in wanted]
        for job in jobs:
            job.result()


def _file_name(address: str) -> str:
    return address.partition("#")[0].partition("?")[0].rpartition("/")[2].replace("%2B", "+").replace("%2b", "+")


def _as_url(address: str) -> str:
    return address if "://" in address else Path(address).as_uri()


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"the wheel of {shown} is" if len(names) == 1 else f"the wheels of {shown} are"
