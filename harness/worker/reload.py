"""The tenth load in a process: whether loading, dropping and loading again gets slower or faster with every turn."""

from __future__ import annotations

import gc
from typing import Any, Dict

import numpy as np

from harness.formats import registry
from harness.worker import device, outputs, page_cache
from harness.worker.recorder import Recorder
from harness.worker.source import Source

LOADS = 10
LAST = 3
"""The median of the last loads is reported: one alone would be as noisy as any."""


def run(tf: Any, request: Dict[str, Any], recorder: Recorder) -> None:
    """Load ten times, the page cache warm and what was loaded before dropped and collected; report the last ones.

    request: device, model, reader, artifact, expected.
    """
    source = Source(request)
    reader, path = registry.READERS[request["reader"]], request["artifact"]
    with recorder.phase("fill page cache", "evict"):
        page_cache.fill(path)
    device.initialise(tf, request["device"], recorder)
    intervals, loaded = [], None
    for number in range(1, LOADS + 1):
        del loaded
        with recorder.phase("collect garbage", "set-up"):
            gc.collect()
        with recorder.phase(f"load {number}", "sample" if number > LOADS - LAST else "warm-up") as interval:
            loaded = reader.read(tf, path, source.endpoint)
            tf.test.experimental.sync_devices()
        intervals.append(interval)
    with recorder.phase("compare output", "check"):
        output = reader.callable_of(loaded, source.endpoint)(source.tensors(tf, source.base_batch))
        outputs.require_equal(output, request, recorder, plausible=source.has_checked_output)
    last = intervals[-LAST:]
    recorder.report("load_tenth_s", float(np.median([interval.wall_s for interval in last])))
    recorder.report("load_tenth_cpu_s", float(np.median([interval.cpu_s for interval in last])))
    recorder.evidence["loads_s"] = [interval.wall_s for interval in intervals]
