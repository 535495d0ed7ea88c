"""Taints: what each kind says in plain words, and which metrics of a repeat it concerns."""

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

_WORDS = {
    "foreign-load": "other programs used the CPU",
    "steal": "the hypervisor took the CPU away",
    "swap-in": "memory was swapped in",
    "governor": "the CPU frequency governor changed",
    "not-cold": "the page cache was not cold",
    "not-warm": "the page cache was not warm",
    "cold-import": "the import was read from disk",
    "throttle": "the GPU was throttled",
    "foreign-gpu": "other programs used the GPU",
    "jit-compiled": "the driver compiled GPU kernels",
    "retried": "only a second try worked",
    "low-disk": "the disk was nearly full",
    "low-shm": "shared memory was nearly full",
}

_CLOCK_FREE = (Kind.EXACT, Kind.ALLOCATOR)


def kind_of(taint: str) -> str:
    """Return the kind of a taint, the text before the colon: "steal" of "steal: 12 % of CPU time"."""
    return taint.partition(":")[0]


def described(taint: str) -> str:
    """Return a taint, or a kind of taint, in plain words: "the hypervisor took the CPU away: 12 % of CPU time"."""
    kind, colon, detail = taint.partition(":")
    return f"{_WORDS.get(kind, kind)}{colon}{detail}"


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
