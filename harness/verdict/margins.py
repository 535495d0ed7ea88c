"""How large a change must be to matter: one table by kind of metric, overridable by pattern."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType

from harness.errors import UsageError
from harness.metrics import METRICS, Kind, Metric

MARGINS: Mapping[Kind, float] = MappingProxyType(
    {
        Kind.TIME: 0.10,  # the quick preset's; each preset brings its own
        Kind.HOST_MEMORY: 0.01,
        Kind.ALLOCATOR: 0.001,
        Kind.EXACT: 0.0,
        Kind.WORK: 0.02,
    }
)
"""Margins as fractions, where nothing says otherwise."""

LEAST_BYTES = 1024.0
"""A smaller change in bytes concerns nobody, whatever share it is."""

LEAST_HOST_PEAK_BYTES = float(4 << 20)
"""Of a host peak: it holds pages of TensorFlow's own code that a fork touches first, in which releases were seen to
differ by up to 4 MB whatever the model (docs/methodology.md, "Memory")."""


def least_change(metric: Metric | None, unit: str) -> float:
    """Return what a change must reach to be of interest, in the metric's unit; `metric` is None of an unknown one."""
    if metric is not None and metric.kind is Kind.HOST_MEMORY:
        return LEAST_HOST_PEAK_BYTES
    return LEAST_BYTES if unit == "bytes" else 0.0


@dataclass(frozen=True, slots=True)
class MarginTable:
    """Margins by kind, and overrides by a glob pattern over "metric/device/model/variant".

    `*` also matches "/", and a pattern may end after any part: "load_*/cpu" takes every load metric on the CPU,
    "load_warm_s" that metric everywhere. The last pattern that matches decides, so the general ones stand first.
    """

    by_kind: Mapping[Kind, float]
    overrides: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        named = [(kind.value, margin) for kind, margin in self.by_kind.items()] + list(self.overrides)
        for name, margin in named:
            if not 0 <= margin < 1:
                raise UsageError(f"The margin of {name} is {margin}: give a fraction from 0 to under 1 (0.05 is 5 %).")

    def margin(self, kind: Kind, metric: str, device: str, model: str, variant: str) -> float:
        """Return the margin, a fraction, of the row with this key."""
        for pattern, margin in reversed(self.overrides):
            if self.matches(pattern, metric, device, model, variant):
                return margin
        return self.by_kind[kind]

    @staticmethod
    def matches(pattern: str, metric: str, device: str, model: str, variant: str) -> bool:
        """Return whether a pattern takes the row with this key."""
        key = f"{metric}/{device}/{model}/{variant}"
        return fnmatchcase(key, pattern) or fnmatchcase(key, f"{pattern}/*")


Asked = Sequence[tuple[str | None, float]]
"""Margins that a user asked for beside the preset's, in order: by pattern, or for time in general (None)."""


def margin_table(
    time_margin: float, overrides: Mapping[str, float] | None = None, asked: Asked | None = None
) -> MarginTable:
    """Return the table of a preset: its margin for time, the fixed ones for the rest, and its overrides in order.

    What was `asked` for comes after and goes before all of that. Raises UsageError for a margin outside [0, 1).
    """
    wanted = asked or ()
    time = [margin for pattern, margin in wanted if pattern is None]
    by_kind = MappingProxyType({**MARGINS, Kind.TIME: time[-1] if time else time_margin})
    patterns = [(pattern, margin) for pattern, margin in wanted if pattern is not None]
    return MarginTable(by_kind, (*(overrides or {}).items(), *patterns))


def require_known(pattern: str) -> None:
    """Refuse a pattern whose first part matches no metric of this project: a misspelt one would change nothing.

    Raises:
        UsageError: no metric's name matches.
    """
    first = pattern.partition("/")[0]
    if not any(fnmatchcase(name, first) for name in METRICS):
        raise UsageError(f"No metric's name matches the margin's pattern {pattern!r}: write it like 'load_*/cpu/*'.")
