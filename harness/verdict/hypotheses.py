"""Tests of an estimated log ratio against a margin, and what many of them together are worth.

A margin of m means a change by the factor 1 + m in either direction: log(1 + m) up and -log(1 + m) down, symmetric on
the log scale, so that swapping old and new turns a regression into an improvement of equal strength.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from harness.verdict.intervals import Estimate


def beyond_margin(estimate: Estimate, margin: float) -> float:
    """Return the p-value of "the true ratio lies outside the margin", two-sided.

    One one-sided t test per direction: H0 log ratio <= log(1+m) for a regression, log ratio >= -log(1+m) for an
    improvement. A row brings its smaller p-value, doubled for having looked both ways (Bonferroni over the two): that
    is valid for every margin, becomes the usual two-sided t test at margin 0, and makes p <= 0.05 the same as a 95 %
    interval clear of the margin. Since each direction has a null hypothesis of its own, calling the wrong direction is
    among the errors that are controlled (directional errors with Benjamini-Hochberg: Benjamini and Yekutieli (2005),
    "False discovery rate-adjusted multiple confidence intervals for selected parameters", JASA 100).
    """
    reach = math.log1p(margin)
    upward = float(stats.t.sf((estimate.mean - reach) / estimate.error, estimate.freedom))
    downward = float(stats.t.cdf((estimate.mean + reach) / estimate.error, estimate.freedom))
    return min(1.0, 2 * min(upward, downward))


def within_margin(estimate: Estimate, margin: float) -> float:
    """Return the p-value of "the true ratio lies inside the margin" (equivalence).

    Two one-sided tests, H0 log ratio >= log(1+m) and H0 log ratio <= -log(1+m); the larger p-value counts, uncorrected
    since both must hold: Schuirmann (1987), "A comparison of the two one-sided tests procedure and the power approach",
    J. Pharmacokinetics and Biopharmaceutics 15. At margin 0 it can never hold.
    """
    reach = math.log1p(margin)
    below = float(stats.t.cdf((estimate.mean - reach) / estimate.error, estimate.freedom))
    above = float(stats.t.sf((estimate.mean + reach) / estimate.error, estimate.freedom))
    return max(below, above)


def complete_separation(old: Sequence[float], new: Sequence[float], paired: bool) -> float:
    """Return the two-sided permutation p-value of every new sample lying above every old one, or below; else 1.

    For counts that include zero, where a ratio means nothing. What may be exchanged if nothing changed is, in paired
    blocks, the two samples of a block: of 2^n ways to do so only two separate the sides (Fisher (1935), "The design of
    experiments", section 21); of unpaired samples all, C(n_old + n_new, n_old) ways (Pitman (1937), "Significance tests
    which may be applied to samples from any populations", J. R. Stat. Soc. Suppl. 4).
    """
    if max(old) < min(new) or max(new) < min(old):
        return min(1.0, 2 / (2 ** len(old) if paired else math.comb(len(old) + len(new), len(old))))
    return 1.0


def blocks_to_separate(level: float, paired: bool) -> int:
    """Return the fewest blocks at which complete separation is called at `level`, were it the only row."""
    blocks = 2
    while complete_separation([0.0] * blocks, [1.0] * blocks, paired) > level:
        blocks += 1
    return blocks


def false_discovery_q(p_values: Sequence[float]) -> list[float]:
    """Return the Benjamini-Hochberg adjusted p-values: calling rows with q <= 0.05 makes at most 5 % of calls false.

    Benjamini and Hochberg (1995), "Controlling the false discovery rate", J. R. Stat. Soc. B 57; proven for independent
    rows. Rows of one run share their blocks' noise; that two-sided t tests of such rows keep the rate is not proven but
    simulated (docs/trust.md).
    """
    if not p_values:
        return []
    return [float(q) for q in stats.false_discovery_control(np.asarray(p_values, dtype=np.float64), method="bh")]
