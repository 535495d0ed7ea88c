"""Locks: the full pinned requirement set of a release, per policy, kind of wheel and Python minor.

A lock is a plain requirements file with hashes, so that any installer can read it. Its first line says what it was
made for. Where no set of versions fits, the file holds the reason instead: that is a finding, too.
"""

from __future__ import annotations

import datetime
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import ReleaseError, UsageError
from harness.releases.kept import build_folder
from harness.releases.pythons import OLDEST
from harness.releases.release import Release
from harness.releases.resolution import AT_RELEASE_DAYS, is_contradiction, requirement, resolve
from harness.releases.uv_command import UvError

WHEELS = ("cpu", "cuda")
_OLDEST_LOCKED = 11
_NEWEST_LOCKED = 13
"""Locks are kept from Python 3.11 on, of releases that do not state their newest Python up to 3.13."""

TENSORFLOWS = ("tensorflow", "tensorflow-cpu", "tf-nightly", "tf-nightly-cpu", "intel-tensorflow")
"""Names of packages that are TensorFlow."""

_UNRESOLVABLE = "# unresolvable: "


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock as it lies in `locks/`."""

    path: Path
    title: str  # the first line, without "# "
    digest: str  # 64 hexadecimal digits over the pinned requirements, comments left out
    packages: dict[str, str]  # name: version
    unresolvable: str | None  # why no set of versions fits
    hashes: Mapping[str, Sequence[str]] = field(default_factory=dict)  # name: SHA-256 of each wheel that will do

    @property
    def beside_tensorflow(self) -> dict[str, str]:
        """The versions of everything but TensorFlow itself."""
        return {name: version for name, version in self.packages.items() if name not in TENSORFLOWS}


def lock_path(root: Path, release: Release, wheel: str, policy: str, python_minor: str) -> Path:
    """Return where the lock lies: `locks/today/2.21.0-cpu-py311.txt`; a build's is among what is kept."""
    if release.build is not None:
        return build_folder(root, release) / f"{policy}-{wheel}-py{python_minor.replace('.', '')}.txt"
    return root / "locks" / policy / f"{release.plain_name}-{wheel}-py{python_minor.replace('.', '')}.txt"


def lock_title(release: Release, wheel: str, policy: str, python_minor: str) -> str:
    """Return the first line of the lock, by which `releases check` knows what it was made for."""
    until = ""
    if policy == "at-release":
        until = f" (nothing newer than {release.date + datetime.timedelta(days=AT_RELEASE_DAYS)})"
    own = f" (the wheel {release.build.sha256})" if release.build is not None and release.build.sha256 else ""
    return f"{requirement(release, wheel)}{own}, policy {policy}{until}, Python {python_minor}, Linux x86-64"


def pythons_of(release: Release) -> tuple[str, ...]:
    """Return the Python minors for which the release has wheels and locks are kept."""
    oldest = int(release.oldest_python.split(".")[1]) if release.oldest_python else _OLDEST_LOCKED
    newest = int(release.newest_python.split(".")[1]) if release.newest_python else _NEWEST_LOCKED
    return tuple(f"3.{minor}" for minor in range(max(oldest, _OLDEST_LOCKED), newest + 1))


def locked_pythons(root: Path, release: Release, wheel: str, policy: str) -> tuple[str, ...]:
    """Return those of `pythons_of`, and the others for which a lock was made because it was needed once."""
    kept = pythons_of(release)
    made = (f"3.{minor}" for minor in range(int(OLDEST.split(".")[1]), _OLDEST_LOCKED))
    return (*(one for one in made if lock_path(root, release, wheel, policy, one).exists()), *kept)


def read_lock(path: Path) -> Lock:
    """Read a lock.

    Raises:
        UsageError: the file cannot be read, or it pins something without a hash.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"The lock {path.name} cannot be read ({error}): make it again with `savedmodel-bench releases lock`."
        ) from None
    lines = text.splitlines()
    title = lines[0].removeprefix("# ") if lines and lines[0].startswith("# ") else ""
    reason = next((line.removeprefix(_UNRESOLVABLE) for line in lines if line.startswith(_UNRESOLVABLE)), None)
    content = "\n".join(line for line in lines if line.strip() and not line.startswith("#"))
    logical = content.replace("\\\n", " ").splitlines()
    packages: dict[str, str] = {}
    hashes: dict[str, tuple[str, ...]] = {}
    for line in logical:
        pinned = re.match(r"([A-Za-z0-9._-]+)==(\S+)\s+--hash=sha256:", line)
        if pinned is None:
            raise UsageError(f"The lock {path.name} has a line without pin or hash ({line[:60]!r}): make it again.")
        packages[pinned[1].lower()] = pinned[2]
        hashes[pinned[1].lower()] = tuple(re.findall(r"--hash=sha256:(\S+)", line))
    if not packages and reason is None:
        raise UsageError(f"The lock {path.name} is empty: make it again with `savedmodel-bench releases lock`.")
    return Lock(path, title, hashlib.sha256(content.encode()).hexdigest(), packages, reason, hashes)


def make_lock(
    root: Path,
    release: Release,
    wheel: str,
    policy: str,
    python_minor: str,
    beside: Sequence[Mapping[str, str]] = (),
) -> tuple[Lock, bool]:
    """Resolve one lock with uv and write it.

    A lock whose pins have not changed stays as it is. A resolution that fails writes the reason into the file where
    uv found a contradiction, and raises where the index could not be asked: that says nothing about the release.

    Args:
        root: the project's root.
        release, wheel, policy, python_minor: what the lock is for.
        beside: versions of other packages that are preferred, by name; the first set that fits is taken, else any.

    Returns:
        The lock, and whether the file changed.
    """
    path = lock_path(root, release, wheel, policy, python_minor)
    title = lock_title(release, wheel, policy, python_minor)
    try:
        body = resolve(root, release, wheel, policy, python_minor, beside)
    except UvError as error:
        reason = str(error)
        if not is_contradiction(error):
            raise UsageError(
                f"The lock of {release.name} could not be made, since uv could not resolve "
                f"{requirement(release, wheel)}: {reason} (check the network, or set the mirror or proxy for pip or "
                "uv, and repeat the command)"
            ) from None
        body = f"{_UNRESOLVABLE}{_shortened(reason)}\n"
    today = datetime.datetime.now(datetime.UTC).date()
    made = f"# Resolved {today} by `savedmodel-bench releases lock`; do not edit.\n"
    if path.exists():
        before = path.read_text(encoding="utf-8").splitlines(keepends=True)
        if before[:1] == [f"# {title}\n"] and "".join(before[2:]) == body:
            return read_lock(path), False
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".partial")
    temporary.write_text(f"# {title}\n{made}{body}", encoding="utf-8")
    temporary.replace(path)
    return read_lock(path), True


def usable_lock(root: Path, release: Release, wheel: str, policy: str, python_minor: str) -> Lock | None:
    """Return a lock that can be installed from, None where it has not been made yet.

    Raises:
        ReleaseError: no set of versions fits.
        UsageError: the file is malformed.
    """
    path = lock_path(root, release, wheel, policy, python_minor)
    if not path.exists():
        return None
    lock = read_lock(path)
    if lock.unresolvable is not None:
        raise ReleaseError(
            f"{release.name} cannot be installed as {wheel} wheel under policy {policy}: {lock.unresolvable}"
        )
    return lock


def make_usable_lock(
    root: Path,
    release: Release,
    wheel: str,
    policy: str,
    python_minor: str,
    say: Callable[[str], None],
    beside: Sequence[Mapping[str, str]] = (),
) -> Lock:
    """Make a lock that is missing, keep it and say so.

    One that no set of versions fits is not kept: the package index may have more tomorrow. `beside` is that of
    `make_lock`.

    Raises:
        ReleaseError: no set of versions fits.
        UsageError: the package index could not be asked.
    """
    path = lock_path(root, release, wheel, policy, python_minor)
    say(
        f"{release.name} has no lock yet for the {wheel} wheel, policy {policy}, Python {python_minor}: making it; it "
        f"is kept in {path.relative_to(root)}"
    )
    lock, _ = make_lock(root, release, wheel, policy, python_minor, beside)
    if lock.unresolvable is None:
        return lock
    path.unlink()
    raise ReleaseError(
        f"{release.name} cannot be installed as {wheel} wheel under policy {policy} and Python {python_minor}: "
        f"{lock.unresolvable}"
    )


def _shortened(reason: str) -> str:
    text = re.sub(r"^.*No solution found when resolving dependencies:?( cause:)? ", "", " ".join(reason.split()))
    text = re.sub(r",? And because you require .*$", "", text)
    return text if len(text) <= 400 else text[:397] + "..."
