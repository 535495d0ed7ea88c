"""What the wall clock of a steady call measures, the kernels or what dispatches them: from the profiler's pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.report.numbers import percent, quantity
from harness.verdict.rows import Row

HEADING = "What the wall clock of a steady call measures (by TensorFlow's profiler, in a pass of its own)"
COLUMNS = ("kernels", "kernel time", "busy", "the wall clock measures")

AT_LEAST = "≥"
"""Before a lower bound: a trace that may lack kernels holds no more than what ran, and bounds all three from below."""
INCOMPLETE = "incomplete trace"

MOSTLY = 0.5
"""A kernel runs in at least this share of the wall: then the call's time is mostly theirs."""

_ROUNDING = 1e-9
"""Relative: means of equal counts are that count but for the last bits."""


@dataclass(frozen=True, slots=True)
class Profiled:
    """One call, both sides: the rows of its share of the wall with a kernel, of its kernels and of their time."""

    busy: Row
    kernels: Row | None
    kernel_time: Row | None

    @property
    def incomplete(self) -> tuple[bool, bool]:
        """Return of the old and of the new side whether its trace misses kernels: every call runs the same ones."""
        counts = (None, None) if self.kernels is None else (self.kernels.old, self.kernels.new)
        old, new = (count is not None and abs(count - round(count)) > _ROUNDING * count for count in counts)
        return old, new

    @property
    def bounds(self) -> tuple[bool, bool]:
        """Return of the old and of the new side whether its values are lower bounds.

        On the CPU they always are: of an operation that its executor takes for cheap, TensorFlow traces nothing, and a
        trace that lacks one in every call shows a whole number of kernels all the same.
        """
        return (True, True) if self.busy.device == "cpu" else self.incomplete

    @property
    def measures(self) -> str:
        """Return what the new side's wall clock measures (else the old one's), and if the trace is incomplete."""
        share, lacking = self.busy.new, self.incomplete[1]
        if share is None:
            share, lacking = self.busy.old, self.incomplete[0]
        if share is None:
            return "n/a"
        if share >= MOSTLY:
            return "kernels"
        host = "the host" if self.busy.device == "gpu" else "dispatch"
        return f"{host} ({INCOMPLETE})" if lacking else host

    def cells(self) -> tuple[str, ...]:
        """Return the texts for `COLUMNS`, "old -> new" where a cell has both, "≥" before what is a lower bound."""
        return *(self._sides(row) for row in (self.kernels, self.kernel_time, self.busy)), self.measures

    def _sides(self, row: Row | None) -> str:
        if row is None:
            return "n/a"
        sides = zip((row.old, row.new), self.bounds, strict=True)
        return " -> ".join(_bounded(value, row.unit, is_bound) for value, is_bound in sides)


def profiled(rows: Sequence[Row]) -> tuple[Profiled, ...]:
    """Return, in the rows' order, every call that was profiled on a side or both."""
    by_key = {row.key: row for row in rows}

    def beside(row: Row, metric: str) -> Row | None:
        return by_key.get((metric, *row.key[1:]))

    found: Iterable[Row] = (row for row in rows if row.metric == "profile_busy_share")
    return tuple(Profiled(row, beside(row, "profile_kernels"), beside(row, "profile_kernel_s")) for row in found)


def lower_bounds(rows: Sequence[Row]) -> dict[tuple[str, str, str, str], list[str]]:
    """Return, by the key of each profiled row, which of its sides ("old", "new") are lower bounds."""
    return {
        row.key: [
            side
            for side, value, is_bound in zip(("old", "new"), (row.old, row.new), call.bounds, strict=True)
            if is_bound and value is not None
        ]
        for call in profiled(rows)
        for row in (call.busy, call.kernels, call.kernel_time)
        if row is not None
    }


def _bounded(value: float | None, unit: str, is_bound: bool) -> str:
    if value is None:
        return "n/a"
    return (AT_LEAST if is_bound else "") + (percent(value) if unit == "ratio" else quantity(value, unit))
