"""When a run ends: after its blocks, within a budget, by a deadline, or once nothing more would be settled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from harness.measure.presets import Cell, Preset
from harness.store.runs import RunDirectory


class Review(Protocol):
    """Judges a run after a look, on behalf of `measure`, which judges nothing."""

    def __call__(self, run: RunDirectory, left_s: float) -> frozenset[Cell] | None:
        """Return the cells that need more blocks, None if no block would settle anything.

        `run.facts["looks"]` names the looks taken, this one included; `left_s` are the seconds left.
        """


class Allot(Protocol):
    """Divides the time of a block between its operations, on behalf of `measure`, which looks at no noise."""

    def __call__(self, run: RunDirectory, number: int, preset: Preset) -> Preset:
        """Return a test plan with the repeats of block `number`, which has not begun."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a run ends before its preset's number of blocks, or goes on beyond it."""

    budget_s: float | None = None  # with a review: no block starts that cannot end in it; else it fixes the blocks
    review: Review | None = None  # belongs to a plan with looks
    allot: Allot | None = None  # None: each block has the repeats of the plan
    deadline: float | None = None  # time.monotonic(): no block starts that cannot end by then
    extend: bool = False  # add the preset's number of blocks to a run of the same plan that has ended
