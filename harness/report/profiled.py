"""What the wall clock of a steady call measures, the kernels or what dispatches them: from the profiler's pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.remarks import Measured
from harness.report.numbers import percent, quantity

HEADING = "What the wall clock of a steady call measures (by TensorFlow's profiler, in a pass of its own)"
COLUMNS = ("kernels", "kernel time", "busy", "the wall clock measures")

AT_LEAST = "≥"
"""Before a lower bound: a trace that may lack kernels holds no more than what ran, and bounds all three from below."""
INCOMPLETE = "incomplete trace"

MOSTLY = 0.5
"""A kernel runs in at least this share of the wall: then the call's time is mostly theirs."""

_METRICS = ("profile_busy_share", "profile_kernels", "profile_kernel_s")

_ROUNDING = 1e-9
"""Relative: means of equal counts are that count but for the last bits."""


@dataclass(frozen=True, slots=True)
class Profiled:
    """One call, of a subject or of several side by side: share of the wall with a kernel, kernels, their seconds.

    Each of the three has a value a subject, None where there is none; `place` says which call it is.
    """

    place: Measured
    busy: tuple[float | None, ...]
    kernels: tuple[float | None, ...]
    kernel_s: tuple[float | None, ...]

    @property
    def incomplete(self) -> tuple[bool, ...]:
        """Return of each subject whether its trace misses kernels: every call runs the same ones."""
        return tuple(count is not None and abs(count - round(count)) > _ROUNDING * count for count in self.kernels)

    @property
    def bounds(self) -> tuple[bool, ...]:
        """Return of each subject whether its values are lower bounds.

        On the CPU they always are: of an operation that its executor takes for cheap, TensorFlow traces nothing, and a
        trace that lacks one in every call shows a whole number of kernels all the same.
        """
        return tuple(True for _ in self.kernels) if self.place.device == "cpu" else self.incomplete

    @property
    def measures(self) -> str:
        """Return what the last profiled subject's wall clock measures, and whether an incomplete trace tells it."""
        known = [pair for pair in zip(self.busy, self.incomplete, strict=True) if pair[0] is not None]
        share, lacking = known[-1]
        if share is not None and share >= MOSTLY:
            return "kernels"
        host = "the host" if self.place.device == "gpu" else "dispatch"
        return f"{host} ({INCOMPLETE})" if lacking else host

    def cells(self) -> tuple[str, ...]:
        """Return the texts for `COLUMNS`, "old -> new" where several have a cell, "≥" before what is a lower bound."""
        measured = ((self.kernels, "kernels"), (self.kernel_s, "seconds"), (self.busy, "ratio"))
        return *(self._subjects(values, unit) for values, unit in measured), self.measures

    def _subjects(self, values: Sequence[float | None], unit: str) -> str:
        if all(value is None for value in values):
            return "n/a"
        pairs = zip(values, self.bounds, strict=True)
        return " -> ".join(_bounded(value, unit, is_bound) for value, is_bound in pairs)


def profiled(*subjects: Sequence[Measured]) -> tuple[Profiled, ...]:
    """Return, in the order given, every call that was profiled in any of the subjects.

    Args:
        subjects: what was measured of each; calls that several have stand side by side.
    """
    values = [{one.key: one.value for one in measured} for measured in subjects]
    places = {one.key: one for measured in subjects for one in measured if one.metric == _METRICS[0]}
    found = []
    for key, place in places.items():
        busy, kernels, kernel_s = (
            tuple(of_subject.get((metric, *key[1:])) for of_subject in values) for metric in _METRICS
        )
        if any(share is not None for share in busy):
            found.append(Profiled(place, busy, kernels, kernel_s))
    return tuple(found)


def lower_bounds(old: Sequence[Measured], new: Sequence[Measured]) -> dict[tuple[str, str, str, str], list[str]]:
    """Return, by the key of each profiled row, which of its sides ("old", "new") are lower bounds."""
    found = {}
    for call in profiled(old, new):
        for metric, values in zip(_METRICS, (call.busy, call.kernels, call.kernel_s), strict=True):
            told = zip(("old", "new"), values, call.bounds, strict=True)
            found[metric, *call.place.key[1:]] = [
                side for side, value, is_bound in told if is_bound and value is not None
            ]
    return found


def _bounded(value: float | None, unit: str, is_bound: bool) -> str:
    if value is None:
        return "n/a"
    return (AT_LEAST if is_bound else "") + (percent(value) if unit == "ratio" else quantity(value, unit))
