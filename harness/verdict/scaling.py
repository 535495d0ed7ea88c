"""How a cost grows with a size: the exponent of a power law through the rungs of a ladder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

FEWEST_RUNGS = 3


@dataclass(frozen=True, slots=True)
class Growth:
    """cost = constant * size ** exponent, fitted to the rungs of one ladder.

    `low` and `high` are the 95 % interval of the exponent; `marginal` is the cost of one more unit of size between
    the two largest rungs, where fixed costs no longer hide it; `smallest` and `largest` are the sizes fitted.
    """

    exponent: float
    low: float
    high: float
    marginal: float
    smallest: float
    largest: float
    rungs: int


def growth(sizes: Sequence[float], costs: Sequence[float]) -> Growth | None:
    """Fit log(cost) = log(constant) + exponent * log(size) by least squares; None below three rungs.

    Args:
        sizes: of the rungs, positive and all different.
        costs: at these sizes, positive; in any unit.

    Slope and its standard error: Montgomery, Peck, Vining (2012), "Introduction to Linear Regression Analysis", section
    2.2 and 2.3; the interval is Student's with rungs - 2 degrees of freedom. An exponent of 0 is a fixed cost, of 1
    proportional; a straight line with a fixed cost fits neither well, which the interval shows.
    """
    if len(sizes) < FEWEST_RUNGS or min(*sizes, *costs) <= 0:
        return None
    order = np.argsort(sizes)
    size, cost = np.asarray(sizes, dtype=float)[order], np.asarray(costs, dtype=float)[order]
    fitted = stats.linregress(np.log(size), np.log(cost))
    reach = float(stats.t.isf(0.025, len(sizes) - 2)) * float(fitted.stderr)
    exponent = float(fitted.slope)
    marginal = float((cost[-1] - cost[-2]) / (size[-1] - size[-2]))
    if not math.isfinite(exponent):
        return None
    return Growth(exponent, exponent - reach, exponent + reach, marginal, float(size[0]), float(size[-1]), len(sizes))
