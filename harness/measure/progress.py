"""What a run tells while it goes on. The command line draws it; a library caller can do without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from harness.measure.presets import Cell


@dataclass(frozen=True, slots=True)
class Step:
    """One repeat that is about to run."""

    block: int  # from 0
    blocks: int  # planned in all
    step: int  # from 0, within the block
    steps: int  # in this block
    subject: str
    operation: str
    cell: Cell | None  # None while TensorFlow is imported


class Progress(Protocol):
    """Receives what happens."""

    def say(self, line: str) -> None:
        """A line for the user."""

    def step(self, step: Step) -> None:
        """A repeat begins."""

    def block_done(self, block: int, blocks: int, duration_s: float) -> None:
        """A block is complete and on disk."""


class Silent:
    """Tells nothing."""

    def say(self, line: str) -> None:
        """Ignore it."""

    def step(self, step: Step) -> None:
        """Ignore it."""

    def block_done(self, block: int, blocks: int, duration_s: float) -> None:
        """Ignore it."""
