"""What dominates the latency of a warmed-up inference, as the cells of a table."""

from __future__ import annotations

from collections.abc import Sequence

from harness.answers.profiled import MOSTLY, Profiled
from harness.report.numbers import percent, quantity

HEADING = "What dominates the latency of a warmed-up inference (TensorFlow's profiler, measured separately)"
COLUMNS = ("kernels", "kernel time", "kernel running", "dominated by")
LEGEND = (
    "Of one inference: how many kernels (operations on the device) it runs, their time added up, and the share of the "
    f"latency in which at least one runs. From {percent(MOSTLY)} on, the kernels dominate the latency; below, "
    "dispatching them from the host does. ≥: at least so much, since the profiler may have missed some."
)

AT_LEAST = "≥"
"""Before a lower bound: a trace that may lack kernels holds no more than what ran, and bounds all three from below."""


def profiled_cells(call: Profiled) -> tuple[str, ...]:
    """Return the texts for `COLUMNS`, "old -> new" where several have a cell, "≥" before what is a lower bound."""
    measured = ((call.kernels, "kernels"), (call.kernel_s, "seconds"), (call.busy, "ratio"))
    return *(_subjects(call, values, unit) for values, unit in measured), _measures(call)


def _measures(call: Profiled) -> str:
    if call.measures_kernels:
        return "kernels"
    return "dispatch (incomplete trace)" if call.is_told_by_incomplete_trace else "dispatch"


def _subjects(call: Profiled, values: Sequence[float | None], unit: str) -> str:
    if all(value is None for value in values):
        return "n/a"
    pairs = zip(values, call.bounds, strict=True)
    return " -> ".join(_bounded(value, unit, is_bound) for value, is_bound in pairs)


def _bounded(value: float | None, unit: str, is_bound: bool) -> str:
    if value is None:
        return "n/a"
    return (AT_LEAST if is_bound else "") + (percent(value) if unit == "ratio" else quantity(value, unit))
