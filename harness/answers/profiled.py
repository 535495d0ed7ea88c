"""What the wall clock of a steady call measures, the kernels or what dispatches them: from the profiler's pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.answers.measured import Measured

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
    def measures_kernels(self) -> bool:
        """Whether the last profiled subject's wall clock measures its kernels rather than what dispatches them."""
        return next(share for share in reversed(self.busy) if share is not None) >= MOSTLY

    @property
    def is_told_by_incomplete_trace(self) -> bool:
        """Whether the trace of the last profiled subject misses kernels."""
        pairs = zip(self.busy, self.incomplete, strict=True)
        return [lacking for share, lacking in pairs if share is not None][-1]


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
