"""A block's difference: the middle of its pairs' log ratios.

A pair is the same round (cell, pass, page cache, repeat) of a block in both subjects, measured one after the other.
What moves the machine for longer than a round, its clock or a neighbour, moves both sides of a pair and cancels in the
ratio; in a ratio of two medians, each of another moment, it does not. Of a block's pairs the middle half is averaged: a
pair in which one side was hit alone counts no more than any other beyond the middle (a trimmed mean: Tukey and
McLaughlin (1963), "Less vulnerable confidence and significance procedures for location based on a single sample",
Sankhya A 25). docs/trust.md has what it was chosen against.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

ESTIMATOR = "middle-half-of-pairs"
"""Names how a block's difference is made. Plans, calibrations and looks by another one's are not read."""

Pair = tuple[int, float, float]
"""Block, old and new value of one round; both positive."""


def trimmed(pairs: int) -> int:
    """Return how many of so many pairs are left out at either end: a quarter, rounded; none of one or two."""
    return (pairs + 1) // 4


def middle(log_ratios: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of the middle half of the log ratios along the last axis, which holds at least one."""
    count = log_ratios.shape[-1]
    left_out = trimmed(count)
    kept: NDArray[np.float64] = np.sort(log_ratios, axis=-1)[..., left_out : count - left_out].mean(axis=-1)
    return kept


def block_differences(pairs: Iterable[Pair]) -> dict[int, float]:
    """Return the log ratio new / old of each block that has a pair, by block, ascending."""
    by_block: dict[int, list[float]] = {}
    for block, old, new in pairs:
        by_block.setdefault(block, []).append(math.log(new) - math.log(old))
    return {block: float(middle(np.array(logs))) for block, logs in sorted(by_block.items())}


def middle_variance(pairs: int) -> float:
    """Return the variance of the middle half's mean of so many standard normal values.

    Simulated values up to twelve, 1.18 / n beyond, which is true within 3 %: tests/verdict/test_differences.py.
    """
    return _VARIANCES[pairs - 1] if pairs <= len(_VARIANCES) else 1.18 / pairs


_VARIANCES = (1.0, 0.5, 0.4487, 0.2983, 0.2269, 0.1841, 0.1745, 0.1477, 0.1282, 0.1134, 0.1096, 0.0984)
