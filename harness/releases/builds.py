"""What a subject means that has no entry in `releases.toml`: a nightly, a wheel, an interpreter.

A nightly is identified as an entry of its version would be, a wheel by its SHA-256 and an interpreter by its path, so
registering one later changes no result. It is ordered by its date: a nightly's is in its version; a wheel has that of
the release whose version it has, behind it, else the day on which it was built.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from packaging.version import InvalidVersion, Version

from harness.errors import ReleaseError, UsageError
from harness.releases.index import IndexSilent, Listed, listed_versions
from harness.releases.installation import find_installation, why_not_startable
from harness.releases.kept import FETCHED, changing, kept_releases
from harness.releases.manifest import Manifest
from harness.releases.release import Build, Release, release_ident
from harness.releases.transfer import NoAnswer, download, is_offline, opened, shown
from harness.releases.versions import is_same_source, nightly_date, normal_version
from harness.releases.wheel_file import WheelFile, read_wheel

Say = Callable[[str], None]

NIGHTLY = "nightly"
_NEAREST = 5
_NOT_MODIFIED = 304
_DAY = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")


def is_wheel(text: str) -> bool:
    """Whether a subject is the path or the URL of a wheel."""
    return text.lower().endswith(".whl") or "://" in text


def is_nightly(text: str) -> bool:
    """Whether a subject is a nightly by its day, or the newest one."""
    return text == NIGHTLY or text.startswith(f"{NIGHTLY}:")


def find_release(root: Path, manifest: Manifest, text: str, wheel: str, say: Say = lambda line: None) -> Release:
    """Return the release that a subject means, registered or not.

    Args:
        root: the project's root.
        manifest: what `releases.toml` says.
        text: "2.21", "nightly", "nightly:20260905", "2.22.0.dev20260905", "./tensorflow.whl", "/opt/tf/bin/python".
        wheel: "cpu" or "cuda": the kind that a nightly is looked for in.
        say: is told in one line where what was found is not what one would expect.

    Raises:
        UsageError: there is none, or what is given is not what it seems to be.
    """
    if any(text.casefold() == one.name.casefold() for one in manifest.releases):
        return manifest.find(text)
    if is_wheel(text):
        return _of_wheel(root, manifest, text, wheel)
    if is_nightly(text):
        return _of_nightly(root, manifest, text, wheel, say)
    if "/" in text:
        return _of_interpreter(manifest, Path(text))
    kept = kept_releases(root, wheel)
    named = next((one for one in kept if text.casefold() in (one.name.casefold(), one.plain_name.casefold())), None)
    try:
        return named or manifest.find(text)
    except UsageError:
        day = nightly_date(text)
        if day is None:
            raise
        return _of_nightly(root, manifest, f"{NIGHTLY}:{day:%Y%m%d}", wheel, say)


def _of_nightly(root: Path, manifest: Manifest, text: str, wheel: str, say: Say) -> Release:
    day = _day(text)
    builds = [one for one in kept_releases(root, wheel) if one.build is not None and one.build.sha256 is None]
    kept = {one.date: one for one in builds}
    if day is not None:
        registered = (one for one in manifest.releases if one.python is None and nightly_date(one.version) == day)
        known = next(registered, None) or kept.get(day)
        if known is not None:
            return known
    try:
        listed = _listed_nightlies(wheel)
    except IndexSilent as error:
        if day is None and kept:
            newest = kept[max(kept)]
            why = "UV_OFFLINE is set" if is_offline() else "the package index cannot be asked"
            say(f"{newest.name} is the newest nightly that is kept here; {why}, so there may be a newer one")
            return newest
        raise UsageError(f"{error} Kept here: {_told(sorted(kept)[-_NEAREST:]) or 'no nightly'}.") from None
    days = sorted({*listed, *kept})
    if not days:
        packages = " nor ".join(_packages(wheel))
        raise UsageError(f"The package index has no wheels of {packages} for Linux x86-64: give a version or a wheel.")
    wanted = days[-1] if day is None else day
    if wanted in listed:
        return _release_of_nightly(listed[wanted])
    if wanted in kept:
        return kept[wanted]
    near = sorted(sorted(days, key=lambda one: abs(one - wanted))[:_NEAREST])
    raise UsageError(f"The package index has no nightly of {day} for Linux x86-64: the nearest are {_told(near)}.")


def _told(days: Sequence[datetime.date]) -> str:
    return ", ".join(f"{NIGHTLY}:{one:%Y%m%d}" for one in days)


def _day(text: str) -> datetime.date | None:
    """Return the day that a nightly's name holds, None where it is the newest one's."""
    _, colon, day = text.partition(":")
    if not colon:
        return None
    written = _DAY.fullmatch(day)
    try:
        return datetime.date(*map(int, written.groups())) if written else _not_a_day(day)
    except ValueError:
        return _not_a_day(day)


def _not_a_day(day: str) -> datetime.date:
    raise UsageError(f"{day!r} is no day: write a nightly like {NIGHTLY}:20260905.")


def _packages(wheel: str) -> tuple[str, ...]:
    """Return the packages that nightlies of a kind of wheel are looked for in, the better one first."""
    return ("tf-nightly-cpu", "tf-nightly") if wheel == "cpu" else ("tf-nightly",)


def _listed_nightlies(wheel: str) -> dict[datetime.date, Listed]:
    """Return the nightlies of the index by their day; of one day, the better package's."""
    found: dict[datetime.date, Listed] = {}
    for package in reversed(_packages(wheel)):
        for listed in listed_versions(package):
            day = nightly_date(str(listed.version))
            if day is not None:
                found[day] = listed
    return found


def _release_of_nightly(listed: Listed) -> Release:
    version, day = normal_version(str(listed.version)), nightly_date(str(listed.version))
    assert day is not None
    ident = release_ident(version, "", None)
    return Release(
        f"v{version}", version, day, None, ident, listed.tags.newest, listed.tags.oldest, Build(listed.package)
    )


def _of_wheel(root: Path, manifest: Manifest, text: str, wheel: str) -> Release:
    if "://" in text:
        path, label = _fetched(root, text), urlsplit(text).path.rpartition("/")[2]
        found = read_wheel(path, shown(text))
    else:
        path = Path(text).expanduser().absolute()
        found, label = read_wheel(path, text), path.name
    if wheel == "cuda" and found.package.endswith("-cpu"):
        raise ReleaseError(f"{label} is a wheel of {found.package}, for the CPU alone: add --wheel cpu.")
    return release_of_wheel(manifest, found, label)


def release_of_wheel(manifest: Manifest, found: WheelFile, label: str) -> Release:
    """Return the release that a wheel is: named by its version and its SHA-256, whatever its file is called."""
    local = "." if "+" in found.version else "+"
    name = f"v{found.version}{local}sha{found.sha256[:8]}"
    date = _date_of(found.version, manifest) or found.built.date()
    source = Build(found.package, found.sha256, found.built.isoformat(), found.file_name, label, found.path)
    ident = hashlib.sha1(f"wheel:{found.sha256}".encode(), usedforsecurity=False).hexdigest()
    return Release(name, found.version, date, None, ident, found.tags.newest, found.tags.oldest, source)


def _date_of(version: str, manifest: Manifest) -> datetime.date | None:
    """Return the date of the release that has a version, or that the version holds."""
    base = Version(version)
    released = [one for one in manifest.releases if one.python is None and one.build is None]
    same = (one.date for one in released if is_same_source(str(one.version), str(base)))
    return next(same, None) or nightly_date(version)


@functools.cache
def _fetched(root: Path, url: str) -> Path:
    """Return the wheel of a URL; asked for once a process, and fetched where the server does not know it unchanged."""
    path = root / FETCHED / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}.whl"
    note = path.with_suffix(".etag")
    with changing(root):
        try:
            known = note.read_text(encoding="utf-8") if path.exists() else ""
        except OSError:
            known = ""
        if path.exists() and is_offline() and not url.startswith("file:"):
            return path
        try:
            with opened(url, {"If-None-Match": known} if known else {}) as answer:
                now = str(getattr(answer, "headers", {}).get("ETag") or "")
            download(url, path, None)
        except NoAnswer as error:
            if error.status == _NOT_MODIFIED:
                return path
            what = f"{shown(url)} does not give a wheel ({error})"
            raise UsageError(f"{what}: check the address, or give the path of a file.") from None
        note.write_text(now, encoding="utf-8")
    return path


def _of_interpreter(manifest: Manifest, path: Path) -> Release:
    """Return the release that an interpreter is, named after the folder that it lies in and its path."""
    python = path.expanduser().absolute()
    for release in manifest.releases:
        if release.python == python:
            return release
    reason = why_not_startable(python)
    if reason is not None:
        raise UsageError(f"{path} {reason}: give the path of a Python interpreter or of a wheel.")
    installed = find_installation(python)
    try:
        version = None if installed.version is None else normal_version(installed.version)
    except InvalidVersion:
        version = None
    folder = python.parent.parent if python.parent.name == "bin" else python.parent
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", folder.name).strip("-") or "python"
    name = (
        f"{plain if plain[0].isalpha() else f'python-{plain}'}-{hashlib.sha256(str(python).encode()).hexdigest()[:6]}"
    )
    date = None if version is None else _date_of(version, manifest)
    today = datetime.datetime.now(datetime.UTC).date()
    return Release(name, version, date or today, python, release_ident(None, name, python))
