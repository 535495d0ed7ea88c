"""The save operation: build a model, write it, write it again, look at what lies on disk."""

from __future__ import annotations

import gc
import shutil
from typing import Any, Callable, Dict

import numpy as np

from harness.formats import registry
from harness.formats.endpoint import Values, as_named
from harness.worker import absence, arrays, artifact, device, host_memory, outputs, page_cache
from harness.worker.recorder import Recorder
from harness.worker.source import Source


def run(tf: Any, request: Dict[str, Any], recorder: Recorder) -> None:
    """Measure one save repeat.

    request: device, model, writer, artifact (path to write), keep (leave the artifact and its `expected` output
    for the load repeats, and report what lies on disk), later_saves, durable_saves.
    """
    source = Source(request)
    writer, path = registry.WRITERS[request["writer"]], request["artifact"]
    device.initialise(tf, request["device"], recorder)
    with recorder.phase("build") as interval:
        model = source.build(tf)
        tf.test.experimental.sync_devices()
    recorder.report_time("build", interval)
    # In every repeat, also where nobody loads it: what a process did before is part of what its first save costs.
    with recorder.phase("fill weights", "set-up"):
        source.fill(model)
    with recorder.phase("collect garbage", "set-up"):
        gc.collect()
    prepared = _save_first(tf, writer, model, request, recorder)
    if request["keep"]:
        with recorder.phase("expected output", "check"):
            _store_expected(model, source, request["expected"])
        if request["device"] == "cpu":
            # After the save: its clock holds the tracing of this function.
            with recorder.phase("expected bits", "check"):
                output = writer.output(tf, prepared, _alone(source.tensors(tf, source.base_batch)))
                arrays.save(bits_path(path), outputs.host_arrays(as_named(output)))
        with recorder.phase("inspect artifact", "check"):
            parameter_bytes = sum(int(np.prod(v.shape)) * tf.as_dtype(v.dtype).size for v in model.variables)
            recorder.evidence["parameters"] = int(sum(int(np.prod(v.shape)) for v in model.variables))
            artifact.report(recorder, path, parameter_bytes)
    else:
        with recorder.phase("remove artifact", "set-up"):
            shutil.rmtree(path)


def _save_first(tf: Any, writer: Any, model: Any, request: Dict[str, Any], recorder: Recorder) -> Any:
    """Report the first save and those after it; return what the writer prepared."""
    path = request["artifact"]
    memory = host_memory.reset_peak()
    need = device.reset_need(tf, request["device"])
    with absence.unsupported(request["writer"]), recorder.phase("save, first") as interval:
        prepared = writer.prepare(tf, model)
        writer.write(tf, prepared, path)
        tf.test.experimental.sync_devices()
    host_memory.report_peak(recorder, "save_host_peak_bytes", memory)
    device.report_need(tf, recorder, "save_device_need_bytes", need)
    recorder.report_time("save_first", interval)
    for name, count in (("later", request["later_saves"]), ("durable", request["durable_saves"])):
        _save_again(tf, lambda: writer.write(tf, prepared, path + ".later"), name, count, request, recorder)
    return prepared


def _save_again(
    tf: Any, write: Callable[[], None], name: str, count: int, request: Dict[str, Any], recorder: Recorder
) -> None:
    """Report the median of further saves; a durable one ends when files and directories are on the disk."""
    path = request["artifact"] + ".later"
    intervals = []
    for _ in range(count):
        with recorder.phase("collect garbage", "set-up"):
            gc.collect()
        with recorder.phase(f"save, {name}") as interval:
            write()
            tf.test.experimental.sync_devices()
            if name == "durable":
                page_cache.make_durable(path)
        intervals.append(interval)
        with recorder.phase("remove artifact", "set-up"):
            shutil.rmtree(path)
    if intervals:
        recorder.report(f"save_{name}_s", float(np.median([interval.wall_s for interval in intervals])))
        recorder.report(f"save_{name}_cpu_s", float(np.median([interval.cpu_s for interval in intervals])))


def bits_path(artifact_path: str) -> str:
    """Return where the output of the graph that is written, on the fixed input, lies beside its artifact."""
    return artifact_path + ".bits"


def _store_expected(model: Any, source: Source, path: str) -> None:
    expected = outputs.host_arrays(as_named(model(_alone(source.inputs(source.base_batch)), training=False)))
    if source.has_checked_output:
        outputs.require_plausible(expected, "the model's output before save")
    arrays.save(path, expected)


def _alone(values: Values) -> Any:
    """Return a Keras model's argument: the one input itself, several as they are."""
    return next(iter(values.values())) if len(values) == 1 else values
