"""What of a row is held against each other: block by block where blocks hold both sides, else side against side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.verdict import intervals
from harness.verdict.intervals import Estimate


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
