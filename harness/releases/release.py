"""A release: one TensorFlow that can be installed or already is, registered in `releases.toml` or not."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from packaging.version import Version

from harness.releases.versions import version_key


@dataclass(frozen=True, slots=True)
class Build:
    """What a release is installed from that has no entry in `releases.toml`: a nightly of the index, or a wheel."""

    package: str  # "tf-nightly-cpu"
    sha256: str | None = None  # of a wheel, which it identifies; None: of a nightly
    built: str | None = None  # when a wheel was built, "2026-03-06T12:00:00"; orders those of one version
    file: str | None = None  # a wheel's name as installers want it
    label: str | None = None  # the name of the file that the user gave
    source: Path | None = field(default=None, compare=False)  # where that is; None: among the kept wheels


@dataclass(frozen=True, slots=True)
class Release:
    """One installable or already installed TensorFlow.

    `ident` is 40 hexadecimal digits made from what identifies the release and from nothing else, so that it never
    changes when another release is added: asv names its result files after it.
    """

    name: str  # "v2.21.0", or the name of an interpreter release
    version: str | None
    date: datetime.date
    python: Path | None  # the interpreter that already has it; None: it gets an environment of its own
    ident: str
    newest_python: str | None = None  # "3.13"; None: not stated
    oldest_python: str | None = None  # "3.10"; None: any that workers run under
    build: Build | None = None  # None: it is an entry of releases.toml, or an interpreter

    @property
    def plain_name(self) -> str:
        """The name as files carry it: "2.21.0" for "v2.21.0"."""
        return self.name if self.python is not None else self.name.removeprefix("v")

    @property
    def is_stable(self) -> bool:
        """Whether it is installed by its version, and that is neither a candidate nor a nightly."""
        return self.python is None and self.build is None and not version_key(self.version).is_prerelease

    def as_facts(self) -> dict[str, Any]:
        """Return what is stored with results and kept wheels, so that they are understood without `releases.toml`."""
        build = None if self.build is None else {k: v for k, v in asdict(self.build).items() if k != "source"}
        return {
            "release": self.name,
            "release_id": self.ident,
            "version": self.version,
            "date": str(self.date),
            "newest_python": self.newest_python,
            "oldest_python": self.oldest_python,
            "build": build,
        }


def release_of_facts(facts: Mapping[str, Any]) -> Release | None:
    """Return the release of `as_facts`, None where they are of before dates were stored, or damaged.

    An interpreter that is not in `releases.toml` cannot be started again by what is stored: its path is this machine's.
    """
    try:
        build = facts.get("build")
        known = (
            None
            if build is None
            else Build(**{one.name: build[one.name] for one in fields(Build) if one.name in build})
        )
        date, bound = datetime.date.fromisoformat(facts["date"]), facts.get("wheel", "") is None
        version, pythons = facts.get("version"), (facts.get("newest_python"), facts.get("oldest_python"))
        python = Path("/not-here") if bound else None
        return Release(str(facts["release"]), version, date, python, str(facts["release_id"]), *pythons, known)
    except (KeyError, TypeError, ValueError):
        return None


def place(release: Release) -> tuple[datetime.date, Version, str, str]:
    """Return what orders releases: date, version; of one version entries, then wheels by when they were built."""
    built = "" if release.build is None else release.build.built or ""
    return release.date, version_key(release.version), built, release.name


def release_ident(version: str | None, name: str, python: Path | None) -> str:
    """Return the 40 hexadecimal digits that identify a release for good."""
    identity = f"tensorflow=={version}" if python is None else f"python:{name}:{python}"
    return hashlib.sha1(identity.encode(), usedforsecurity=False).hexdigest()
