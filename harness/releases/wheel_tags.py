"""Which Pythons wheels for Linux x86-64 are for, and which of several an environment would take."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from harness.releases.pythons import number

_NEWEST_GLIBC = 28
"""Minor of the glibc that locks are made for, manylinux_2_28."""

_PLATFORM = re.compile(r"any|linux_x86_64|manylinux\d*_\w*x86_64")


@dataclass(frozen=True, slots=True)
class WheelTags:
    """The Pythons that wheels are for, oldest first; none means that any will do."""

    minors: tuple[str, ...] = ()

    @classmethod
    def of(cls, tags: Iterable[Tag]) -> WheelTags | None:
        """Return what a wheel with these tags is for, None where it is for another platform."""
        fitting = [tag for tag in tags if _PLATFORM.fullmatch(tag.platform)]
        if not fitting:
            return None
        found = {
            f"3.{known[1]}" for tag in fitting if (known := re.fullmatch(r"cp3(\d+)", tag.interpreter)) is not None
        }
        return cls(tuple(sorted(found, key=number)))

    @classmethod
    def union(cls, several: Iterable[WheelTags]) -> WheelTags:
        """Return what several wheels are for together."""
        known = list(several)
        if any(not one.minors for one in known):
            return cls()
        return cls(tuple(sorted({minor for one in known for minor in one.minors}, key=number)))

    @property
    def oldest(self) -> str | None:
        """The oldest Python; None: any."""
        return self.minors[0] if self.minors else None

    @property
    def newest(self) -> str | None:
        """The newest Python; None: any."""
        return self.minors[-1] if self.minors else None


def best_wheel(names: Sequence[str], minor: str) -> str | None:
    """Return the file name that a Python on Linux x86-64 would take among several of one version, None if none fits."""
    version = number(minor)
    platforms = [f"manylinux_2_{glibc}_x86_64" for glibc in range(_NEWEST_GLIBC, 4, -1)]
    platforms += ["manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "linux_x86_64"]
    order = [
        *cpython_tags(version, platforms=platforms),
        *compatible_tags(version, f"cp{version[0]}{version[1]}", platforms),
    ]
    places = {tag: place for place, tag in enumerate(order)}
    best: tuple[int, str] | None = None
    for name in names:
        try:
            tags = parse_wheel_filename(PurePath(name).name)[3]
        except InvalidWheelFilename:
            continue
        place = min((places[tag] for tag in tags if tag in places), default=None)
        if place is not None and (best is None or place < best[0]):
            best = place, name
    return None if best is None else best[1]
