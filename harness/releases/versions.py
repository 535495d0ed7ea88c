"""Versions as Python packages have them (PEP 440): "2.21.0", "2.22.0rc1", "2.22.0.dev20260905", "2.21.0+local"."""

from __future__ import annotations

import datetime

from packaging.utils import canonicalize_version
from packaging.version import InvalidVersion, Version


def normal_version(text: str) -> str:
    """Return a version in its normal form with three numbers at least, as TensorFlow's have: "2.22-RC1" is "2.22.0rc1".

    Raises:
        packaging.version.InvalidVersion: it is none.
    """
    version = Version(canonicalize_version(text))  # without the zeros at the end of its numbers
    base = version.base_version
    return base + ".0" * (3 - len(version.release)) + str(version).removeprefix(base)


def version_key(text: str | None) -> Version:
    """Return what orders and compares versions; what is none, or is not known, comes before all others."""
    try:
        return Version(text or "0")
    except InvalidVersion:
        return Version("0")


def is_same_source(one: str, other: str) -> bool:
    """Whether two versions name the same source, however it was built or packed: local parts and posts do not count."""
    try:
        first, second = ((Version(v.base_version), v.pre, v.dev) for v in (Version(one), Version(other)))
    except InvalidVersion:
        return one == other
    return first == second


def nightly_date(text: str | None) -> datetime.date | None:
    """Return the day that a nightly's version holds, as in "2.22.0.dev20260905"; None for any other version."""
    try:
        return datetime.datetime.strptime(str(version_key(text).dev), "%Y%m%d").date()
    except ValueError:
        return None
