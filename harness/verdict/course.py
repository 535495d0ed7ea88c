"""A row's course over releases or nights, what changed in it, and the findings that changes of many rows make."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

FEWEST_SHARED = 5
"""Courses that change together by one factor before that is a finding of its own."""
_ABOUT = 0.35
"""Of the usual log ratio: a change of 25 % is about one from 17 to 32 %."""


class Shape(StrEnum):
    """How a course changed."""

    STEP = "step"
    TREND = "trend"


@dataclass(frozen=True, slots=True)
class Course:
    """One row's values, oldest first.

    `places` are positions on the axis that its group of rows shares (releases, nights, commits), rising. Values must be
    finite and not negative to count; zero counts.
    """

    group: tuple[str, ...]  # rows of one group are one finding where they change together: machine, metric
    row: str
    unit: str
    places: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one course.

    `since` is the place of the first value of the new level (of the rise, for a trend), `previous` the place before it,
    `until` the last place that is on the level. `before` and `after` are levels in the row's unit; of a trend, its line
    at both ends. `p` is two-sided against the margin (against no trend), `q` is `p` after Benjamini-Hochberg.
    """

    course: Course
    shape: Shape
    since: int
    previous: int
    until: int
    before: float
    after: float
    p: float
    q: float = 1.0

    @property
    def ratio(self) -> float:
        """After over before, within what a float can tell and a logarithm takes; infinite from zero, 0 to zero."""
        if not self.before:
            return math.inf
        return min(max(self.after / self.before, sys.float_info.min), sys.float_info.max) if self.after else 0.0

    @property
    def size(self) -> float:
        """How far it goes in either direction: the size of the log ratio, infinite from or to zero."""
        return abs(math.log(self.ratio)) if 0 < self.ratio < math.inf else math.inf


@dataclass(frozen=True, slots=True)
class Finding:
    """Changes that began together, in one direction: one finding, however many rows.

    They are of one group of rows, or of most courses of an axis by about one factor: then `of` is how many courses of
    their unit the axis has, and the group's last part is "".
    """

    group: tuple[str, ...]
    shape: Shape
    since: int
    previous: int
    changes: tuple[Change, ...]
    of: int | None = None

    @property
    def ratio(self) -> float:
        """The geometric mean of the rows' ratios, of those that are not from or to zero; if all are, infinite or 0."""
        sizes = [math.log(change.ratio) for change in self.changes if 0 < change.ratio < math.inf]
        return math.exp(sum(sizes) / len(sizes)) if sizes else self.changes[0].ratio

    @property
    def size(self) -> float:
        """The size of the log ratio, infinite where all rows left zero or came to it."""
        return abs(math.log(self.ratio)) if 0 < self.ratio < math.inf else math.inf


def shared_changes(changes: Sequence[Change], courses: Sequence[Course]) -> tuple[Finding, ...]:
    """Return the steps that most courses of an axis took at one place by about one factor: one finding each.

    Fifty benchmarks that are a quarter faster since one night have one cause: another machine under the old name,
    another Python, another library. Courses are held against those of their own unit that have values on both sides.
    """
    found = []
    steps = [change for change in changes if change.shape is Shape.STEP and change.size < math.inf]
    kinds = {(change.course.group[:-1], change.course.unit, change.ratio > 1) for change in steps}
    for axis, unit, rising in sorted(kinds):
        alike = [one for one in courses if (one.group[:-1], one.unit) == (axis, unit)]
        if len(alike) < FEWEST_SHARED:
            continue
        left = [c for c in steps if (c.course.group[:-1], c.course.unit, c.ratio > 1) == (axis, unit, rising)]
        while left:
            starts = Counter(change.since for change in left)
            place = max(starts, key=lambda at: (starts[at], at))
            near = [change for change in left if abs(change.since - place) <= 1]
            usual = sorted(math.log(change.ratio) for change in near)[len(near) // 2]
            about = [change for change in near if abs(math.log(change.ratio) - usual) <= _ABOUT * abs(usual)]
            there = sum(one.places[0] < place <= one.places[-1] for one in alike)
            if len(about) < max(FEWEST_SHARED, there / 2):
                break
            found.append(replace(_finding(about), group=(*axis, ""), of=max(there, len(about))))
            left = [change for change in left if change not in about]
    return tuple(found)


def group_changes(changes: Sequence[Change]) -> tuple[Finding, ...]:
    """Return changes that began together as one finding each, the newest first.

    Together means: the same group of rows, shape and direction, and the same place or the next one, since noise may
    move a step by one; trends of one group and direction are always together.
    """
    findings = []
    order = sorted(changes, key=lambda change: (change.course.group, change.shape, change.ratio > 1, change.since))
    members: list[Change] = []
    for change in order:
        if members and not _together(members[-1], change):
            findings.append(_finding(members))
            members = []
        members.append(change)
    if members:
        findings.append(_finding(members))
    return tuple(sorted(findings, key=lambda finding: (-finding.since, finding.group)))


def _together(one: Change, other: Change) -> bool:
    alike = (one.course.group, one.shape, one.ratio > 1) == (other.course.group, other.shape, other.ratio > 1)
    return alike and (one.shape is Shape.TREND or other.since - one.since <= 1)


def _finding(members: Sequence[Change]) -> Finding:
    starts = [change.since for change in members]
    since = max(dict.fromkeys(starts), key=starts.count)
    previous = max(change.previous for change in members if change.since == since)
    first = members[0]
    ordered = tuple(sorted(members, key=lambda change: -change.size))
    return Finding(first.course.group, first.shape, since, previous, ordered)
