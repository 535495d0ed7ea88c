"""The time from the start of a process to its first result, as a user's own process would take it."""

from __future__ import annotations

from typing import Any, Dict

import numpy as np

from harness.formats import registry
from harness.models import families
from harness.worker import device, outputs, page_cache
from harness.worker.recorder import Recorder
from harness.worker.save import expected_path


def run(tf: Any, request: Dict[str, Any], recorder: Recorder) -> None:
    """Measure one time to first result. Only a spawned process has one.

    The clock runs from the start of the process until TensorFlow is imported, and again over device
    initialisation, load and first call, input from and output to the host's memory. What the harness does between
    these (messages, garbage frozen, pages read) is outside.

    request: device, model, reader, artifact, process (when it `started` and had `imported` TensorFlow, in seconds of
    the monotonic clock, and the `imported_cpu_s` until then).
    """
    process = request["process"]
    with recorder.phase("fill page cache", "evict"):
        page_cache.fill(request["artifact"])
    values = families.inputs(request["model"], batch=1)
    reader = registry.READERS[request["reader"]]
    initialised = device.initialise(tf, request["device"], recorder)
    with recorder.phase("load and first call") as interval:
        loaded = reader.read(tf, request["artifact"])
        output = reader.callable_of(loaded)(tf.constant(values)).numpy()
    with recorder.phase("compare output", "check"):
        outputs.require_equal(output, np.load(expected_path(request["artifact"])), request["device"], recorder)
    before_s = process["imported"] - process["started"]
    recorder.report("first_result_s", before_s + initialised.wall_s + interval.wall_s)
    recorder.report("first_result_cpu_s", process["imported_cpu_s"] + initialised.cpu_s + interval.cpu_s)
