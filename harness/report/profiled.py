"""What the wall clock of a steady call measures, the kernels or what dispatches them: from the profiler's pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.report.numbers import percent, quantity
from harness.verdict.rows import Row

HEADING = "What the wall clock of a steady call measures (by TensorFlow's profiler, in a pass of its own)"
COLUMNS = ("kernels", "kernel time", "busy", "the wall clock measures")

MOSTLY = 0.5
"""A kernel runs in at least this share of the wall: then the call's time is mostly theirs."""


@dataclass(frozen=True, slots=True)
class Profiled:
    """One call, both sides: the rows of its share of the wall with a kernel, of its kernels and of their time."""

    busy: Row
    kernels: Row | None
    kernel_time: Row | None

    @property
    def measures(self) -> str:
        """Return what the new side's wall clock measures."""
        share = self.busy.old if self.busy.new is None else self.busy.new
        if share is not None and share >= MOSTLY:
            return "kernels"
        return "the host" if self.busy.device == "gpu" else "dispatch"

    def cells(self) -> tuple[str, ...]:
        """Return the texts for `COLUMNS`, "old, new" where a cell has both."""
        shares = " -> ".join("n/a" if side is None else percent(side) for side in (self.busy.old, self.busy.new))
        return _sides(self.kernels), _sides(self.kernel_time), shares, self.measures


def profiled(rows: Sequence[Row]) -> tuple[Profiled, ...]:
    """Return, in the rows' order, every call that was profiled on a side or both."""
    by_key = {row.key: row for row in rows}

    def beside(row: Row, metric: str) -> Row | None:
        return by_key.get((metric, *row.key[1:]))

    found: Iterable[Row] = (row for row in rows if row.metric == "profile_busy_share")
    return tuple(Profiled(row, beside(row, "profile_kernels"), beside(row, "profile_kernel_s")) for row in found)


def _sides(row: Row | None) -> str:
    return "n/a" if row is None else f"{quantity(row.old, row.unit)} -> {quantity(row.new, row.unit)}"
