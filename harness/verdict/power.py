"""What a number of blocks can show: the change that would be seen, and the blocks that would settle a row.

A t statistic whose true mean lies d above the tested value follows the noncentral t distribution with noncentrality
d / standard error (Johnson, Kotz and Balakrishnan (1995), "Continuous univariate distributions" 2, chapter 31).
"""

from __future__ import annotations

import functools
import math

from scipy import special

POWER = 0.80
MOST_BLOCKS = 200
"""Beyond this many blocks, more blocks are not the answer."""

_LARGEST_LOG_CHANGE = math.log(10)


def detectable_log_change(error: float, freedom: float, margin: float, level: float = 0.05) -> float | None:
    """Return the smallest true log change that would be called beyond `margin` with 80 % power.

    `error` is the standard error of the log ratio with `freedom` degrees of freedom; `level` is the two-sided p-value
    at which a row is called. Solves P(T' > t(level / 2)) = 0.80 for the noncentrality of T'. None for a tenfold change
    or more: nothing useful can be said.
    """
    critical = _critical(level / 2, freedom)
    change = math.log1p(margin) + _noncentrality(critical, freedom) * error
    return change if math.isfinite(change) and change < _LARGEST_LOG_CHANGE else None


@functools.lru_cache(10_000)  # rows of one kind have the same degrees of freedom, and it takes two milliseconds
def _noncentrality(critical: float, freedom: float) -> float:
    return float(special.nctdtrinc(freedom, 1 - POWER, critical))


def power_beyond(change: float, error: float, freedom: float, margin: float, level: float = 0.05) -> float:
    """Return the probability that a true log `change` is called beyond `margin`, in its own direction."""
    critical = _critical(level / 2, freedom)
    return 1.0 - _miss(critical, freedom, (abs(change) - math.log1p(margin)) / error)


def power_within(change: float, error: float, freedom: float, margin: float, level: float = 0.05) -> float:
    """Return (a lower bound of) the probability that a true log `change` is found within `margin`.

    Each of the two one-sided tests misses with a noncentral t probability; the two together miss at most with the sum
    (Phillips (1990), "Power of the two one-sided tests procedure in bioequivalence", J. Pharmacokinetics 18, gives the
    exact integral; the bound is tight where the power is high, which is where it is used).
    """
    critical, reach = _critical(level, freedom), math.log1p(margin)
    misses = _miss(critical, freedom, (reach - change) / error) + _miss(critical, freedom, (reach + change) / error)
    return max(0.0, 1.0 - misses)


def blocks_to_settle(
    change: float,
    spread: float,
    margin: float,
    *,
    level: float,
    same_level: float = 0.05,
    freedom_per_block: float = 1.0,
    at_least: int = 2,
) -> int | None:
    """Return the blocks, in all, that would settle the row with 80 % power if `change` is the truth.

    `change` is a log change, `spread` the standard deviation of one block's log difference. Settled means
    beyond the margin (at `level`) where `change` is outside it, the same within it (at `same_level`) where inside.
    None if 200 blocks would not do: the change sits at the margin, or the noise is too large.
    """
    outside = abs(change) > math.log1p(margin)

    def settles(blocks: int) -> bool:
        error, freedom = spread / math.sqrt(blocks), (blocks - 1) * freedom_per_block
        if outside:
            return power_beyond(change, error, freedom, margin, level) >= POWER
        return power_within(change, error, freedom, margin, same_level) >= POWER

    low, high = max(2, at_least), MOST_BLOCKS
    if not settles(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if settles(middle) else (middle + 1, high)
    return low


def planned_detectable_ratio(
    spread: float, blocks: int, margin: float, rows: int = 1, share: float = 1.0
) -> float | None:
    """Return the smallest true ratio that one changed row among `rows` would be called for, planned before a run.

    `spread` is the standard deviation of one block's log difference that is expected; Benjamini-Hochberg asks 5 % /
    `rows` of the first row it calls, a look among several its `share` of that. None under two blocks, or for a tenfold
    change or more.
    """
    if blocks < 2:
        return None
    change = detectable_log_change(spread / math.sqrt(blocks), blocks - 1, margin, 0.05 * share / max(1, rows))
    return None if change is None else math.exp(change)


def _critical(level: float, freedom: float) -> float:
    """Return the value that a central t variable exceeds with probability `level`."""
    return -float(special.stdtrit(freedom, level))


def _miss(critical: float, freedom: float, noncentrality: float) -> float:
    """Return P(T' <= critical), for a critical value above 0."""
    probability = float(special.nctdtr(freedom, noncentrality, critical))
    if math.isnan(probability):  # scipy's series gives up far out, where the answer is 0 or 1 to six digits
        return 0.0 if noncentrality > critical else 1.0
    return probability
