"""Which taint concerns which metric."""

from __future__ import annotations

from collections.abc import Mapping

from harness.metrics import Kind, Metric

CLOCK_TAINTS = (
    *("foreign-load", "steal", "throttle", "foreign-gpu", "jit-compiled", "governor"),
    *("low-disk", "low-shm"),
)
"""Kinds of taint that disturb clocks only, and `foreign-gpu` footprints: sizes, counts and memory held are the same on
a busy machine, so metrics of those kinds keep their values. Any other taint concerns every metric."""

PAGE_CACHE_TAINTS: Mapping[str, str | tuple[str, ...]] = {
    "not-cold": "load_cold",
    "not-warm": "load_warm",
    "cold-import": ("import", "first_result"),
}
"""Kinds of taint that say the page cache was not as wanted, and how the metrics begin that this concerns: the first
call or the second load of such a repeat never read the artifact from the page cache, while the time to first result
holds the import."""

_CLOCK_FREE = (Kind.EXACT, Kind.ALLOCATOR)


def kind(taint: str) -> str:
    """Return a taint's kind, the text before the colon: "steal: 12 % of CPU time" is of kind "steal"."""
    return taint.partition(":")[0]


def concerns(taint: str, name: str, metric: Metric | None) -> bool:
    """Return whether a taint concerns a metric.

    Args:
        taint: its text.
        name: the metric's name.
        metric: what is known of it; None of one that a newer harness measured.
    """
    found = kind(taint)
    if found in PAGE_CACHE_TAINTS:
        return name.startswith(PAGE_CACHE_TAINTS[found])
    if found not in CLOCK_TAINTS or metric is None:
        return True
    # Who else holds the GPU changes what NVML sees of it; nothing else changes how much memory a process holds.
    return metric.kind not in (_CLOCK_FREE if found == "foreign-gpu" else (*_CLOCK_FREE, Kind.HOST_MEMORY))
