"""Steady calls in short slices, in turn with another process: the speed of the machine then is the same for both."""

from __future__ import annotations

import functools
import gc
import time
from typing import Any, Dict, List

import numpy as np

from harness.formats import registry
from harness.worker import device, outputs, page_cache, steady
from harness.worker.recorder import Recorder
from harness.worker.source import Source

DROPPED_S = 0.002
"""Calls at a slice's beginning that do not count, as many as take this long and at least one: caches are cold. Of
calls that take 50 ms and longer none is dropped."""
LONG_S = 0.05
FEWEST_CALLS = 3
_NOTHING: Dict[str, Any] = {}


def run(tf: Any, request: Dict[str, Any], recorder: Recorder) -> None:
    """Load, warm up at each batch size, then make slices as the host orders, until it orders an end.

    Each slice answers with the median seconds of its calls, their number, its wall seconds, and the CPU seconds that
    this process used since its slice before, while it should have been idle.

    request: device, model, reader, artifact, expected, batches, window_s (bounds the warm-up), hold.
    """
    source = Source(request)
    reader, path, hold = registry.READERS[request["reader"]], request["artifact"], request["hold"]
    with recorder.phase("fill page cache", "evict"):
        page_cache.fill(path)
    device.initialise(tf, request["device"], Recorder())
    with recorder.phase("load", "set-up"):
        loaded = reader.read(tf, path, source.endpoint)
        call = reader.callable_of(loaded, source.endpoint)
    with recorder.phase("compare output", "check"):
        output = call(source.tensors(tf, source.base_batch))
        outputs.require_equal(output, request, recorder, plausible=source.has_checked_output)
    values = {batch: source.tensors(tf, batch) for batch in request["batches"]}
    barrier, clock = tf.test.experimental.sync_devices, time.perf_counter

    def timed_call(batch: int) -> float:
        start = clock()
        call(values[batch])
        barrier()
        return clock() - start

    with recorder.phase("warm-up", "warm-up"):
        for batch in values:
            steady.warm_up(functools.partial(timed_call, batch), request["window_s"] * steady.CAP)
        gc.collect()
    with recorder.phase("slices", "sample"):
        answer = _NOTHING
        while True:
            order = hold("slice", **answer)
            if order.get("batch") is None:
                return
            # Before the first slice, it waited while the other process still loaded: that is no sign of anything.
            idle_cpu_s = order["idle_cpu_s"] if answer else 0.0
            made = _slice(functools.partial(timed_call, order["batch"]), order["slice_s"])
            answer = dict(made, idle_cpu_s=idle_cpu_s)


def _slice(timed_call: Any, slice_s: float) -> Dict[str, Any]:
    """Make calls for so many seconds and return what they took, those at the beginning left out."""
    start = time.perf_counter()
    durations: List[float] = []
    while time.perf_counter() - start < slice_s or len(durations) < FEWEST_CALLS + 1:
        durations.append(timed_call())
        if durations[0] >= LONG_S and len(durations) >= FEWEST_CALLS:
            break
    wall_s = time.perf_counter() - start
    dropped = 0
    if durations[0] < LONG_S:
        dropped = 1
        while sum(durations[:dropped]) < DROPPED_S and len(durations) - dropped > FEWEST_CALLS:
            dropped += 1
    counted = durations[dropped:]
    return {"median_s": float(np.median(counted)), "calls": len(counted), "wall_s": wall_s}
