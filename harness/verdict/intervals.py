"""From samples to an estimate of the log ratio new / old.

Times and sizes are positive and their noise multiplies, so everything happens on the natural-log scale: the mean
difference of logs is the log of the ratio of geometric means.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimated log ratio and how sure it is.

    `mean` is the log ratio; `spread` the standard deviation of one block's log difference; `error` the standard error
    of `mean`; `freedom` its degrees of freedom, `freedom_per_block` how many each block beyond the first adds; `blocks`
    the blocks (the smaller side's, where unpaired). `borrowed` of the degrees of freedom, and with them part of
    `error`, come from like rows (`harness.verdict.moderation`).
    """

    mean: float
    spread: float
    error: float
    freedom: float
    freedom_per_block: float
    blocks: int
    borrowed: float = 0.0

    @property
    def expected_spread(self) -> float:
        """The standard deviation to expect of a further block's difference: with what like rows say, where they do."""
        return self.error * math.sqrt(self.blocks) if self.borrowed else self.spread

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Return the two-sided t interval of the log ratio."""
        reach = float(stats.t.isf((1 - confidence) / 2, self.freedom)) * self.error
        return self.mean - reach, self.mean + reach


def paired(differences: NDArray[np.float64]) -> Estimate:
    """Estimate from the log ratios of blocks that hold both sides: shape (blocks,), at least two.

    Differences within a block cancel what moves both sides (a machine that drifts). Paired t: Student (1908), "The
    probable error of a mean", Biometrika 6.
    """
    blocks = differences.size
    spread = _standard_deviation(differences)
    return Estimate(
        mean=float(differences.mean()),
        spread=spread,
        error=spread / math.sqrt(blocks),
        freedom=blocks - 1,
        freedom_per_block=1.0,
        blocks=blocks,
    )


def unpaired(old: NDArray[np.float64], new: NDArray[np.float64]) -> Estimate:
    """Estimate from sides measured apart: shapes (blocks of old,), (blocks of new,), positive, at least 2 each.

    Standard error and degrees of freedom: Welch (1947), "The generalization of 'Student's' problem when several
    different population variances are involved", Biometrika 34; Satterthwaite (1946), Biometrics Bulletin 2.
    """
    log_old, log_new = np.log(old), np.log(new)
    variance_old, variance_new = _standard_deviation(log_old) ** 2, _standard_deviation(log_new) ** 2
    part_old, part_new = variance_old / log_old.size, variance_new / log_new.size
    total, squares = part_old + part_new, part_old**2 / (log_old.size - 1) + part_new**2 / (log_new.size - 1)
    fourth = variance_old**2 + variance_new**2
    return Estimate(
        mean=float(log_new.mean() - log_old.mean()),
        spread=math.sqrt(variance_old + variance_new),
        error=math.sqrt(total),
        freedom=total**2 / squares if squares > 0 else log_old.size + log_new.size - 2,
        freedom_per_block=(variance_old + variance_new) ** 2 / fourth if fourth > 0 else 2.0,
        blocks=min(log_old.size, log_new.size),
    )


def _standard_deviation(values: NDArray[np.float64]) -> float:
    """Return the sample standard deviation, with exactly 0 for values that differ by rounding only."""
    deviation = float(values.std(ddof=1))
    rounding = 16 * float(np.finfo(np.float64).eps) * max(1.0, float(np.abs(values).max()))
    return 0.0 if deviation <= rounding else deviation
