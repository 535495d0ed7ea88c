"""The ways to call a model, loaded or original: each a row of its own, none standing in for another."""

from __future__ import annotations

import functools
import gc
from typing import Any, Callable, Dict, Tuple

from harness.formats import tf_load, tf_module, tfsm_layer, v1_session
from harness.formats.endpoint import Values, as_named
from harness.worker import apart, device, outputs, steady
from harness.worker.recorder import Recorder, WrongOutput
from harness.worker.source import Source

NEW_BATCH = 3
"""A batch size that nothing was called with before."""

Way = Tuple[Callable[[Values], Values], Any]
"""A function from inputs to outputs by name, and the tf.function whose traces count, or None."""


def run(tf: Any, request: Dict[str, Any], recorder: Recorder) -> None:
    """Measure every way in a process of its own; the original model by those whose model can be built here.

    request: device, model, artifact, expected, batches, window_s (seconds of timed calls a batch size).
    """
    source = Source(request)
    for way, (make, takes_host) in WAYS.items():
        if make in ORIGINAL and not source.is_built:
            continue
        try:
            apart.run(_measuring(tf, request, source, way, make, takes_host), recorder)
            recorder.report("call_failed", 0, way=way)
        except (apart.StepFailed, WrongOutput) as error:
            # The other ways are measured all the same.
            absent = isinstance(error, apart.StepFailed) and error.is_absent(way)
            reason = f"{'unsupported' if absent else 'failed'}: {error}"
            for metric in ("call_first_s", "call_new_shape_s")[: 2 if source.has_free_batch else 1]:
                recorder.report_absent(metric, reason, way=way)
            for batch in request["batches"]:
                recorder.report_absent("call_p50_s", reason, batch, way)
            if not absent:
                recorder.report("call_failed", 1, way=way)


def _measuring(
    tf: Any, request: Dict[str, Any], source: Source, way: str, make: Make, takes_host: bool
) -> Callable[[Recorder], None]:
    def values(batch: int) -> Values:
        return source.inputs(batch) if takes_host else source.tensors(tf, batch)

    def step(recorder: Recorder) -> None:
        barrier = tf.test.experimental.sync_devices
        device.initialise(tf, request["device"], recorder)
        with recorder.phase("prepare " + way, "set-up"):
            call, function = make(tf, request, source)
            first_values = values(request["batches"][0])
            new_values = values(NEW_BATCH) if source.has_free_batch else None
            gc.collect()
            barrier()
        with recorder.phase("first call") as interval:
            output = call(first_values)
            barrier()
        with recorder.phase("compare output", "check"):
            if request["batches"][0] != source.base_batch:
                output = call(values(source.base_batch))
            outputs.require_equal(output, request, recorder, way, plausible=source.has_checked_output)
        recorder.report("call_first_s", interval.wall_s, way=way)
        recorder.report("call_first_cpu_s", interval.cpu_s, way=way)
        for batch in request["batches"]:
            timed = functools.partial(call, values(batch))
            # One call to time the first, and where that was at another batch size one to compare the output.
            made = 1 if batch in (source.base_batch, request["batches"][0]) else 0
            steady.measure(recorder, "call", timed, barrier, request["window_s"], batch, way, made=made)
        if new_values is not None:
            with recorder.phase("call of a new shape") as interval:
                call(new_values)
                barrier()
            recorder.report("call_new_shape_s", interval.wall_s, way=way)
            recorder.report("call_new_shape_cpu_s", interval.cpu_s, way=way)
        if function is not None:
            recorder.report("call_traces", function.experimental_get_tracing_count(), way=way)

    return step


def _signature_host(tf: Any, request: Dict[str, Any], source: Source) -> Way:
    loaded = tf_load.read(tf, request["artifact"], source.endpoint)
    call = tf_load.callable_of(loaded, source.endpoint)

    def called(host: Values) -> Values:
        # The root must outlive its signatures, so the function holds it.
        return (outputs.host_arrays(call({name: tf.constant(host[name]) for name in host})), loaded)[0]

    return called, None


def _function(tf: Any, request: Dict[str, Any], source: Source, **options: Any) -> Way:
    loaded = tf_load.read(tf, request["artifact"], source.endpoint)
    function = tf.function(tf_load.callable_of(loaded, source.endpoint), **options)
    return (lambda tensors: (function(tensors), loaded)[0]), function


def _loaded_function(tf: Any, request: Dict[str, Any], source: Source) -> Way:
    loaded = tf_load.read(tf, request["artifact"], source.endpoint)
    # Of a Keras model the function to call is the loaded object itself, or what `export` calls `serve`.
    serve = getattr(loaded, "serve", loaded)
    return (lambda tensors: (as_named(serve(_alone(tensors))), loaded)[0]), None


def _xla(tf: Any, request: Dict[str, Any], source: Source) -> Way:
    return _function(tf, request, source, jit_compile=True)


def _tfsm_layer(tf: Any, request: Dict[str, Any], source: Source) -> Way:
    return tfsm_layer.callable_of(tfsm_layer.read(tf, request["artifact"], source.endpoint), source.endpoint), None


def _v1_session(tf: Any, request: Dict[str, Any], source: Source) -> Way:
    loaded = v1_session.read(tf, request["artifact"], source.endpoint)
    call = v1_session.callable_of(loaded, source.endpoint)
    return (lambda host: (call(host), loaded)[0]), None


def _original(tf: Any, request: Dict[str, Any], source: Source) -> Way:
    module = tf_module.prepare(tf, _model(tf, source))
    return (lambda tensors: module.serve(_alone(tensors))), module.serve


def _direct(tf: Any, request: Dict[str, Any], source: Source) -> Way:
    model = _model(tf, source)
    return (lambda tensors: as_named(model(_alone(tensors), training=False))), None


def _predict(tf: Any, request: Dict[str, Any], source: Source) -> Way:
    model = _model(tf, source)

    def predict(host: Values) -> Values:
        given = _alone(host)
        size = len(next(iter(host.values())))
        return as_named(model.predict(given, batch_size=size, verbose=0))

    return predict, None


def _model(tf: Any, source: Source) -> Any:
    model = source.build(tf)
    source.fill(model)
    return model


def _alone(values: Values) -> Any:
    """Return what a function of one argument takes: the one value itself, several as they are."""
    return next(iter(values.values())) if len(values) == 1 else values


Make = Callable[[Any, Dict[str, Any], Source], Way]

WAYS: Dict[str, Tuple[Make, bool]] = {
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

ORIGINAL = (_original, _direct, _predict)
"""The ways that call the model itself, and not what was loaded."""
