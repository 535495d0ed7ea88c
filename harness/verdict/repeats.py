"""How often a block measures each operation: time goes where the noise keeps rows from being settled.

A block's time is fixed; what is chosen is its division. The noise of a row is taken apart into what differs between
the pairs of a block, which more repeats average out, and what differs between blocks, which they do not (two-stage
sampling: Cochran (1977), "Sampling techniques", chapter 10). Only spreads and margins are looked at, never a mean, its
sign or a verdict, so a row's chance of being called does not depend on what its first blocks happened to show.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from harness.verdict.differences import middle_variance
from harness.verdict.power import power_within

FEWEST, MOST = 0.5, 2.0
"""Between which multiples of the plan's repeats a block's are chosen."""
_POWER = 0.90

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class RowNoise:
    """The noise of a row, on the log scale, and how small it has to be.

    `within` is the standard deviation of a pair about its block, `between` that of a block beyond what its pairs
    explain; `pairs` are those of a block that `repeats` repeats gave, `others` those that other operations gave;
    `target` is the standard deviation of a block's difference at which the blocks of the run settle the row.
    """

    within: float
    between: float
    pairs: float
    others: float
    target: float

    def variance(self, share: float) -> float:
        """Return the variance of a block's difference, over its target, with so many times the repeats."""
        pairs = self.others + self.pairs * share
        found = self.between**2 + self.within**2 * _middle(pairs)
        return found / self.target**2


@dataclass(frozen=True, slots=True)
class Repeated:
    """An operation of a block: how often the plan repeats it, the seconds of one repeat in all its cells, its rows."""

    planned: int
    seconds: float
    rows: Sequence[RowNoise]

    def excess(self, repeats: int) -> float:
        """Return how far the variances of its rows are above what would settle them, in all."""
        return sum(max(0.0, row.variance(repeats / self.planned) - 1.0) for row in self.rows)

    def variance(self, repeats: int) -> float:
        """Return the sum of its rows' variances over their targets."""
        return sum(row.variance(repeats / self.planned) for row in self.rows)


def allotted(operations: Mapping[Key, Repeated]) -> dict[Key, int]:
    """Return the repeats of each operation, in no more time than the plan's.

    Each has at least half of the plan's. The rest of the time goes, repeat by repeat, where a second takes most from
    the variance of rows that it does not settle yet; once all are, where it takes most from any; at most to twice the
    plan's.
    """
    chosen = {key: max(1, math.ceil(FEWEST * each.planned)) for key, each in operations.items()}
    left_s = sum((each.planned - chosen[key]) * each.seconds for key, each in operations.items())

    def gain(key: Key) -> tuple[float, float]:
        each, now = operations[key], chosen[key]
        return (
            (each.excess(now) - each.excess(now + 1)) / each.seconds,
            (each.variance(now) - each.variance(now + 1)) / each.seconds,
        )

    while True:
        able = [
            key
            for key, each in operations.items()
            if chosen[key] < math.floor(MOST * each.planned) and each.seconds <= left_s + 1e-9
        ]
        if not able:
            return chosen
        best = max(able, key=gain)
        chosen[best] += 1
        left_s -= operations[best].seconds


def settling_spread(blocks: int, margin: float, freedom_per_block: float = 1.0) -> float:
    """Return the standard deviation of a block's difference up to which an unchanged row is shown to be so, at 90 %."""
    low, high = 0.0, 1.0
    for _ in range(30):
        spread = (low + high) / 2
        enough = power_within(0.0, spread / math.sqrt(blocks), (blocks - 1) * freedom_per_block, margin) >= _POWER
        low, high = (spread, high) if enough else (low, spread)
    return low


def _middle(pairs: float) -> float:
    """Return the variance of the middle of so many pairs; between whole numbers, by proportion."""
    below = max(1, math.floor(pairs))
    part = max(0.0, pairs - below)
    return (1 - part) * middle_variance(below) + part * middle_variance(below + 1)
