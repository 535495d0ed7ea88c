"""Every metric that a record may hold: its name, unit, kind and whether it is judged.

To add a metric: add one entry here and one `context.report(...)` beside the operation that measures it
in `harness/worker/`. Tables, verdicts, the asv benchmarks and exports follow from the entry.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a metric's noise is like, hence how it is judged (docs/architecture.md, "Statistics")."""

    TIME = "time"
    HOST_MEMORY = "host-memory"
    ALLOCATOR = "allocator"
    EXACT = "exact"


class Scope(StrEnum):
    """What a metric's row is about; parts below the scope read "-" in the row's key."""

    SUBJECT = "subject"  # device, model and variant are "-"
    DEVICE = "device"  # model and variant are "-"
    MODEL = "model"  # variant is "-"
    WRITER = "writer"  # variant is the writer: "tf-module", with the way where there are several
    READER = "reader"  # variant is writer and reader: "tf-module/tf-load", likewise
    CALL = "call"  # as READER, with the batch: "tf-module/tf-load b32"


@dataclass(frozen=True, slots=True)
class Metric:
    """One named quantity. Less is better for every metric of this project."""

    name: str
    unit: str
    kind: Kind
    scope: Scope
    operation: str  # import, or the worker's operation that reports it (harness/worker/operations.py)
    judged: bool
    title: str


def _time(name: str, scope: Scope, operation: str, title: str, judged: bool = True) -> tuple[Metric, Metric]:
    """Return a wall-clock metric `<name>_s` and its CPU-seconds companion `<name>_cpu_s` (shown, not judged)."""
    return (
        Metric(f"{name}_s", "seconds", Kind.TIME, scope, operation, judged, title),
        Metric(f"{name}_cpu_s", "CPU seconds", Kind.TIME, scope, operation, False, f"{title}, CPU"),
    )


def _exact(name: str, unit: str, title: str, judged: bool = True) -> Metric:
    return Metric(name, unit, Kind.EXACT, Scope.WRITER, "save", judged, title)


def _device_need(operation: str, scope: Scope) -> Metric:
    title = f"device need of {operation}"
    return Metric(f"{operation}_device_need_bytes", "bytes", Kind.ALLOCATOR, scope, operation, True, title)


def _host_peak(operation: str, scope: Scope) -> Metric:
    title = f"host peak of {operation} above its baseline"
    return Metric(f"{operation}_host_peak_bytes", "bytes", Kind.HOST_MEMORY, scope, operation, True, title)


def _steady(name: str, operation: str, what: str) -> tuple[Metric, ...]:
    """Return what harness/worker/steady.py reports of one way to call; only the median is judged."""

    def shown(part: str, title: str, unit: str = "seconds", judged: bool = False) -> Metric:
        return Metric(f"{name}_{part}", unit, Kind.TIME, Scope.CALL, operation, judged, f"{what}, {title}")

    return (
        shown("p50_s", "median", judged=True),
        shown("p90_s", "90th percentile"),
        shown("p99_s", "99th percentile"),
        shown("min_s", "fastest"),
        shown("mad_s", "median absolute deviation"),
        shown("item_s", "seconds an item"),
        shown("cpu_s", "mean CPU", "CPU seconds"),
        shown("barrier_s", "barrier with nothing to wait for"),
        shown("settled_call", "call from which on it is steady", "calls"),
    )


def _profile(part: str, unit: str, title: str) -> Metric:
    return Metric(f"profile_{part}", unit, Kind.TIME, Scope.CALL, "profile", False, title)


def _memory(where: str) -> tuple[Metric, ...]:
    """Return what harness/worker/memory.py reports of the host or the device. Growth may be negative: it is shown."""
    size, scope, growth = Kind.HOST_MEMORY, Scope.READER, f"{where} growth a load and release"
    return (
        Metric(f"{where}_retained_bytes", "bytes", size, scope, "memory", False, f"{where} memory retained"),
        Metric(f"{where}_growth_bytes", "bytes", size, scope, "memory", False, growth),
        Metric(f"{where}_growth_low_bytes", "bytes", size, scope, "memory", False, f"{growth}, 95 % interval from"),
        Metric(f"{where}_growth_high_bytes", "bytes", size, scope, "memory", False, f"{growth}, 95 % interval to"),
        Metric(f"{where}_leaks", "leaks", Kind.EXACT, scope, "memory", True, f"{where} memory leaks a cycle"),
    )


_ALL = (
    *_time("import", Scope.SUBJECT, "import", "import TensorFlow"),
    *_time("device_init", Scope.DEVICE, "save", "device initialisation"),
    *_time("build", Scope.MODEL, "save", "build the model"),
    *_time("save_first", Scope.WRITER, "save", "save, first in the process"),
    *_time("save_later", Scope.WRITER, "save", "save, later ones"),
    *_time("save_durable", Scope.WRITER, "save", "save, files and directories on the disk"),
    _host_peak("save", Scope.WRITER),
    _exact("artifact_bytes", "bytes", "artifact without fingerprint.pb"),
    _exact("artifact_graph_bytes", "bytes", "saved_model.pb"),
    _exact("artifact_variables_bytes", "bytes", "variables/"),
    _exact("artifact_other_bytes", "bytes", "assets and other files"),
    # Shown: it moves with artifact_bytes alone, and one change must not count as two.
    _exact("artifact_bytes_per_parameter_byte", "ratio", "artifact bytes per parameter byte", judged=False),
    _exact("artifact_files", "files", "files in the artifact"),
    _exact("graph_nodes", "nodes", "graph nodes, library functions included"),
    _exact("graph_functions", "functions", "functions in the graph's library"),
    _device_need("save", Scope.WRITER),
    *_time("load_cold", Scope.READER, "load", "load, artifact's pages evicted"),
    *_time("load_warm", Scope.READER, "load", "load, page cache warm"),
    *_time("load_again", Scope.READER, "load", "load, second in the process"),
    *_time("load_tenth", Scope.READER, "reload", "load, tenth in the process"),
    *_time("first_call", Scope.READER, "load", "first call after load"),
    Metric("outputs_not_bit_equal", "outputs", Kind.EXACT, Scope.READER, "load", True, "outputs not bit for bit kept"),
    Metric(
        "first_call_device_need_bytes", "bytes", Kind.ALLOCATOR, Scope.READER, "load", True, "device need, first call"
    ),
    *_time("early_calls", Scope.READER, "load", "calls 2 to 10, mean"),
    *_time("first_result", Scope.READER, "first-result", "start of the process to its first result"),
    _host_peak("load", Scope.READER),
    _device_need("load", Scope.READER),
    *_steady("call", "calls", "steady call"),
    *_time("call_first", Scope.READER, "calls", "first call, tracing and compiling included"),
    *_time("call_new_shape", Scope.READER, "calls", "call of a new shape"),
    Metric("call_failed", "calls", Kind.EXACT, Scope.READER, "calls", True, "way to call that failed"),
    Metric("call_traces", "traces", Kind.EXACT, Scope.READER, "calls", True, "traces after all calls"),
    *_memory("host"),
    *_memory("device"),
    Metric(
        "device_footprint_peak_bytes",
        "bytes",
        Kind.HOST_MEMORY,
        Scope.READER,
        "memory",
        False,
        "peak device footprint over cycles (NVML, sampled)",
    ),
    _profile("wall_s", "seconds", "steady call under the profiler"),
    _profile("kernel_s", "seconds", "kernel time of a call"),
    _profile("kernels", "kernels", "kernels of a call"),
    _profile("busy_share", "ratio", "share of the wall in which a kernel runs"),
    Metric("infer_energy_j", "joules", Kind.TIME, Scope.CALL, "memory", False, "energy of a call, whole GPU"),
    Metric("resume_broken_promises", "promises", Kind.EXACT, Scope.WRITER, "resume", True, "resume: promises not kept"),
    *_time("resume_first_step", Scope.WRITER, "resume", "resume: restore and first step"),
    Metric(
        "custom_code_broken_promises",
        "promises",
        Kind.EXACT,
        Scope.WRITER,
        "custom-code",
        True,
        "loading without the original code: promises not kept",
    ),
    Metric("device_copy_floor_s", "seconds", Kind.TIME, Scope.WRITER, "floor", False, "raw copy to the device"),
    Metric("device_footprint_bytes", "bytes", Kind.HOST_MEMORY, Scope.READER, "load", False, "device footprint (NVML)"),
    *_steady("infer", "infer", "steady signature call"),
    Metric("matrix_floor_s", "seconds", Kind.TIME, Scope.DEVICE, "infer", False, "matrix product by the release"),
    _device_need("infer", Scope.CALL),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}

CELL_FAILED = Metric("cell_failed", "cells", Kind.EXACT, Scope.READER, "any", True, "failed, although retried")
"""Not reported by a worker: the store counts it per block and cell, and it becomes a row where any side is not 0."""

FAILURES = (CELL_FAILED.name, "call_failed")
"""Metrics whose samples say whether an attempt failed (1) or not (0): a failure is no measurement."""

_BATCH = re.compile(r"(.+) b(\d+)")


def split_batch(variant: str) -> tuple[str, int | None]:
    """Return a variant without its batch, and the batch: "tf-module/tf-load xla b32" is of 32; None without one."""
    batched = _BATCH.fullmatch(variant)
    return (batched[1], int(batched[2])) if batched else (variant, None)


def variant_order(variant: str) -> tuple[str, int]:
    """Return a sort key of variants with the batch as a number: "tf-module/tf-load b8" goes before its "b128"."""
    place, batch = split_batch(variant)
    return place, batch or 0
