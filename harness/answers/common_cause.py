"""One cause of many findings: most of what an axis measures changed at one place by about one factor.

A new machine, Python or library moves everything alike, a change of the code that is measured hardly ever does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median

from harness.verdict.course import Change, Course, Finding, Shape

FEWEST_ROWS = 5
SHARE = 0.5
"""Of all courses of the axis that were measured on both sides of the place."""
SPREAD = 0.10
"""Half of the rows lie within this of the common log ratio, and nine in ten within three times of it."""


def with_common_causes(findings: Iterable[Finding], courses: Sequence[Course]) -> tuple[Finding, ...]:
    """Return the findings, the largest first, those with one cause as one: its group ends with how many rows it has.

    Args:
        findings: steps and trends.
        courses: all that was looked at.
    """
    left = list(findings)
    common = []
    for axis, since in sorted({(finding.group[:-1], finding.since) for finding in left}):
        members = [one for one in left if one.group[:-1] == axis and one.shape is Shape.STEP and _near(one, since)]
        changes = [change for finding in members for change in finding.changes if change.before and change.after]
        alike = _alike(changes)
        if len(alike) < FEWEST_ROWS or len({change.course.group for change in alike}) < 2:
            continue
        looked = sum(course.group[:-1] == axis and _spans(course, since) for course in courses)
        if len(alike) < SHARE * looked:
            continue
        common.append(_common(axis, alike))
        kept = [_without(finding, alike) if finding in members else finding for finding in left]
        left = [finding for finding in kept if finding is not None]
    return tuple(
        sorted(
            [*common, *left], key=lambda finding: (-len(finding.changes) if finding in common else 0, -size(finding))
        )
    )


def size(finding: Finding) -> float:
    """Return how large a finding is: the absolute logarithm of its ratio."""
    return abs(math.log(finding.ratio))


def is_common(finding: Finding) -> bool:
    """Whether a finding holds rows of several groups, which have one cause."""
    return len({change.course.group for change in finding.changes}) > 1


def _near(finding: Finding, since: int) -> bool:
    return since <= finding.since <= since + 1


def _alike(changes: Sequence[Change]) -> list[Change]:
    """Return the changes by about one factor, none where there is no such factor."""
    if len(changes) < FEWEST_ROWS:
        return []
    logs = {id(change): math.log(change.ratio) for change in changes}
    middle = median(logs.values())
    alike = [change for change in changes if abs(logs[id(change)] - middle) <= 3 * SPREAD]
    close = [change for change in alike if abs(logs[id(change)] - middle) <= SPREAD]
    return alike if 2 * len(close) >= len(alike) and 10 * len(alike) >= 9 * len(changes) else []


def _spans(course: Course, since: int) -> bool:
    return bool(course.places) and course.places[0] < since <= course.places[-1]


def _common(axis: tuple[str, ...], changes: Sequence[Change]) -> Finding:
    starts = [change.since for change in changes]
    since = max(dict.fromkeys(starts), key=starts.count)
    previous = max(change.previous for change in changes if change.since == since)
    ordered = tuple(sorted(changes, key=lambda change: -abs(math.log(change.ratio))))
    return Finding((*axis, f"{len(ordered)} rows"), Shape.STEP, since, previous, ordered)


def _without(finding: Finding, changes: Sequence[Change]) -> Finding | None:
    rest = tuple(change for change in finding.changes if change not in changes)
    return Finding(finding.group, finding.shape, finding.since, finding.previous, rest) if rest else None
