"""A row's course over releases or nights, what changed in it, and the findings that changes of many rows make."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Shape(StrEnum):
    """How a course changed."""

    STEP = "step"
    TREND = "trend"


@dataclass(frozen=True, slots=True)
class Course:
    """One row's values, oldest first.

    `places` are positions on the axis that its group of rows shares (releases, nights, commits), rising. Values must be
    positive and finite to count for steps and trends; zeros count for what appears (`verdict.appearance`).
    """

    group: tuple[str, ...]  # rows of one group are one finding where they change together: machine, metric
    row: str
    unit: str
    places: tuple[int, ...]
    values: tuple[float, ...]
    is_exact: bool = False  # each value was read several times and never varied


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
        """After over before, within what a float can tell and a logarithm takes; from zero it is as large as can be."""
        if not self.before:
            return sys.float_info.max
        return min(max(self.after / self.before, sys.float_info.min), sys.float_info.max)


@dataclass(frozen=True, slots=True)
class Finding:
    """Changes of one group of rows that began together, in one direction: one finding, however many rows."""

    group: tuple[str, ...]
    shape: Shape
    since: int
    previous: int
    changes: tuple[Change, ...]

    @property
    def ratio(self) -> float:
        """The geometric mean of the rows' ratios."""
        return math.exp(sum(math.log(change.ratio) for change in self.changes) / len(self.changes))

    @property
    def size(self) -> float:
        """How large the change is, up or down."""
        return abs(math.log(self.ratio))


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
    ordered = tuple(sorted(members, key=lambda change: -abs(math.log(change.ratio))))
    return Finding(first.course.group, first.shape, since, previous, ordered)
