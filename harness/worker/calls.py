"""The ways to call a model, loaded or original: each a row of its own, none standing in for another."""

from __future__ import annotations

import functools
import gc
from typing import Any, Callable, Dict, Tuple

import numpy as np

from harness.formats import tf_load, tf_module, tfsm_layer, v1_session
from harness.models import families
from harness.worker import apart, device, outputs, steady
from harness.worker.recorder import Recorder, WrongOutput
from harness.worker.save import expected_path

NEW_BATCH = 3
"""A batch size that nothing was called with before."""

Way = Tuple[Callable[[Any], Any], Any]
"""A function from input to output, and the tf.function whose traces count, or None."""


def run(tf: Any, request: Dict[str, Any], recorder: Recorder) -> None:
    """Measure every way in a process of its own.

    request: device, model, artifact, batches, window_s (seconds of timed calls a batch size).
    """
    for way, (make, takes_host) in WAYS.items():
        try:
            apart.run(_measuring(tf, request, way, make, takes_host), recorder)
            recorder.report("call_failed", 0, way=way)
        except (apart.StepFailed, WrongOutput) as error:
            # The other ways are measured all the same.
            absent = isinstance(error, apart.StepFailed) and error.is_absent(way)
            reason = f"{'unsupported' if absent else 'failed'}: {error}"
            for metric in ("call_first_s", "call_new_shape_s"):
                recorder.report_absent(metric, reason, way=way)
            for batch in request["batches"]:
                recorder.report_absent("call_p50_s", reason, batch, way)
            if not absent:
                recorder.report("call_failed", 1, way=way)


def _measuring(
    tf: Any, request: Dict[str, Any], way: str, make: Callable[[Any, Dict[str, Any]], Way], takes_host: bool
) -> Callable[[Recorder], None]:
    def values(batch: int) -> Any:
        host = families.inputs(request["model"], batch)
        return host if takes_host else tf.constant(host)

    def step(recorder: Recorder) -> None:
        barrier = tf.test.experimental.sync_devices
        device.initialise(tf, request["device"], recorder)
        with recorder.phase("prepare " + way, "set-up"):
            call, function = make(tf, request)
            first_values, new_values = values(request["batches"][0]), values(NEW_BATCH)
            gc.collect()
            barrier()
        with recorder.phase("first call") as interval:
            output = call(first_values)
            barrier()
        with recorder.phase("compare output", "check"):
            if request["batches"][0] != 1:
                output = call(values(1))
            expected = np.load(expected_path(request["artifact"]))
            outputs.require_equal(np.asarray(output), expected, request["device"], recorder, way)
        recorder.report("call_first_s", interval.wall_s, way=way)
        recorder.report("call_first_cpu_s", interval.cpu_s, way=way)
        for batch in request["batches"]:
            timed = functools.partial(call, values(batch))
            # One call to time the first, and where that was at another batch size one to compare the output.
            made = 1 if batch in (1, request["batches"][0]) else 0
            steady.measure(recorder, "call", timed, barrier, request["window_s"], batch, way, made=made)
        with recorder.phase("call of a new shape") as interval:
            call(new_values)
            barrier()
        recorder.report("call_new_shape_s", interval.wall_s, way=way)
        recorder.report("call_new_shape_cpu_s", interval.cpu_s, way=way)
        if function is not None:
            recorder.report("call_traces", function.experimental_get_tracing_count(), way=way)

    return step


def _signature_host(tf: Any, request: Dict[str, Any]) -> Way:
    loaded = tf.saved_model.load(request["artifact"])
    call = tf_load.callable_of(loaded)
    return (lambda host: (call(tf.constant(host)).numpy(), loaded)[0]), None


def _function(tf: Any, request: Dict[str, Any], **options: Any) -> Way:
    loaded = tf.saved_model.load(request["artifact"])
    call = tf_load.callable_of(loaded)
    function = tf.function(call, **options)
    return (lambda tensor: (function(tensor), loaded)[0]), function


def _loaded_function(tf: Any, request: Dict[str, Any]) -> Way:
    loaded = tf.saved_model.load(request["artifact"])
    # Of a Keras model the function to call is the loaded object itself, or what `export` calls `serve`.
    serve = getattr(loaded, "serve", loaded)
    if request["writer"] == "tf-module":
        return (lambda tensor: serve(tensor)["output"]), None
    return (lambda tensor: (serve(tensor), loaded)[0]), None


def _xla(tf: Any, request: Dict[str, Any]) -> Way:
    return _function(tf, request, jit_compile=True)


def _tfsm_layer(tf: Any, request: Dict[str, Any]) -> Way:
    return tfsm_layer.callable_of(tfsm_layer.read(tf, request["artifact"])), None


def _v1_session(tf: Any, request: Dict[str, Any]) -> Way:
    loaded = v1_session.read(tf, request["artifact"])
    call = v1_session.callable_of(loaded)
    return (lambda host: (call(host), loaded)[0]), None


def _original(tf: Any, request: Dict[str, Any]) -> Way:
    module = tf_module.prepare(tf, _model(tf, request))
    return (lambda tensor: module.serve(tensor)["output"]), module.serve


def _direct(tf: Any, request: Dict[str, Any]) -> Way:
    model = _model(tf, request)
    return (lambda tensor: model(tensor, training=False)), None


def _predict(tf: Any, request: Dict[str, Any]) -> Way:
    model = _model(tf, request)
    return (lambda host: model.predict(host, batch_size=len(host), verbose=0)), None


def _model(tf: Any, request: Dict[str, Any]) -> Any:
    model = families.build(tf, request["model"])
    families.fill(model)
    return model


WAYS: Dict[str, Tuple[Callable[[Any, Dict[str, Any]], Way], bool]] = {
    "signature-host": (_signature_host, True),
    "function": (_function, False),
    "loaded-function": (_loaded_function, False),
    "xla": (_xla, False),
    "tfsm-layer": (_tfsm_layer, False),
    "v1-session": (_v1_session, True),
    "original": (_original, False),
    "direct": (_direct, False),
    "predict": (_predict, True),
}
"""By name: how to prepare it, and whether its input lies in the host's memory, as its output then does."""
