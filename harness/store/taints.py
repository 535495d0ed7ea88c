"""Taints: which metrics of a repeat each kind concerns, so that its value of them does not count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.metrics import METRICS, Kind

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


def kind_of(taint: str) -> str:
    """Return the kind of a taint, the text before the colon: "steal" of "steal: 12 % of CPU time"."""
    return taint.partition(":")[0]


def concerning(taints: Iterable[str], metric: str) -> list[str]:
    """Return those of a repeat's taints for which its value of a metric does not count.

    Of a metric that `harness.metrics` does not know, all but those of the page cache.
    """
    return [taint for taint in taints if _concerns(kind_of(taint), metric)]


def _concerns(kind: str, name: str) -> bool:
    metric = METRICS.get(name)
    if kind in PAGE_CACHE_TAINTS:
        return name.startswith(PAGE_CACHE_TAINTS[kind])
    if kind not in CLOCK_TAINTS or metric is None:
        return True
    # Who else holds the GPU changes what NVML sees of it; nothing else changes how much memory a process holds.
    return metric.kind not in (_CLOCK_FREE if kind == "foreign-gpu" else (*_CLOCK_FREE, Kind.HOST_MEMORY))
