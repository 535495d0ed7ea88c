"""With few blocks, how noisy a row is can hardly be told from its own blocks: what like rows say is added.

The variance of n blocks has n - 1 degrees of freedom. Where all of four blocks happen to agree, a t test believes in a
noise that is not there; where they do not, it asks for changes of half the value. Smyth's moderated t takes a row's
variance for one drawn from those of like rows, a scaled inverse chi-square distribution with d0 degrees of freedom
around s0^2, and tests with

    (d0 s0^2 + d s^2) / (d0 + d)     and d0 + d degrees of freedom

where d0 and s0^2 come from how much the logarithms of the rows' variances scatter: Smyth (2004), "Linear models and
empirical Bayes methods for assessing differential expression in microarray experiments", Statistical Applications in
Genetics and Molecular Biology 3. Rows that are not alike give a d0 near 0, which is the plain t test. That theory is
for very many independent rows. A run has a dozen that share their blocks, so three things keep the rates
(docs/trust.md):

- a variance far below the others' (all blocks in one mode) counts as one that is low by chance;
- all like rows together weigh at most as much as two further blocks (`MOST`), however alike they seem;
- and (G - 1) / (G + 5) of that where there are G of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from harness.verdict.intervals import Estimate

ENOUGH = 12
"""From so many blocks on, a row's own variance is all that counts."""
MOST = 2.0
"""Degrees of freedom that like rows may add."""
LOW = 2.0
"""Standard deviations below the median of like rows: lower logarithms of variances count as this one."""
_FEW = 6.0


@dataclass(frozen=True, slots=True)
class Prior:
    """What like rows say of a row's noise: its variance, worth so many degrees of freedom."""

    variance: float
    freedom: float
    rows: int

    @property
    def weight(self) -> float:
        """The degrees of freedom that a row takes from the others."""
        return min(self.freedom, MOST) * (self.rows - 1) / (self.rows - 1 + _FEW)


def prior_of(estimates: Sequence[Estimate]) -> Prior | None:
    """Return what the variances of like rows say, None of under two that vary."""
    varying = [estimate for estimate in estimates if estimate.spread > 0]
    if len(varying) < 2:
        return None
    half = np.array([estimate.freedom / 2 for estimate in varying])
    logs = np.log([estimate.spread**2 for estimate in varying]) - special.digamma(half) + np.log(half)
    by_chance = special.polygamma(1, half)  # the variance of such a logarithm if the rows were alike
    logs = np.maximum(logs, np.median(logs) - LOW * np.sqrt(by_chance))
    scatter = float(logs.var(ddof=1) - by_chance.mean())
    if scatter <= 0:
        return Prior(math.exp(float(logs.mean())), math.inf, len(varying))
    half_freedom = _inverse_trigamma(scatter)
    location = float(logs.mean()) + float(special.digamma(half_freedom)) - math.log(half_freedom)
    return Prior(math.exp(location), 2 * half_freedom, len(varying))


def moderated(estimate: Estimate, prior: Prior | None) -> Estimate:
    """Return an estimate from paired blocks with the variance that like rows and its own blocks say together."""
    if prior is None or estimate.spread == 0 or estimate.blocks >= ENOUGH:
        return estimate
    own, borrowed = estimate.freedom, prior.weight
    variance = (borrowed * prior.variance + own * estimate.spread**2) / (borrowed + own)
    return replace(estimate, error=math.sqrt(variance / estimate.blocks), freedom=own + borrowed, borrowed=borrowed)


def _inverse_trigamma(value: float) -> float:
    """Return where the trigamma function has a positive value, by Newton's method on its inverse (Smyth's appendix)."""
    if value > 1e7:
        return 1 / math.sqrt(value)
    found = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(special.polygamma(1, found))
        step = trigamma * (1 - trigamma / value) / float(special.polygamma(2, found))
        found += step
        if abs(step) < 1e-8 * found:
            break
    return found
