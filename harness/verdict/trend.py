"""Slow trends: many small changes in one direction, none of which a comparison of neighbours would show."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

FEWEST_FOR_TREND = 6
CANDIDATE_LEVEL = 0.05

_MOST_POINTS = 200
"""A longer course is condensed to medians of equal stretches: all pairs of its slopes would be millions."""
_FEWEST_FOR_CORRELATION = 16


@dataclass(frozen=True, slots=True)
class Line:
    """A steady rise or fall of the logs: the line's value at both ends, and how sure it is."""

    start: float
    end: float
    p: float
    squares: float  # sum of squared residuals


def steady_trend(logs: NDArray[np.float64], reach: float) -> Line | None:
    """Return the trend of a stretch of logs, None where it is too short, not steady, or within `reach` in all.

    Mann (1945), "Nonparametric tests against trend", Econometrica 13, by Kendall's tau with the line's place; the slope
    is the median of all slopes: Sen (1968), "Estimates of the regression coefficient based on Kendall's tau", JASA 63.
    """
    if len(logs) < FEWEST_FOR_TREND:
        return None
    condensed = _condensed(logs)
    steps = np.arange(len(condensed), dtype=np.float64)
    if np.ptp(condensed) <= reach or _ends_apart(condensed) < reach / 2:
        return None
    slope, intercept, *_ = stats.theilslopes(condensed, steps)
    residuals = condensed - (intercept + slope * steps)
    cost = correlation_cost(residuals)
    widened = math.sqrt(cost)
    rise = float(slope) * (len(condensed) - 1)
    # Steady is not enough: the rise as a whole must be beyond the margin, as a step must. Error of a fitted slope:
    # Draper and Smith (1998), "Applied regression analysis", section 1.4.
    freedom = len(condensed) - 2
    spread = math.sqrt(float(residuals @ residuals) / freedom) * widened
    error = spread / math.sqrt(float(((steps - steps.mean()) ** 2).sum())) * (len(condensed) - 1)
    beyond = 2 * float(stats.t.sf((abs(rise) - reach) / max(error, 1e-12), max(1.0, len(condensed) / cost - 2)))
    if not beyond <= CANDIDATE_LEVEL:
        return None
    steady = float(stats.kendalltau(steps, condensed).pvalue)
    p = max(beyond, 2 * float(stats.norm.sf(stats.norm.isf(steady / 2) / widened)))
    if not p <= CANDIDATE_LEVEL:
        return None
    line = float(intercept) + rise * np.linspace(0, 1, len(logs))
    return Line(float(intercept), float(intercept) + rise, p, float(((logs - line) ** 2).sum()))


def _condensed(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the medians of at most _MOST_POINTS equal stretches, the first ones longer by one where they must be."""
    if len(logs) <= _MOST_POINTS:
        return logs
    size, longer = divmod(len(logs), _MOST_POINTS)
    first = logs[: longer * (size + 1)].reshape(longer, size + 1)
    rest = logs[longer * (size + 1) :].reshape(_MOST_POINTS - longer, size)
    return np.concatenate([np.median(first, axis=1), np.median(rest, axis=1)]) if longer else np.median(rest, axis=1)


def _ends_apart(logs: NDArray[np.float64]) -> float:
    """Return how far the first and the last quarter lie apart, three quarters of a steady rise: soon told."""
    quarter = max(2, len(logs) // 4)
    return abs(float(np.median(logs[-quarter:])) - float(np.median(logs[:quarter])))


def correlation_cost(residuals: NDArray[np.float64]) -> float:
    """Return by how much correlation of neighbours widens the variance of a mean; 1 where there is too little to tell.

    (1 + r) / (1 - r) for neighbours correlated by r: Bayley and Hammersley (1946), "The effective number of independent
    observations in an autocorrelated time series", J. R. Stat. Soc. Suppl. 8.
    """
    squares = float(residuals @ residuals)
    if len(residuals) < _FEWEST_FOR_CORRELATION or squares <= 0:
        return 1.0
    correlation = min(0.9, max(0.0, float(residuals[1:] @ residuals[:-1]) / squares))
    return (1 + correlation) / (1 - correlation)
