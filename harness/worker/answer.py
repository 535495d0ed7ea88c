"""What an artifact answers: loaded once, called twice, its outputs kept for others to be compared with."""

from __future__ import annotations

import gc
import importlib
import os
from typing import Any, Dict

from harness.formats import registry
from harness.worker import absence, arrays, device, outputs, page_cache
from harness.worker.recorder import Recorder, WrongOutput
from harness.worker.source import Source


def run(tf: Any, request: Dict[str, Any], recorder: Recorder) -> None:
    """Store the outputs of a call, and whether a second call gave the same ones.

    Outputs that differ between two calls of one process are random: they are compared with nothing, and kept nowhere.

    request: device, model, reader, artifact, expected (outputs to compare with, or None), answer (the file to write),
    imports (modules to import before loading, for readers that need one).
    """
    source = Source(request)
    reader, path = registry.READERS[request["reader"]], request["artifact"]
    device.initialise(tf, request["device"], recorder)
    with recorder.phase("load and call twice", "check"):
        for name in request.get("imports", ()):
            importlib.import_module(name)
        with absence.unsupported(request["reader"]):
            loaded = reader.read(tf, path, source.endpoint)
        call = reader.callable_of(loaded, source.endpoint)
        source.make_inputs(loaded)
        values = source.tensors(tf, source.base_batch)
        found, again = (outputs.host_arrays(call(values)) for _ in range(2))
    recorder.report("artifact_bytes", sum(map(os.path.getsize, page_cache.files(path))))
    recorder.evidence["outputs"] = {
        name: {"dtype": str(values.dtype), "shape": list(values.shape)} for name, values in sorted(found.items())
    }
    recorder.evidence["deterministic"] = _equal(found, again, request)
    del loaded, call
    gc.collect()
    if recorder.evidence["deterministic"]:
        arrays.save(request["answer"], found)
        outputs.require_equal(found, request, recorder, plausible=source.has_checked_output)


def _equal(found: Dict[str, Any], again: Dict[str, Any], request: Dict[str, Any]) -> bool:
    tolerance = request.get("tolerance") or outputs.RELATIVE_TOLERANCE[request["device"]]
    try:
        return outputs.compare(again, found, tolerance)[1] is None
    except WrongOutput:
        return False
