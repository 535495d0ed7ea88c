"""What was zero and is not any more, or the other way round: leaks, failed calls, bytes that were not there.

No ratio tells of it, so the signs alone are looked at. Were the places of the values above zero a matter of chance, all
of them would lie together at the end or at the start with probability 2 / C(n, k), n values of which k are above zero;
where they do not, Fisher's exact test at the best place, paid for every place looked at (Fisher (1935), "The logic of
inductive inference", J. R. Stat. Soc. 98).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

import numpy as np
from scipy import stats

from harness.verdict.course import Change, Course, Shape
from harness.verdict.hypotheses import false_discovery_q

FEWEST_VALUES = 5
"""As many as a step takes."""


def find_appearances(courses: Sequence[Course], *, q_level: float = 0.05) -> tuple[Change, ...]:
    """Return the courses that left zero, or came to it, and stayed there; at most one change each.

    Args:
        courses: of values from zero on. One that is exact (`Course.is_exact`) changed for sure.
        q_level: accepted false discovery rate over those that have zeros and other values.
    """
    found = [change for course in courses if (change := _appearance(course)) is not None]
    adjusted = false_discovery_q([change.p for change in found])
    return tuple(
        replace(change, q=float(q)) for change, q in zip(found, adjusted, strict=True) if change.p < 1 and q <= q_level
    )


def _appearance(course: Course) -> Change | None:
    """Return the change at the place that parts zeros from other values best; `p` is 1 where none lasts to the end."""
    signs = [value > 0 for value in course.values]
    if len(signs) < (2 if course.is_exact else FEWEST_VALUES) or all(signs) or not any(signs):
        return None
    at = max(range(1, len(signs)), key=lambda place: abs(_share(signs[place:]) - _share(signs[:place])))
    now = signs[-1]
    lasts = _share(signs[at:]) if now else 1 - _share(signs[at:])
    p = 1.0 if lasts < 1 else _p(signs, at)
    if course.is_exact and lasts == 1:
        p = 0.0
    before, after = (list(part) for part in (course.values[:at], course.values[at:]))
    if not now and not any(signs[:at]):
        return None  # it rose once and fell again: the place that parts best is the rise
    return Change(
        course=course,
        shape=Shape.STEP,
        since=course.places[at],
        previous=course.places[at - 1],
        until=course.places[-1],
        before=0.0 if now else median(value for value in before if value > 0),
        after=median(after) if now else 0.0,
        p=p,
    )


def _p(signs: Sequence[bool], at: int) -> float:
    above = sum(signs)
    counts = [[sum(part), len(part) - sum(part)] for part in (signs[:at], signs[at:])]
    if 0 in counts[0] and 0 in counts[1]:
        return min(1.0, 2 / math.comb(len(signs), above))
    return float(min(1.0, stats.fisher_exact(np.array(counts)).pvalue * (len(signs) - 1)))


def _share(signs: Sequence[bool]) -> float:
    return sum(signs) / len(signs)
