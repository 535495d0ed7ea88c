"""`releases.toml`: which TensorFlow releases there are, in the order in which they appeared.

Reading it is strict, because a typing error that is passed over in silence would measure the wrong thing: every
complaint names the line and the field.
"""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from packaging.version import InvalidVersion, Version

from harness.errors import UsageError
from harness.releases.release import Release, place, release_ident
from harness.releases.versions import normal_version, version_key

POLICIES = ("today", "at-release")
"""What a lock holds: what the package index gives now, or what it gave when the release appeared."""

_RELEASE_FIELDS = ("name", "version", "date", "python", "newest_python", "oldest_python")
_NOT_FIELDS = {
    "wheel": "is not needed: give the wheel itself on the command line, as in compare 2.21 ./tensorflow.whl",
    "nightly": 'is not needed: give a nightly build by its version, as in version = "2.22.0.dev20260905"',
}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._+-]*")
_LONGEST_NAME = 100  # it becomes part of file names, which may have 255 bytes
_LIKE_A_VERSION = re.compile(r"v?\d.*", re.IGNORECASE)
_WORDS_OF_ASV = ("HEAD", "releases", "ALL", "NEW", "EXISTING", "TAGS")
_DATES = (datetime.date(2015, 11, 9), datetime.date(2099, 12, 31))
"""TensorFlow was published on the first; a year beyond the second is a typing error."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `releases.toml` says; `releases` is ordered by date, then by version."""

    path: Path
    policy: str
    releases: tuple[Release, ...]

    def find(self, text: str) -> Release:
        """Return the release that `text` means: a name, a version in any spelling, or "2.21" for its newest patch.

        Raises:
            UsageError: there is none; the message lists what there is.
        """
        wanted = text.casefold()
        for release in self.releases:
            if wanted in (release.name.casefold(), release.plain_name.casefold()):
                return release
        try:
            version = Version(text)
        except InvalidVersion:
            version = None
        bound = [one.name for one in self.releases if one.python is not None and version_key(one.version) == version]
        if version is not None:
            found = self._of_version(version)
            if found is not None:
                return found
        known = ", ".join(release.name for release in self.releases)
        named = f" (this version is {' and '.join(bound)}'s, an interpreter that goes by its name)" if bound else ""
        raise UsageError(
            f"There is no release {text!r} in {self.path.name}; it has {known}{named}: use one of these or add an "
            "entry."
        )

    def with_releases(self, more: Iterable[Release]) -> Manifest:
        """Return this with releases that have no entry, in their places; those that have one stay as they are."""
        known = {one.ident for one in self.releases} | {one.name.casefold() for one in self.releases}
        added = {one.ident: one for one in more if one.ident not in known and one.name.casefold() not in known}
        return replace(self, releases=tuple(sorted((*self.releases, *added.values()), key=place)))

    def _of_version(self, version: Version) -> Release | None:
        """Return the release of a version; of two plain numbers, as in 2.21, the newest patch, a stable one if any."""
        own = [one for one in self.releases if one.python is None and (one.build is None or one.build.sha256 is None)]
        if len(version.release) == 2 and str(version) == version.base_version:
            patches = [one for one in own if version_key(one.version).release[:2] == version.release]
            stable = [one for one in patches if one.is_stable]
            return max(stable or patches, key=lambda one: version_key(one.version), default=None)
        return next((one for one in own if version_key(one.version) == version), None)

    def newest_stable(self, count: int) -> tuple[Release, ...]:
        """Return the `count` newest stable releases that can be installed by version, oldest first.

        Raises:
            UsageError: there are fewer.
        """
        stable = [one for one in self.releases if one.is_stable]
        if len(stable) < count:
            raise UsageError(f"{self.path.name} has {len(stable)} stable releases and {count} are needed: add some.")
        return tuple(stable[len(stable) - count :])


def read_manifest(path: Path) -> Manifest:
    """Read and check `releases.toml`.

    Raises:
        UsageError: the file is missing or malformed; the message names the line and the field.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # editors on Windows put a byte order mark first
    except FileNotFoundError:
        raise UsageError(f"There is no {path}: make a project with `savedmodel-bench init`.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}): make it a file that you may read.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path.name} is not UTF-8 text: save it as UTF-8.") from None
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path.name} is not valid TOML: {error}.") from None
    return _Reader(path, text).read(document)


class _Reader:
    """Turns the parsed document into a Manifest; keeps the text to find the line of what is wrong."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.lines = text.splitlines()
        self.headers = [at for at, line in enumerate(self.lines) if re.match(r"\s*\[\[\s*release\s*\]\]", line)]

    def read(self, document: dict[str, Any]) -> Manifest:
        for field in document:
            if field not in ("policy", "release"):
                self.fail(None, field, "is unknown; the file has `policy` and [[release]] entries")
        policy = document.get("policy", POLICIES[0])
        if policy not in POLICIES:
            self.fail(None, "policy", f'must be "{POLICIES[0]}" or "{POLICIES[1]}"')
        entries = document.get("release", [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            self.fail(None, "release", "must be written as [[release]] entries")
        if not entries:
            raise UsageError(f"{self.path.name} has no [[release]] entry: add one.")
        releases: list[Release] = []
        seen: dict[str, int] = {}
        for index, entry in enumerate(entries):
            release = self.release(index, entry)
            # Names that differ in case alone would be one file on some disks, and one word to most people.
            for name in {release.name.casefold(), release.ident[:8]}:
                if name in seen:
                    field = "name" if release.python else "version"
                    first = self.line(seen[name], field)
                    self.fail(index, field, f"repeats the release of line {first}: remove one of them, or rename it")
                seen[name] = index
            releases.append(release)
        releases.sort(key=place)
        return Manifest(self.path, policy, tuple(releases))

    def release(self, index: int, entry: dict[str, Any]) -> Release:
        for field in entry:
            if field in _NOT_FIELDS:
                self.fail(index, field, _NOT_FIELDS[field])
            if field not in _RELEASE_FIELDS:
                self.fail(index, field, f"is unknown; an entry has {', '.join(_RELEASE_FIELDS)}")
        date = entry.get("date")
        if not isinstance(date, datetime.date) or isinstance(date, datetime.datetime):
            self.fail(index, "date", "must be a date such as 2026-03-06, without quotes")
        complaint = complaint_about_date(date)
        if complaint:
            self.fail(index, "date", complaint)
        version = self.text(index, entry, "version")
        try:
            version = None if version is None else normal_version(version)
        except InvalidVersion:
            self.fail(index, "version", 'must be one as "2.21.0", "2.22.0rc1" or "2.22.0.dev20260905" (PEP 440)')
        newest, oldest = (self.python_minor(index, entry, field) for field in ("newest_python", "oldest_python"))
        name = self.text(index, entry, "name")
        python = self.text(index, entry, "python")
        if python is None:
            if version is None:
                self.fail(index, "version", "is missing: give a version, or the interpreter that has one as `python`")
            if name is not None:
                self.fail(index, "name", "belongs to entries with `python`: a version names itself")
            return Release(f"v{version}", version, date, None, release_ident(version, "", None), newest, oldest)
        if not Path(python).is_absolute():
            self.fail(index, "python", "must be an absolute path to an interpreter")
        if name is None:
            self.fail(index, "name", "is missing: an entry with `python` needs a name")
        complaint = complaint_about_name(name)
        if complaint:
            self.fail(index, "name", complaint)
        return Release(name, version, date, Path(python), release_ident(None, name, Path(python)), newest)

    def text(self, index: int, entry: dict[str, Any], field: str) -> str | None:
        value = entry.get(field)
        if value is not None and not (isinstance(value, str) and value):
            self.fail(index, field, "must be text in quotes")
        return value

    def python_minor(self, index: int, entry: dict[str, Any], field: str) -> str | None:
        """Return a Python minor, None where the entry has none."""
        minor = self.text(index, entry, field)
        if minor is not None and not re.fullmatch(r"3\.\d+", minor):
            self.fail(index, field, 'must look like "3.13"')
        return minor

    def line(self, index: int | None, field: str) -> int:
        """Return the line of a field, or of the entry's header where the field is not there."""
        first = 0
        stop = self.headers[0] if self.headers else len(self.lines)
        if index is not None and index < len(self.headers):
            first = self.headers[index]
            stop = self.headers[index + 1] if index + 1 < len(self.headers) else len(self.lines)
        elif index is not None or not self.headers:
            stop = len(self.lines)
        pattern = re.compile(rf'\s*(\[+\s*)?["\']?{re.escape(field)}["\']?\s*[=.\]]')
        for at in range(first, stop):
            if pattern.match(self.lines[at]):
                return at + 1
        if index is None:
            for at, line in enumerate(self.lines):
                if pattern.match(line):
                    return at + 1
        return first + 1

    def fail(self, index: int | None, field: str, complaint: str) -> NoReturn:
        raise UsageError(f"{self.path.name} line {self.line(index, field)}: `{field}` {complaint}.")


def complaint_about_date(date: datetime.date) -> str | None:
    """Return why no release can have this date, or None."""
    first, last = _DATES
    return None if first <= date <= last else f"must lie between {first}, when TensorFlow appeared, and {last}"


def complaint_about_name(name: str) -> str | None:
    """Return why `name` cannot name an interpreter release, or None: it becomes part of paths, subjects and ranges."""
    if not _NAME.fullmatch(name):
        return "must begin with a letter and hold only letters, digits and . _ + -"
    if len(name) > _LONGEST_NAME:
        return f"must have {_LONGEST_NAME} characters at most"
    if _LIKE_A_VERSION.fullmatch(name):
        return "must not look like a version"
    if ".." in name or name in _WORDS_OF_ASV:
        return f"means something else to asv, as two dots do, {', '.join(_WORDS_OF_ASV)}"
    return None
