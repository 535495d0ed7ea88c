"""Which jumps between the levels of a course are beyond the margin for sure, and which further ones are."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from harness.verdict.levels import MAD_TO_DEVIATION, MOST_PASSES, Floats, fewest, noise
from harness.verdict.trend import CANDIDATE_LEVEL, correlation_cost

_FEWEST_IN_SPLIT = 5
"""Values on either side of a split that asv did not see: among fewer, two outliers would pass for a level."""


def jumps(logs: Floats, bounds: list[int], reach: float, splits: bool = True) -> tuple[list[int], list[float]]:
    """Return the bounds of the levels whose jumps hold, and p of each jump: two-sided, against `reach`.

    Args:
        logs: the course without outliers.
        bounds: of the levels where they may lie: [0, …, length].
        reach: the margin on the log scale.
        splits: whether to try one more split of each level.
    """
    bounds, p_values = _significant(logs, bounds, reach)
    return _split_further(logs, bounds, p_values, reach) if splits else (bounds, p_values)


def _significant(logs: Floats, bounds: list[int], reach: float) -> tuple[list[int], list[float]]:
    """Take out the least sure jump until every jump that is left holds by itself; return them with their p-values.

    Jumps beside a level that is too short go first.
    """
    while len(bounds) > 2:
        p_values, sizes = _jumps_judged(logs, bounds, reach)
        lengths_hold = [right - left >= fewest(logs) for left, right in itertools.pairwise(bounds)]
        beside_short = [at for at in range(len(p_values)) if not (lengths_hold[at] and lengths_hold[at + 1])]
        weakest = max(beside_short or range(len(p_values)), key=lambda at: (p_values[at], -sizes[at]))
        if not beside_short and p_values[weakest] <= CANDIDATE_LEVEL:
            return bounds, p_values
        bounds = [*bounds[: weakest + 1], *bounds[weakest + 2 :]]
    return bounds, []


def _split_further(
    logs: Floats, bounds: list[int], p_values: list[float], reach: float
) -> tuple[list[int], list[float]]:
    """Split levels where they fall into two best, as long as the test keeps a split; return bounds and p-values."""
    for _ in range(MOST_PASSES):
        splits = [_best_split(logs, left, right) for left, right in itertools.pairwise(bounds)]
        tried = sorted({*bounds, *(split for split in splits if split is not None)})
        kept, kept_p = _significant(logs, tried, reach)
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


def _without_tails(values: Floats, deviation: float) -> Floats:
    """Return a level's values, those beyond four deviations of its median pulled in to there (Winsor's way).

    Outliers to which no level of their own was fitted would hide a step in their spread. Tukey (1962), "The future of
    data analysis", Annals of Mathematical Statistics 33.
    """
    if deviation <= 0:  # a quantity that hardly ever varies has no tails
        return values
    centre = float(np.median(values))
    return np.clip(values, centre - 4 * deviation, centre + 4 * deviation)
