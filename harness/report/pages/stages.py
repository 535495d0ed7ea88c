"""What a user does when a metric counts: the groups in which pages show what was measured."""

from __future__ import annotations

from harness.metrics import METRICS, Kind, Metric

START, SAVE, LOAD, INFERENCE, DISK, MEMORY, OTHER = (
    "Start", "Save", "Load", "Inference", "On disk", "Memory", "Promises and failures",
)  # fmt: skip
ORDER = (START, SAVE, LOAD, INFERENCE, DISK, MEMORY, OTHER)

_START = ("import", "device_init", "build", "first_result")
_BY_OPERATION = {
    "save": SAVE, "load": LOAD, "reload": LOAD, "infer": INFERENCE, "calls": INFERENCE, "profile": INFERENCE,
    "first-result": START,
}  # fmt: skip
_CALLS = ("first_call", "early_calls")


def stage(metric: str) -> str:
    """Return the group of a metric, "" for one that is not this project's."""
    known = METRICS.get(metric)
    if known is None:
        return OTHER if metric == "cell_failed" else ""
    if known.kind in (Kind.HOST_MEMORY, Kind.ALLOCATOR) or known.operation == "memory":
        return MEMORY
    if known.kind is Kind.EXACT:
        return DISK if metric.startswith(("artifact_", "graph_")) else OTHER
    if metric.startswith(_START):
        return START
    return INFERENCE if metric.startswith(_CALLS) else _BY_OPERATION.get(known.operation, OTHER)


def quality(metric: str, unit: str) -> str:
    """Return what kind of number a metric is, by which rows are found: time, memory, size or count."""
    known: Metric | None = METRICS.get(metric)
    if unit.endswith("seconds"):
        return "time"
    if known is not None and known.kind in (Kind.HOST_MEMORY, Kind.ALLOCATOR):
        return "memory"
    return "size" if unit == "bytes" else "count"
