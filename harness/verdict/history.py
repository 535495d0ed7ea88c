"""When a course of values changed: steps and slow trends, single outliers ignored.

Everything happens on the log scale, where noise adds. In this order:

1. Steps are placed by asv's own detection, `asv.step_detect.detect_steps`: a least-absolute-deviation fit of levels
   with a penalty for each jump (the Potts functional; Friedrich et al. (2008), "Complexity penalized M-estimation",
   J. Comput. Graph. Stat. 17). A level that one value alone holds is an outlier: it is taken out, the fit repeated.
   asv takes a step for a slow wandering where neighbouring values resemble each other, so every level is also split
   once more where its two parts fit best (binary segmentation: Scott and Knott (1974), "A cluster analysis method for
   grouping means in the analysis of variance", Biometrics 30), for the test of 2. to keep or to drop.
2. asv reports every jump. Here a jump stays only if a t test finds its two levels further apart than the margin, paid
   for having looked at every place (Bonferroni); the least sure jump goes first, until all that remain hold.
3. A straight line is fitted beside the steps. Where it explains the course better (Schwarz (1978), "Estimating the
   dimension of a model", Annals of Statistics 6) and the course rises or falls steadily (Mann (1945), "Nonparametric
   tests against trend", Econometrica 13), the finding is a trend, its slope the median of all slopes (Sen (1968), JASA
   63) and its whole rise beyond the margin: eight small rises that no comparison of neighbours would show.
4. Values of neighbouring nights resemble each other, which makes both tests too sure: their errors grow by what the
   correlation of neighbours costs, (1 + r) / (1 - r) (Bayley and Hammersley (1946), J. R. Stat. Soc. Suppl. 8), and as
   many degrees of freedom go. A trend that begins after a step pays for all places where it could have begun.
5. All courses together: Benjamini-Hochberg.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.verdict.course import Change, Course, Shape
from harness.verdict.hypotheses import false_discovery_q
from harness.verdict.jumps import jumps
from harness.verdict.levels import FEWEST_FOR_STEPS, Floats, levels, may_have_steps, without_outliers
from harness.verdict.modes import ODDS, Accounts, Chain, accounts, crossing, odds_of_changes, two_modes
from harness.verdict.trend import CANDIDATE_LEVEL, FEWEST_FOR_TREND, Line, steady_trend

Each = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]

MARGIN = 0.05
"""The change that matters where nothing else is said: asv's own threshold of regressions."""


def find_changes(
    courses: Sequence[Course],
    *,
    margin: float = MARGIN,
    q_level: float = 0.05,
    trends: bool = True,
    splits: bool = True,
    each: Each = map,
) -> tuple[Change, ...]:
    """Return the changes of all courses that hold when all are looked at together.

    Args:
        courses: the rows' values.
        margin: the change that does not matter, a fraction.
        q_level: accepted false discovery rate.
        trends: whether to look for slow trends beside steps.
        splits: whether to try steps where asv sees none; docs/trust.md has what that gains.
        each: maps a function over the courses, in their order; one that uses several processes saves time.
    """
    look = functools.partial(_look, margin=margin, trends=trends, splits=splits)
    looked = list(each(look, [course for course in courses if is_long_enough(course)]))
    candidates: list[Change] = []
    p_values: list[float] = []
    for kept in _without_modes(looked):
        candidates += kept
        # A course without a candidate was looked at as well.
        p_values += [change.p for change in kept] or [1.0]
    adjusted = iter(q for p, q in zip(p_values, false_discovery_q(p_values), strict=True) if p < 1.0)
    judged = [replace(change, q=next(adjusted)) for change in candidates]
    return tuple(change for change in judged if change.q <= q_level)


def course_changes(course: Course, *, margin: float = MARGIN, trends: bool = True, splits: bool = True) -> list[Change]:
    """Return the changes that one course shows by itself (p <= 0.05), oldest first; see the module."""
    return _without_modes([_look(course, margin, trends, splits)])[0] if is_long_enough(course) else []


def is_long_enough(course: Course) -> bool:
    """Return whether a course has as many usable values (finite and above zero) as it takes to show a change."""
    return sum(map(_usable, course.values)) >= FEWEST_FOR_STEPS


def _usable(value: float) -> bool:
    return math.isfinite(value) and value > 0


@dataclass(frozen=True, slots=True)
class _Looked:
    """What one course shows by itself: changes, each with the accounts of it, and its modes where it has some."""

    axis: tuple[str, ...]
    changes: tuple[tuple[Change, Accounts], ...] = ()
    modes: Chain | None = None


def _without_modes(looked: Sequence[_Looked]) -> list[list[Change]]:
    """Return the changes of each course that are no modes, by what the other courses on its axis show."""
    kept: list[list[Change]] = [[] for _ in looked]
    axes: dict[tuple[str, ...], list[int]] = {}
    for place, one in enumerate(looked):
        axes.setdefault(one.axis, []).append(place)
    for places in axes.values():
        of_axis = [looked[place] for place in places]
        odds = odds_of_changes([[found for _, found in one.changes] for one in of_axis], [one.modes for one in of_axis])
        for place, one, likely in zip(places, of_axis, odds, strict=True):
            kept[place] = [
                change
                for (change, _), against in zip(one.changes, likely, strict=True)
                if against >= ODDS and not (change.shape is Shape.TREND and one.modes)
            ]
    return kept


def _look(course: Course, margin: float, trends: bool, splits: bool) -> _Looked:
    usable = [(place, value) for place, value in zip(course.places, course.values, strict=True) if _usable(value)]
    places = np.array([place for place, _ in usable])
    logs = np.log(np.array([value for _, value in usable], dtype=np.float64))
    axis, reach = course.group[:-1], math.log1p(margin)
    if float(np.ptp(logs)) <= reach:
        return _Looked(axis)
    found = _changes(course, places, logs, reach, trends, splits)
    told = []
    for change in found:
        middle = (math.log(change.before) + math.log(change.after)) / 2
        sides = logs > middle
        at = int(np.searchsorted(places, change.since))
        told.append((change, accounts(sides, at if change.shape is Shape.STEP else crossing(sides))))
    return _Looked(axis, tuple(told), two_modes(logs, reach))


def _changes(
    course: Course, places: NDArray[np.int64], logs: Floats, reach: float, trends: bool, splits: bool
) -> list[Change]:
    if may_have_steps(logs, reach):
        places, logs, bounds = levels(places, logs)
        bounds, p_values = jumps(logs, bounds, reach, splits)
    else:
        places, logs = without_outliers(places, logs)
        bounds, p_values = [0, len(logs)], []
    if trends:
        whole = steady_trend(logs, reach)
        if whole is not None and _line_is_better(logs, bounds, whole):
            return [_as_trend(course, places, whole, 0)]
    changes = []
    for at in range(1, len(bounds) - 1):
        left, here, right = bounds[at - 1], bounds[at], bounds[at + 1]
        changes.append(
            Change(
                course=course,
                shape=Shape.STEP,
                since=int(places[here]),
                previous=int(places[here - 1]),
                until=int(places[right - 1]),
                before=math.exp(float(np.median(logs[left:here]))),
                after=math.exp(float(np.median(logs[here:right]))),
                p=p_values[at - 1],
            )
        )
    if trends and len(bounds) > 2:
        since_last = _paid(steady_trend(logs[bounds[-2] :], reach), len(logs) - FEWEST_FOR_TREND)
        if since_last is not None and _line_is_better(logs[bounds[-2] :], [0, len(logs) - bounds[-2]], since_last):
            changes.append(_as_trend(course, places, since_last, bounds[-2]))
    return changes


def _paid(line: Line | None, places: int) -> Line | None:
    """Return a trend whose beginning was chosen among so many places, Bonferroni's way; None if that is too much."""
    if line is None or line.p * max(1, places) > CANDIDATE_LEVEL:
        return None
    return replace(line, p=line.p * max(1, places))


def _line_is_better(logs: Floats, bounds: Sequence[int], line: Line) -> bool:
    """Tell whether a line explains the stretch better than its levels, a parameter costing log(n) (BIC)."""
    pairs = itertools.pairwise(bounds)
    squares = sum(float(((logs[left:right] - logs[left:right].mean()) ** 2).sum()) for left, right in pairs)
    count, levels = len(logs), len(bounds) - 1

    def cost(rest: float, parameters: int) -> float:
        return count * math.log(max(rest, 1e-18) / count) + parameters * math.log(count)

    return cost(line.squares, 2) < cost(squares, 2 * levels - 1)


def _as_trend(course: Course, places: NDArray[np.int64], line: Line, begin: int) -> Change:
    return Change(
        course=course,
        shape=Shape.TREND,
        since=int(places[begin]),
        previous=int(places[begin]),
        until=int(places[-1]),
        before=math.exp(line.start),
        after=math.exp(line.end),
        p=line.p,
    )
