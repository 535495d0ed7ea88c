"""Every metric that a record may hold: its name, unit, kind and whether it is judged.

To add a metric: add one entry here and one `context.report(...)` beside the operation that measures it
in `harness/worker/`. Tables, verdicts, the asv benchmarks and exports follow from the entry.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a metric's noise is like, hence how it is judged (docs/internals.md, "Statistics")."""

    TIME = "time"
    HOST_MEMORY = "host-memory"
    ALLOCATOR = "allocator"
    EXACT = "exact"
    WORK = "work"  # Python calls, counted beside what a metric times (harness/verdict/work.py)


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
        Metric(f"{name}_cpu_s", "CPU seconds", Kind.TIME, scope, operation, False, f"{title}, CPU time"),
    )


def _exact(name: str, unit: str, title: str, judged: bool = True) -> Metric:
    return Metric(name, unit, Kind.EXACT, Scope.WRITER, "save", judged, title)


def _device_need(operation: str, scope: Scope) -> Metric:
    title = f"peak GPU memory of {operation} (allocator)"
    return Metric(f"{operation}_device_need_bytes", "bytes", Kind.ALLOCATOR, scope, operation, True, title)


def _host_peak(operation: str, scope: Scope) -> Metric:
    title = f"peak host memory of {operation} (increase)"
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
        shown("item_s", "time per item"),
        shown("cpu_s", "mean CPU time", "CPU seconds"),
        shown("barrier_s", "synchronization overhead (idle device)"),
        shown("settled_call", "calls until latency is stable", "calls"),
    )


def _profile(part: str, unit: str, title: str) -> Metric:
    return Metric(f"profile_{part}", unit, Kind.TIME, Scope.CALL, "profile", False, title)


def _memory(where: str) -> tuple[Metric, ...]:
    """Return what harness/worker/memory.py reports of the host or the device. Growth may be negative: it is shown."""
    size, scope, growth = Kind.HOST_MEMORY, Scope.READER, f"{where} memory growth per load/unload cycle"
    return (
        Metric(
            f"{where}_retained_bytes",
            "bytes",
            size,
            scope,
            "memory",
            False,
            f"{where} memory still held after unloading",
        ),
        Metric(f"{where}_growth_bytes", "bytes", size, scope, "memory", False, growth),
        Metric(f"{where}_growth_low_bytes", "bytes", size, scope, "memory", False, f"{growth}, 95 % interval from"),
        Metric(f"{where}_growth_high_bytes", "bytes", size, scope, "memory", False, f"{growth}, 95 % interval to"),
        Metric(
            f"{where}_leaks", "leaks", Kind.EXACT, scope, "memory", True, f"{where} memory leak per load/unload cycle"
        ),
    )


_ALL = (
    *_time("import", Scope.SUBJECT, "import", "import TensorFlow"),
    *_time("device_init", Scope.DEVICE, "save", "device initialisation"),
    *_time("build", Scope.MODEL, "save", "build the model"),
    *_time("save_first", Scope.WRITER, "save", "first save (with tracing)"),
    *_time("save_later", Scope.WRITER, "save", "repeated save"),
    *_time("save_durable", Scope.WRITER, "save", "save with fsync"),
    _host_peak("save", Scope.WRITER),
    _exact("artifact_bytes", "bytes", "SavedModel size (without fingerprint.pb)"),
    _exact("artifact_graph_bytes", "bytes", "saved_model.pb"),
    _exact("artifact_variables_bytes", "bytes", "variables/"),
    _exact("artifact_other_bytes", "bytes", "assets and other files"),
    # Shown: it moves with artifact_bytes alone, and one change must not count as two.
    _exact("artifact_bytes_per_parameter_byte", "ratio", "SavedModel bytes per parameter byte", judged=False),
    _exact("artifact_files", "files", "files in the SavedModel"),
    _exact("graph_nodes", "nodes", "graph nodes (with library functions)"),
    _exact("graph_functions", "functions", "library functions"),
    _device_need("save", Scope.WRITER),
    *_time("load_cold", Scope.READER, "load", "load, cold page cache"),
    *_time("load_warm", Scope.READER, "load", "load, warm page cache"),
    *_time("load_again", Scope.READER, "load", "second load in the same process"),
    *_time("load_tenth", Scope.READER, "reload", "tenth load in the same process"),
    *_time("first_call", Scope.READER, "load", "first inference after load"),
    Metric(
        "outputs_not_bit_equal",
        "outputs",
        Kind.EXACT,
        Scope.READER,
        "load",
        True,
        "outputs not bit-identical to the original model",
    ),
    Metric(
        "first_call_device_need_bytes",
        "bytes",
        Kind.ALLOCATOR,
        Scope.READER,
        "load",
        True,
        "peak GPU memory of the first inference (allocator)",
    ),
    *_time("early_calls", Scope.READER, "load", "inference 2 to 10 after load, mean"),
    *_time("first_result", Scope.READER, "first-result", "process start to first result"),
    _host_peak("load", Scope.READER),
    _device_need("load", Scope.READER),
    *_steady("call", "calls", "inference latency"),
    *_time("call_first", Scope.READER, "calls", "first inference (with tracing and compiling)"),
    *_time("call_new_shape", Scope.READER, "calls", "inference with a new input shape"),
    Metric("call_failed", "calls", Kind.EXACT, Scope.READER, "calls", True, "call method that failed"),
    Metric("call_traces", "traces", Kind.EXACT, Scope.READER, "calls", True, "traces after all inferences"),
    *_time("resave", Scope.READER, "resave", "save of what was loaded"),
    Metric(
        "resave_host_peak_bytes",
        "bytes",
        Kind.HOST_MEMORY,
        Scope.READER,
        "resave",
        True,
        "peak host memory of saving what was loaded (increase)",
    ),
    Metric("resave_bytes", "bytes", Kind.EXACT, Scope.READER, "resave", True, "size of what was loaded, saved again"),
    Metric(
        "resave_growth_bytes",
        "bytes",
        Kind.EXACT,
        Scope.READER,
        "resave",
        True,
        "growth with each further load and save",
    ),
    Metric("resave_failed", "saves", Kind.EXACT, Scope.READER, "resave", True, "save of what was loaded that failed"),
    *_memory("host"),
    *_memory("device"),
    Metric(
        "device_footprint_peak_bytes",
        "bytes",
        Kind.HOST_MEMORY,
        Scope.READER,
        "memory",
        False,
        "peak GPU memory of the process over cycles (NVML, sampled)",
    ),
    _profile("wall_s", "seconds", "inference latency under the profiler"),
    _profile("kernel_s", "seconds", "kernel time per inference"),
    _profile("kernels", "kernels", "kernels per inference"),
    _profile("busy_share", "ratio", "share of the latency in which a kernel runs"),
    Metric("infer_energy_j", "joules", Kind.TIME, Scope.CALL, "memory", False, "energy per inference (whole GPU)"),
    Metric(
        "resume_broken_promises",
        "promises",
        Kind.EXACT,
        Scope.WRITER,
        "resume",
        True,
        "resuming training: checks that failed",
    ),
    *_time("resume_first_step", Scope.WRITER, "resume", "resuming training: restore and first step"),
    Metric(
        "custom_code_broken_promises",
        "promises",
        Kind.EXACT,
        Scope.WRITER,
        "custom-code",
        True,
        "loading without the original code: checks that failed",
    ),
    Metric("device_copy_floor_s", "seconds", Kind.TIME, Scope.WRITER, "floor", False, "raw copy to the GPU"),
    Metric(
        "device_footprint_bytes",
        "bytes",
        Kind.HOST_MEMORY,
        Scope.READER,
        "load",
        False,
        "GPU memory of the process (NVML)",
    ),
    *_steady("infer", "infer", "inference latency (signature)"),
    Metric(
        "matrix_floor_s",
        "seconds",
        Kind.TIME,
        Scope.DEVICE,
        "infer",
        False,
        "matrix multiplication (peak rate of this release)",
    ),
    _device_need("infer", Scope.CALL),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}

CELL_FAILED = Metric("cell_failed", "cells", Kind.EXACT, Scope.READER, "any", True, "failed (retried once)")
"""Not reported by a worker: the store counts it per block and cell, and it becomes a row where any side is not 0."""

FAILURES = (CELL_FAILED.name, "call_failed", "resave_failed")
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
