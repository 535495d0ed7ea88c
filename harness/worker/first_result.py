"""The time from the start of a process to its first result, as a user's own process would take it."""

from __future__ import annotations

from typing import Any, Dict

from harness.formats import registry
from harness.worker import device, outputs, page_cache
from harness.worker.recorder import Recorder
from harness.worker.source import Source


def run(tf: Any, request: Dict[str, Any], recorder: Recorder) -> None:
    """Measure one time to first result. Only a spawned process has one.

    The clock runs from the start of the process until TensorFlow is imported, and again over device
    initialisation, load and first call, input from and output to the host's memory. What the harness does between
    these (messages, garbage frozen, pages read) is outside.

    request: device, model, reader, artifact, expected, process (when it `started` and had `imported` TensorFlow, in
    seconds of the monotonic clock, and the `imported_cpu_s` until then).
    """
    process = request["process"]
    with recorder.phase("fill page cache", "evict"):
        page_cache.fill(request["artifact"])
    source = Source(request)
    values = source.inputs(source.base_batch)
    reader = registry.READERS[request["reader"]]
    initialised = device.initialise(tf, request["device"], recorder)
    with recorder.phase("load and first call") as interval:
        loaded = reader.read(tf, request["artifact"], source.endpoint)
        tensors = {name: tf.constant(value) for name, value in values.items()}
        output = outputs.host_arrays(reader.callable_of(loaded, source.endpoint)(tensors))
    with recorder.phase("compare output", "check"):
        outputs.require_equal(output, request, recorder, plausible=source.has_checked_output)
    before_s = process["imported"] - process["started"]
    recorder.report("first_result_s", before_s + initialised.wall_s + interval.wall_s)
    recorder.report("first_result_cpu_s", process["imported_cpu_s"] + initialised.cpu_s + interval.cpu_s)
