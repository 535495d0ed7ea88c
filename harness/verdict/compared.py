"""What of a row is held against each other: block by block where blocks hold both sides, else side against side."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.verdict import intervals
from harness.verdict.differences import block_differences
from harness.verdict.intervals import Estimate
from harness.verdict.rows import RowInput


@dataclass(frozen=True, slots=True)
class Paired:
    """A row's log ratios new / old, one a block, by block number."""

    differences: Mapping[int, float]

    @property
    def blocks(self) -> int:
        """How many blocks have a difference."""
        return len(self.differences)

    def until(self, block: int) -> Paired:
        """Return the same of the blocks before this one."""
        return Paired({number: value for number, value in self.differences.items() if number < block})

    def estimate(self) -> Estimate:
        """Return the estimate from all blocks, at least two."""
        return intervals.paired(np.array([self.differences[block] for block in sorted(self.differences)]))


@dataclass(frozen=True, slots=True)
class Apart:
    """A row's samples of two sides that were measured apart, by block number or any other."""

    old: Mapping[int, float]
    new: Mapping[int, float]

    @property
    def blocks(self) -> int:
        """How many samples the smaller side has."""
        return min(len(self.old), len(self.new))

    def until(self, block: int) -> Apart:
        """Return the same of the blocks before this one."""
        return Apart(*({number: value for number, value in side.items() if number < block} for side in self._sides()))

    def estimate(self) -> Estimate:
        """Return the estimate from positive samples, at least two a side."""
        sides = [np.array([side[block] for block in sorted(side)], dtype=np.float64) for side in self._sides()]
        return intervals.unpaired(*sides)

    def _sides(self) -> tuple[Mapping[int, float], Mapping[int, float]]:
        return self.old, self.new


Compared = Paired | Apart


def finite(samples: tuple[tuple[int, float], ...]) -> dict[int, float]:
    """Return the samples that are finite numbers, by block."""
    return {block: float(value) for block, value in samples if math.isfinite(value)}


def in_common(row: RowInput, old: dict[int, float], new: dict[int, float]) -> tuple[dict[int, float], dict[int, float]]:
    """Return both sides' samples of the blocks that hold both, and a whole pair where the row has pairs."""
    held = old.keys() & new.keys()
    common = sorted(held if row.pairs is None else held & {block for block, _, _ in row.pairs})
    return {block: old[block] for block in common}, {block: new[block] for block in common}


def has_log_ratios(row: RowInput) -> bool:
    """Whether the row has pairs, all positive: with a count of 0 among them its samples are judged."""
    return row.paired and bool(row.pairs) and all(min(old, new) > 0 for _, old, new in row.pairs or ())


def compared_of(row: RowInput, old: dict[int, float], new: dict[int, float]) -> Compared:
    """Return what is held against each other; `old` and `new` are positive, of the same blocks where paired."""
    if not row.paired:
        return Apart(old, new)
    if not has_log_ratios(row):
        return Paired({block: math.log(new[block]) - math.log(old[block]) for block in old})
    return Paired({block: value for block, value in block_differences(row.pairs or ()).items() if block in old})
