"""The promise that an artifact needs no original code: a custom layer and a custom model whose classes are gone."""

from __future__ import annotations

import os
import shutil
from typing import Any, Callable, Dict

import numpy as np

from harness.formats import registry, tf_load
from harness.models import families
from harness.worker import absence, apart, device
from harness.worker.outputs import RELATIVE_TOLERANCE, require_plausible
from harness.worker.recorder import Recorder, WrongOutput, shown
from harness.worker.ways import alone

KINDS = ("layer", "model")
METRIC = "custom_code_broken_promises"


def run(tf: Any, request: Dict[str, Any], recorder: Recorder) -> None:
    """Save a model with classes that only the saving process has, load it in another, compare the outputs.

    request: device, model (what the custom classes are built around), writer, scratch.
    """
    for kind in KINDS:
        path = f"{request['scratch']}.custom-{kind}"
        try:
            apart.run(_saving(tf, request, kind, path), recorder)
            for way, load in _WAYS.items():
                _try(tf, request, f"{kind}-{way}", path, load, recorder)
        finally:
            shutil.rmtree(path, ignore_errors=True)
            if os.path.exists(path + ".npy"):
                os.remove(path + ".npy")


def _try(
    tf: Any,
    request: Dict[str, Any],
    way: str,
    path: str,
    load: Callable[[Any, str], Callable[[Any], Any]],
    recorder: Recorder,
) -> None:
    def step(inner: Recorder) -> None:
        device.initialise(tf, request["device"], inner)
        with inner.phase("load without the classes and compare", "check"):
            output = np.asarray(load(tf, path)(tf.constant(families.inputs(request["model"], batch=1))))
            expected = np.load(path + ".npy")
            require_plausible({"output": output}, "the output after load")
            if output.shape != expected.shape:
                raise WrongOutput(f"wrong-output: shape {output.shape} after load, {expected.shape} before save")
            difference = float(np.max(np.abs(output - expected))) / float(np.max(np.abs(expected)))
        kept = difference <= RELATIVE_TOLERANCE[request["device"]]
        inner.report(METRIC, 0 if kept else 1, way=way)
        inner.evidence[f"custom {way}"] = {"relative_difference": difference}

    try:
        apart.run(step, recorder)
    except (apart.StepFailed, WrongOutput) as error:
        if isinstance(error, apart.StepFailed) and error.is_absent(way.partition("-")[2]):
            recorder.report_absent(METRIC, f"unsupported: {error}", way=way)
        else:
            recorder.report(METRIC, 1, way=way)
            recorder.evidence[f"custom {way}"] = {"broken": [shown(str(error), request["scratch"])]}


def _saving(tf: Any, request: Dict[str, Any], kind: str, path: str) -> Callable[[Recorder], None]:
    def step(recorder: Recorder) -> None:
        device.initialise(tf, request["device"], recorder)
        with recorder.phase("build and save with custom classes", "set-up"):
            model = (_with_custom_layer if kind == "layer" else _custom_model)(tf, request["model"])
            values = tf.constant(families.inputs(request["model"], batch=1))
            np.save(path + ".npy", np.asarray(model(values, training=False)))
            writer = registry.WRITERS[request["writer"]]
            with absence.unsupported(request["writer"]):
                writer.write(tf, writer.prepare(tf, model), path)

    return step


def _with_custom_layer(tf: Any, name: str) -> Any:
    class Gate(tf.keras.layers.Layer):  # type: ignore[misc]
        """A layer that no release knows: each output times a learned, bounded gate."""

        def build(self, shape: Any) -> None:
            self.gate = self.add_weight(
                name="gate", shape=(int(shape[-1]),), initializer=tf.keras.initializers.Constant(0.5)
            )

        def call(self, tensor: Any) -> Any:
            return tensor * tf.tanh(self.gate) + 0.25

    inner = families.build(tf, name)
    families.fill(inner)
    return tf.keras.Model(inner.inputs, Gate(name="gate")(inner.outputs[0]), name="gated")


def _custom_model(tf: Any, name: str) -> Any:
    inner = families.build(tf, name)
    families.fill(inner)

    class Residual(tf.keras.Model):  # type: ignore[misc]
        """A subclassed model: what it computes is Python code that the artifact does not hold."""

        def __init__(self) -> None:
            super().__init__(name="residual")
            self.inner = inner

        def call(self, tensor: Any, training: bool = False) -> Any:
            output = self.inner(tensor, training=training)
            return output + tf.sin(output)

    model = Residual()
    model(tf.constant(families.inputs(name, batch=1)))
    return model


def _by_signature(tf: Any, path: str) -> Callable[[Any], Any]:
    loaded = tf.saved_model.load(path)
    call = tf_load.callable_of(loaded)
    # The root must outlive its signatures.
    return lambda tensor: (alone(call({"inputs": tensor})), loaded)[0]


def _by_load_model(tf: Any, path: str) -> Callable[[Any], Any]:
    model = tf.keras.models.load_model(path, compile=False)
    return lambda tensor: model(tensor, training=False)


_WAYS = {"signature": _by_signature, "load-model": _by_load_model}
