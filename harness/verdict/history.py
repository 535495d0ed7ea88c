"""When a course of values changed: steps and slow trends; single outliers and modes of the noise are no change.

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
5. Noise that has modes makes levels of its own, which both tests take for true: each change is held against a course
   that comes and goes, and against what the other courses show (`modes.py`, and `streaks.py` of short courses).
6. All courses together: Benjamini-Hochberg.
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

from harness.verdict.chains import Accounts, Chain
from harness.verdict.course import Change, Course, Shape
from harness.verdict.hypotheses import false_discovery_q
from harness.verdict.jumps import jumps
from harness.verdict.levels import FEWEST_FOR_STEPS, Floats, levels, may_have_steps, without_outliers
from harness.verdict.modes import MODES_LEVEL, accounts, odds_of_changes, two_modes
from harness.verdict.streaks import Crossings, may_be_streaks
from harness.verdict.trend import CANDIDATE_LEVEL, FEWEST_FOR_TREND, Line, steady_trend

Each = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]

MARGIN = 0.05
"""The change that matters where nothing else is said: asv's own threshold of regressions."""


@dataclass(frozen=True, slots=True)
class Search:
    """What a search found: the changes, and those that are not told from noise of two modes, which have no q."""

    changes: tuple[Change, ...]
    untold: tuple[Change, ...]


def search_changes(
    courses: Sequence[Course],
    *,
    margin: float = MARGIN,
    q_level: float = 0.05,
    trends: bool = True,
    splits: bool = True,
    each: Each = map,
) -> Search:
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
    told, untold = _without_modes(looked)
    for kept in told:
        candidates += kept
        # A course without a candidate was looked at as well.
        p_values += [change.p for change in kept] or [1.0]
    adjusted = iter(q for p, q in zip(p_values, false_discovery_q(p_values), strict=True) if p < 1.0)
    judged = [replace(change, q=next(adjusted)) for change in candidates]
    return Search(tuple(change for change in judged if change.q <= q_level), untold)


def find_changes(courses: Sequence[Course], **how: Any) -> tuple[Change, ...]:
    """Return the changes that `search_changes` finds, which takes the same arguments."""
    return search_changes(courses, **how).changes


def course_changes(course: Course, *, margin: float = MARGIN, trends: bool = True, splits: bool = True) -> list[Change]:
    """Return the changes that one course shows by itself (p <= 0.05), oldest first; see the module."""
    return _without_modes([_look(course, margin, trends, splits)])[0][0] if is_long_enough(course) else []


def is_long_enough(course: Course) -> bool:
    """Return whether a course has as many usable values (finite and above zero) as it takes to show a change."""
    values = np.array(course.values, dtype=np.float64)
    return int((np.isfinite(values) & (values > 0)).sum()) >= FEWEST_FOR_STEPS


@dataclass(frozen=True, slots=True)
class _Looked:
    """What one course shows by itself: changes, each with the accounts of it, and its modes where it has some."""

    axis: tuple[str, ...]
    changes: tuple[tuple[Change, Accounts], ...] = ()
    modes: Chain | None = None


def _without_modes(looked: Sequence[_Looked]) -> tuple[list[list[Change]], tuple[Change, ...]]:
    """Return the changes of each course that are no modes, by what the other courses on its axis show.

    Beside them one change of each course that left its level once, which may be a change or a mode.
    """
    kept: list[list[Change]] = [[] for _ in looked]
    untold: list[Change] = []
    axes: dict[tuple[str, ...], list[int]] = {}
    for place, one in enumerate(looked):
        axes.setdefault(one.axis, []).append(place)
    for places in axes.values():
        of_axis = [looked[place] for place in places]
        odds = odds_of_changes([[found for _, found in one.changes] for one in of_axis], [one.modes for one in of_axis])
        once: dict[int, Accounts] = {}
        back: list[Chain] = []
        for place, one, held in zip(places, of_axis, _believed(odds), strict=True):
            believed = [
                (change, found)
                for (change, found), holds in zip(one.changes, held, strict=True)
                if holds and not (change.shape is Shape.TREND and one.modes)
            ]
            kept[place] = [change for change, _ in believed]
            likeliest = max((found for _, found in believed or one.changes), key=lambda one: one.change, default=None)
            if likeliest is not None and (believed or likeliest.chain.crossings < 2):
                once[place] = likeliest
            elif not believed and (chain := one.modes or (likeliest and likeliest.chain)):
                back.append(chain)
        seen = Crossings(list(once.values()), back, len(places) - len(once) - len(back))
        for (place, likeliest), doubtful in zip(once.items(), may_be_streaks(seen), strict=True):
            if doubtful or not kept[place]:
                untold += [change for change, found in looked[place].changes if found is likeliest]
                kept[place] = []
    return kept, tuple(untold)


def _believed(odds: Sequence[Sequence[float]]) -> list[list[bool]]:
    """Return which changes hold so that of all that do one in twenty is a mode, in the mean of their chances."""
    chances = np.array([1 / (1 + one) for found in odds for one in found])
    order = np.argsort(chances, kind="stable")
    means = np.cumsum(chances[order]) / np.arange(1, len(order) + 1)
    holds = np.zeros(len(chances), dtype=bool)
    holds[order[means <= MODES_LEVEL]] = True
    told = iter(holds.tolist())
    return [[next(told) for _ in found] for found in odds]


def _look(course: Course, margin: float, trends: bool, splits: bool) -> _Looked:
    values = np.array(course.values, dtype=np.float64)
    usable = np.isfinite(values) & (values > 0)
    places, logs = np.array(course.places)[usable], np.log(values[usable])
    axis, reach = course.group[:-1], math.log1p(margin)
    if float(np.ptp(logs)) <= reach:
        return _Looked(axis)
    told = []
    for change in _changes(course, places, logs, reach, trends, splits):
        low, high = sorted([math.log(change.before), math.log(change.after)])
        since = change.since if change.shape is Shape.STEP else None
        told.append((change, accounts((logs - low) / (high - low), places, since)))
    modes = two_modes(logs, reach)
    # What left its level once and came back may have been mended.
    return _Looked(axis, tuple(told), None if told and modes and modes.crossings == 2 else modes)


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
