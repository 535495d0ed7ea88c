"""Where the wall time of a steady call goes: TensorFlow's profiler, in a pass of its own; no other time is taken here.

At small batches the wall clock measures the host: Python, dispatch and the executor. What the device itself does stands
in the profiler's trace: how many kernels a call runs, how long they take, and in which share of the wall any runs.
"""

from __future__ import annotations

import math
import shutil
import time
from typing import Any, Callable, Dict, List, NamedTuple

from harness.formats import registry
from harness.formats.endpoint import Values
from harness.worker import device, outputs, page_cache, steady, trace
from harness.worker.recorder import Recorder, one_line
from harness.worker.source import Source

PROFILED_S = 0.2
"""Seconds of calls under the profiler."""
MOST_TRIES = 3
"""Traces made at most, of which the one with the most kernels counts. On the CPU a trace holds the operations that
TensorFlow's executor takes for expensive: whose runs, averaged as they come, took more than 8,000 cycles
(`KernelStats` in common_runtime/executor.cc). A cheap one is looked at in one of 16 runs, and one that was expensive
when it was traced stays so while the profiler is on. So an operation near that limit joins in the middle of a trace,
and is in the next one from its first call on."""
FEWEST_CALLS = 10
MOST_CALLS = 200
"""A trace of more than about a million events is cut off; the largest graphs here have some thousand a call."""
METRICS = ("profile_wall_s", "profile_kernel_s", "profile_kernels", "profile_busy_share")


def run(tf: Any, request: Dict[str, Any], recorder: Recorder) -> None:
    """Profile steady calls at each batch size.

    request: device, model, reader, artifact, expected, scratch (where traces are written), batches, window_s (bounds
    the warm-up, as for steady calls).
    """
    source = Source(request)
    reader, path = registry.READERS[request["reader"]], request["artifact"]
    with recorder.phase("fill page cache", "evict"):
        page_cache.fill(path)
    device.initialise(tf, request["device"], recorder)
    with recorder.phase("load", "set-up"):
        loaded = reader.read(tf, path, source.endpoint)
        call = reader.callable_of(loaded, source.endpoint)
    with recorder.phase("compare output", "check"):
        output = call(source.tensors(tf, source.base_batch))
        outputs.require_equal(output, request, recorder, plausible=source.has_checked_output)
    for batch in request["batches"]:
        _profile(tf, call, source, batch, request, recorder)


def _profile(
    tf: Any,
    call: Callable[[Values], Values],
    source: Source,
    batch: int,
    request: Dict[str, Any],
    recorder: Recorder,
) -> None:
    values = source.tensors(tf, batch)
    barrier, clock = tf.test.experimental.sync_devices, time.perf_counter

    def timed_call() -> float:
        start = clock()
        call(values)
        barrier()
        return clock() - start

    with recorder.phase(f"warm-up, batch {batch}", "warm-up"):
        call_s = steady.warm_up(timed_call, request["window_s"] * steady.CAP).medians_s[-1]
    calls = min(MOST_CALLS, max(FEWEST_CALLS, math.ceil(PROFILED_S / call_s)))
    counts: List[int] = []
    kept = None
    try:
        with recorder.phase(f"profile, batch {batch}", "check"):
            while not enough(counts, calls):
                traced = _traced(tf, lambda: (call(values), barrier()), calls, request)
                if not counts or len(traced.kernels.kernels) > max(counts):
                    kept = traced
                counts.append(len(traced.kernels.kernels))
    except (ImportError, OSError, tf.errors.OpError) as error:
        _absent(recorder, f"unsupported: {one_line(error)}", batch)
        return
    assert kept is not None
    wall_s, found = kept.wall_s, kept.kernels
    if not found.kernels:
        why = "; ".join(kept.errors) or "the profiler's trace names none on this device"
        _absent(recorder, f"no-kernels: {why}", batch)
        return
    recorder.report("profile_wall_s", wall_s / calls, batch)
    recorder.report("profile_kernel_s", found.kernel_s / calls, batch)
    recorder.report("profile_kernels", len(found.kernels) / calls, batch)
    recorder.report("profile_busy_share", found.busy_s / wall_s, batch)
    recorder.evidence[f"profile_b{batch}"] = {
        "calls": calls,
        "tries_kernels": [count / calls for count in counts],
        "copies": len(found.copies),
        "unprofiled_s": call_s,
        "complaints": [*kept.errors, *kept.warnings],
    }


def enough(kernels: List[int], calls: int) -> bool:
    """Return whether no further trace is needed after those with so many kernels in all, each of `calls` calls.

    Every call runs the same kernels, so a complete trace holds a multiple of the calls. Two that agree on it are
    enough; three are in any case.
    """
    agreed = [count for count in kernels if count % calls == 0 and kernels.count(count) > 1]
    return len(kernels) >= MOST_TRIES or bool(agreed)


class Traced(NamedTuple):
    """What one trace told."""

    wall_s: float
    kernels: trace.Kernels
    errors: List[str]
    warnings: List[str]


def _traced(tf: Any, call: Callable[[], Any], calls: int, request: Dict[str, Any]) -> Traced:
    """Make calls under the profiler and read what it wrote."""
    folder, clock = request["scratch"] + ".trace", time.perf_counter
    try:
        tf.profiler.experimental.start(folder, tf.profiler.experimental.ProfilerOptions(python_tracer_level=0))
        start = clock()
        for _ in range(calls):
            call()
        wall_s = clock() - start
        tf.profiler.experimental.stop()
        space = trace.read_trace(folder)
        return Traced(wall_s, trace.kernels_in(space, request["device"]), [*space.errors], [*space.warnings])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _absent(recorder: Recorder, reason: str, batch: int) -> None:
    for metric in METRICS:
        recorder.report_absent(metric, reason, batch)
