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

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from harness.verdict.course import Change, Course, Shape
from harness.verdict.hypotheses import false_discovery_q
from harness.verdict.levels import FEWEST_FOR_STEPS, MAD_TO_DEVIATION, MOST_PASSES, Floats, fewest, levels, may_have_steps, noise, without_outliers
from harness.verdict.trend import CANDIDATE_LEVEL, FEWEST_FOR_TREND, Line, correlation_cost, steady_trend

MARGIN = 0.05
"""The change that matters where nothing else is said: asv's own threshold of regressions."""

_FEWEST_IN_SPLIT = 5
"""Values on either side of a split that asv did not see: among fewer, two outliers would pass for a level."""


def find_changes(
    courses: Sequence[Course],
    *,
    margin: float = MARGIN,
    q_level: float = 0.05,
    trends: bool = True,
    splits: bool = True,
) -> tuple[Change, ...]:
    """Return the changes of all courses that hold when all are looked at together.

    Args:
        courses: the rows' values.
        margin: the change that does not matter, a fraction.
        q_level: accepted false discovery rate.
        trends: whether to look for slow trends beside steps.
        splits: whether to try steps where asv sees none; docs/trust.md has what that gains.
    """
    candidates: list[Change] = []
    p_values: list[float] = []
    for course in filter(is_long_enough, courses):
        found = course_changes(course, margin=margin, trends=trends, splits=splits)
        candidates += found
        # A course without a candidate was looked at as well.
        p_values += [change.p for change in found] or [1.0]
    adjusted = iter(q for p, q in zip(p_values, false_discovery_q(p_values), strict=True) if p < 1.0)
    judged = [replace(change, q=next(adjusted)) for change in candidates]
    return tuple(change for change in judged if change.q <= q_level)


def is_long_enough(course: Course) -> bool:
    """Return whether a course has as many usable values (finite and above zero) as it takes to show a change."""
    return sum(map(_usable, course.values)) >= FEWEST_FOR_STEPS


def course_changes(course: Course, *, margin: float = MARGIN, trends: bool = True, splits: bool = True) -> list[Change]:
    """Return the changes that one course shows by itself (p <= 0.05), oldest first; see the module."""
    if not is_long_enough(course):
        return []
    usable = [(place, value) for place, value in zip(course.places, course.values, strict=True) if _usable(value)]
    places = np.array([place for place, _ in usable])
    logs = np.log(np.array([value for _, value in usable], dtype=np.float64))
    reach = math.log1p(margin)
    if float(np.ptp(logs)) <= reach:
        return []
    p_values: list[float] = []
    if may_have_steps(logs, reach):
        places, logs, bounds = levels(places, logs)
        bounds, p_values = _significant(logs, bounds, margin)
        if splits:
            bounds, p_values = _split_further(logs, bounds, p_values, margin)
    else:
        places, logs = without_outliers(places, logs)
        bounds = [0, len(logs)]
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


def _usable(value: float) -> bool:
    return math.isfinite(value) and value > 0


def _significant(logs: Floats, bounds: list[int], margin: float) -> tuple[list[int], list[float]]:
    """Take out the least sure jump until every jump that is left holds by itself; return them with their p-values.

    Jumps beside a level that is too short go first.
    """
    while len(bounds) > 2:
        p_values, sizes = _jumps_judged(logs, bounds, math.log1p(margin))
        lengths_hold = [right - left >= fewest(logs) for left, right in itertools.pairwise(bounds)]
        beside_short = [at for at in range(len(p_values)) if not (lengths_hold[at] and lengths_hold[at + 1])]
        weakest = max(beside_short or range(len(p_values)), key=lambda at: (p_values[at], -sizes[at]))
        if not beside_short and p_values[weakest] <= CANDIDATE_LEVEL:
            return bounds, p_values
        bounds = [*bounds[: weakest + 1], *bounds[weakest + 2 :]]
    return bounds, []


def _split_further(
    logs: Floats, bounds: list[int], p_values: list[float], margin: float
) -> tuple[list[int], list[float]]:
    """Split levels where they fall into two best, as long as the test keeps a split; return bounds and p-values."""
    for _ in range(MOST_PASSES):
        splits = [_best_split(logs, left, right) for left, right in itertools.pairwise(bounds)]
        tried = sorted({*bounds, *(split for split in splits if split is not None)})
        kept, kept_p = _significant(logs, tried, margin)
        if len(kept) <= len(bounds):
            break
        bounds, p_values = kept, kept_p
    return bounds, p_values


def _best_split(logs: Floats, left: int, right: int) -> int | None:
    """Return the place that leaves the least squares around two means, tails pulled in; None in too short a level."""
    least, length = _FEWEST_IN_SPLIT, right - left
    if length < 2 * least:
        return None
    level = logs[left:right]
    level = _without_tails(level, MAD_TO_DEVIATION * float(np.median(np.abs(level - np.median(level)))))
    sums = np.cumsum(level)
    counts = np.arange(least, length - least + 1)
    before, after = sums[counts - 1], sums[-1] - sums[counts - 1]
    gained = before**2 / counts + after**2 / (length - counts)
    return left + int(counts[int(np.argmax(gained))])


def _jumps_judged(logs: Floats, bounds: Sequence[int], reach: float) -> tuple[list[float], list[float]]:
    """Return p of "these levels are no further apart than `reach`", two-sided, and the size, for each inner bound."""
    spans = list(itertools.pairwise(bounds))
    # Levels that were placed to fit make their residuals small; differences of neighbours know of no levels.
    known = noise(logs)
    pulled = [_without_tails(logs[left:right], known) for left, right in spans]
    means = [float(values.mean()) for values in pulled]
    residuals = np.concatenate([values - mean for values, mean in zip(pulled, means, strict=True)])
    freedom = max(1.0, len(logs) - len(spans))
    cost = correlation_cost(residuals)
    spread = max(known, math.sqrt(float(residuals @ residuals) / freedom)) * math.sqrt(cost)
    # What resembles its neighbour tells less of the spread as well.
    freedom = max(1.0, len(logs) / cost - len(spans))
    p_values, sizes = [], []
    for at in range(1, len(spans)):
        (left, here), (_, right) = spans[at - 1], spans[at]
        sizes.append(abs(means[at] - means[at - 1]))
        apart = sizes[-1] - reach
        if spread <= 1e-12:  # a quantity that never varies between its jumps: sizes, counts
            p_values.append(0.0 if apart > 0 else 1.0)
            continue
        error = spread * math.sqrt(1 / (here - left) + 1 / (right - here))
        p_values.append(min(1.0, 2 * (len(logs) - 1) * float(stats.t.sf(apart / error, freedom))))
    return p_values, sizes


def _line_is_better(logs: Floats, bounds: Sequence[int], line: Line) -> bool:
    """Tell whether a line explains the stretch better than its levels, a parameter costing log(n) (BIC)."""
    pairs = itertools.pairwise(bounds)
    squares = sum(float(((logs[left:right] - logs[left:right].mean()) ** 2).sum()) for left, right in pairs)
    count, levels = len(logs), len(bounds) - 1

    def cost(rest: float, parameters: int) -> float:
        return count * math.log(max(rest, 1e-18) / count) + parameters * math.log(count)

    return cost(line.squares, 2) < cost(squares, 2 * levels - 1)


def _without_tails(values: Floats, deviation: float) -> Floats:
    """Return a level's values, those beyond four deviations of its median pulled in to there (Winsor's way).

    Outliers to which no level of their own was fitted would hide a step in their spread. Tukey (1962), "The future of
    data analysis", Annals of Mathematical Statistics 33.
    """
    if deviation <= 0:  # a quantity that hardly ever varies has no tails
        return values
    centre = float(np.median(values))
    return np.clip(values, centre - 4 * deviation, centre + 4 * deviation)


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
