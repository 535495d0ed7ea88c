"""The load and infer operations: read an artifact cold or warm, call it, and call it until it is steady."""

from __future__ import annotations

import gc
import os
from typing import Any, Callable, Dict, Optional

from harness.formats import registry
from harness.formats.endpoint import Values
from harness.worker import absence, arrays, device, floor, host_memory, outputs, page_cache, steady
from harness.worker.recorder import Recorder
from harness.worker.save import bits_path
from harness.worker.source import Source

RESIDENT_ALLOWED = 0.01
READ_ALLOWED = (0.9, 1.5, 1 << 20)
"""A cold load's bytes from storage: at least 0.9 times the artifact's, at most 1.5 times plus 1 MiB of
readahead and of the release's own files."""
EARLY_CALLS = 9
"""Calls 2 to 10."""


def run(tf: Any, request: Dict[str, Any], recorder: Recorder) -> None:
    """Measure one load repeat and, where the request names batches, steady calls at each.

    request: device, model, reader, artifact, expected, page_cache ("cold" or "warm"), again (load a second time),
    batches, window_s (seconds of timed calls a batch size).
    """
    source = Source(request)
    reader, path = registry.READERS[request["reader"]], request["artifact"]
    device.initialise(tf, request["device"], recorder)
    batch_of_one = source.tensors(tf, source.base_batch)
    recorder.evidence["input_device"] = next((one.device for one in batch_of_one.values()), None)
    # Read before the clocks start: what stands between the first call and the next ones is short.
    expected = outputs.read_expected(request)
    bits = arrays.load(bits_path(path)) if request["device"] == "cpu" and os.path.exists(bits_path(path)) else None
    loaded = _load(tf, reader, source, request, recorder)
    need = device.reset_need(tf, request["device"])
    with recorder.phase("first call") as interval:
        call = reader.callable_of(loaded, source.endpoint)
        output = call(batch_of_one)
        tf.test.experimental.sync_devices()
    with recorder.phase("compare output", "check"):
        outputs.require_equal(output, request, recorder, plausible=source.has_checked_output, expected=expected)
        if bits is not None:
            recorder.report("outputs_not_bit_equal", 0 if outputs.equal_bits(outputs.host_arrays(output), bits) else 1)
    device.report_need(tf, recorder, "first_call_device_need_bytes", need)
    recorder.report_time("first_call", interval)
    if request["operation"] == "load":
        _early_calls(tf, call, batch_of_one, recorder)
    if request["again"]:
        del loaded, call, output
        with recorder.phase("collect garbage", "set-up"):
            gc.collect()
        with recorder.phase("load, again") as interval:
            loaded = reader.read(tf, path, source.endpoint)
            tf.test.experimental.sync_devices()
        recorder.report_time("load_again", interval)
        call = reader.callable_of(loaded, source.endpoint)
        with recorder.phase("compare output", "check"):
            again = call(batch_of_one)
            has_checked = source.has_checked_output
            outputs.require_equal(again, request, recorder, "again", plausible=has_checked, expected=expected)
    if request.get("hold"):
        with recorder.phase("host reads NVML", "check"):
            request["hold"]("loaded")
    for batch in request["batches"]:
        _steady(tf, call, source, batch, request, recorder)
    if request["operation"] == "infer" and request["keep"]:
        floor.multiply(tf, request["device"], recorder)


def _load(tf: Any, reader: Any, source: Source, request: Dict[str, Any], recorder: Recorder) -> Any:
    path, page_state = request["artifact"], request["page_cache"]
    with recorder.phase("evict" if page_state == "cold" else "fill page cache", "evict"):
        if page_state == "cold":
            page_cache.evict(path)
        else:
            page_cache.fill(path)
        resident = page_cache.resident_fraction(path)
    with recorder.phase("collect garbage", "set-up"):
        gc.collect()
    memory = host_memory.reset_peak()
    need = device.reset_need(tf, request["device"])
    read_before = page_cache.bytes_read()
    with absence.unsupported(request["reader"]), recorder.phase("load, " + page_state) as interval:
        loaded = reader.read(tf, path, source.endpoint)
        tf.test.experimental.sync_devices()
    read_after = page_cache.bytes_read()
    if page_state == "warm":
        # Reading from storage takes buffers of its own: a cold load's peak is another quantity.
        host_memory.report_peak(recorder, "load_host_peak_bytes", memory)
        device.report_need(tf, recorder, "load_device_need_bytes", need)
    recorder.report_time("load_" + page_state, interval)
    _judge_page_cache(recorder, page_state, resident, read_before, read_after, path)
    return loaded


def _judge_page_cache(
    recorder: Recorder,
    page_state: str,
    resident: float,
    read_before: Optional[int],
    read_after: Optional[int],
    path: str,
) -> None:
    """Store the evidence of a cold or warm load, and a taint where it does not bear the name out."""
    size = sum(os.path.getsize(name) for name in page_cache.files(path))
    read = None if read_before is None or read_after is None else read_after - read_before
    recorder.evidence.update({"resident_before": resident, "bytes_read": read, "artifact_bytes": size})
    if page_state == "warm":
        if resident < 1 - RESIDENT_ALLOWED:
            recorder.taints.append(f"not-warm: {resident:.0%} of the artifact's pages were resident before the load")
        return
    least, most, slack = READ_ALLOWED
    if resident > RESIDENT_ALLOWED:
        recorder.taints.append(f"not-cold: {resident:.0%} of the artifact's pages were resident before the load")
    elif read is None:
        recorder.taints.append("not-cold: not shown, the kernel does not tell the bytes read (/proc/self/io)")
    elif not least * size <= read <= most * size + slack:
        recorder.taints.append(f"not-cold: {read} bytes read from storage for an artifact of {size} bytes")


def _early_calls(tf: Any, call: Callable[[Values], Values], values: Values, recorder: Recorder) -> None:
    """Report the mean of calls 2 to 10, a barrier after each."""
    with recorder.phase("calls 2 to 10") as interval:
        for _ in range(EARLY_CALLS):
            call(values)
            tf.test.experimental.sync_devices()
    recorder.report("early_calls_s", interval.wall_s / EARLY_CALLS)
    recorder.report("early_calls_cpu_s", interval.cpu_s / EARLY_CALLS)


def _steady(
    tf: Any,
    call: Callable[[Values], Values],
    source: Source,
    batch: int,
    request: Dict[str, Any],
    recorder: Recorder,
) -> None:
    """Report the latency of calls whose input lies on the device and whose output stays there, barrier included."""
    values = source.tensors(tf, batch)
    barrier = tf.test.experimental.sync_devices
    if batch != source.base_batch:
        # As batch 1 had its own: a first call tries algorithms out, whose memory no later call needs.
        with recorder.phase(f"first call, batch {batch}", "warm-up"):
            call(values)
            barrier()
    need = device.reset_need(tf, request["device"])
    output = steady.measure(recorder, "infer", lambda: call(values), barrier, request["window_s"], batch, made=1)
    device.report_need(tf, recorder, "infer_device_need_bytes", need, batch)
    if source.has_checked_output:
        with recorder.phase("look at the output", "check"):
            outputs.require_plausible(output, f"the output at batch {batch}")
