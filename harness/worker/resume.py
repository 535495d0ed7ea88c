"""The promise that training can go on after loading, verified and timed for each way to keep it."""

from __future__ import annotations

import gc
import os
import shutil
from typing import Any, Callable, Dict, List

import numpy as np

from harness.formats import registry
from harness.worker import apart, device, ways
from harness.worker.outputs import RELATIVE_TOLERANCE
from harness.worker.recorder import Recorder, Unsupported, one_line
from harness.zoo import families

STEPS_BEFORE = 5
STEPS_AFTER = 3
BATCH = 8
PROMISES = ("outputs", "iterations", "slots", "losses")


def run(tf: Any, request: Dict[str, Any], recorder: Recorder) -> None:
    """Train, save, and go on both without a break and from the artifact; report what was not kept and how long it took.

    The uninterrupted run and each way from the artifact have a process of their own: nothing but the files and the
    numbers to compare with pass from one to the other.

    request: device, model, writer, artifact.
    """
    path = request["artifact"] + ".resume"
    expected = path + ".expected.npz"
    try:
        apart.run(lambda inner: _uninterrupted(tf, request, path, expected, inner), recorder)
        for way, restore in ways.WAYS[request["writer"]].items():
            _try(tf, request, path, expected, way, restore, recorder)
    finally:
        shutil.rmtree(path, ignore_errors=True)
        if os.path.exists(expected):
            os.remove(expected)


def _try(
    tf: Any,
    request: Dict[str, Any],
    path: str,
    expected: str,
    way: str,
    restore: Callable[..., Any],
    recorder: Recorder,
) -> None:
    def verify(inner: Recorder) -> None:
        _verify(tf, request, path, expected, way, restore, inner)

    def time_it(inner: Recorder) -> None:
        _time_first_step(tf, request, path, expected, way, restore, inner)

    try:
        apart.run(verify, recorder)
    except RuntimeError as error:
        # A way that this release does not have: the others are tried all the same.
        recorder.report_absent("resume_broken_promises", f"unsupported: {error}", way=way)
        recorder.report_absent("resume_first_step_s", f"unsupported: {error}", way=way)
        return
    if recorder.evidence[f"resume {way}"]["trains"]:
        apart.run(time_it, recorder)


def _uninterrupted(tf: Any, request: Dict[str, Any], path: str, expected: str, recorder: Recorder) -> None:
    device.initialise(tf, request["device"], recorder)
    with recorder.phase("build", "set-up"):
        model = families.build(tf, request["model"])
        families.fill(model)
        optimizer = ways.new_optimizer(tf, model)
        model.compile(optimizer=optimizer, loss=tf.keras.losses.MeanSquaredError())
    trained, write = ways.training(tf, model, optimizer), registry.WRITERS[request["writer"]].write
    if request["writer"] == "tf-module":
        module, signatures = ways.trainable_module(tf, model, optimizer)
        trained.step = lambda inputs, targets: module.train(inputs, targets)["loss"]
        trained.output = lambda inputs: module.serve(inputs)["output"]

        def write(tf: Any, model: Any, path: str) -> None:
            tf.saved_model.save(module, path, signatures=signatures)

    outputs = model.outputs[0].shape[-1]
    with recorder.phase("train before save", "set-up"):
        _losses(tf, trained, request["model"], 0, STEPS_BEFORE, outputs)
    kept = {f"slot{i}": slot for i, slot in enumerate(trained.slots())}
    kept["output"] = np.asarray(trained.output(_fixed_input(tf, request)))
    kept["iterations"] = np.asarray(trained.iterations())
    with recorder.phase("save with training state", "set-up"):
        try:
            write(tf, model, path)
        except registry.ABSENT_API as error:
            if request["writer"] not in registry.MAY_BE_ABSENT:
                raise
            raise Unsupported(f"unsupported: {one_line(error)}") from error
    with recorder.phase("train without a break", "set-up"):
        losses = _losses(tf, trained, request["model"], STEPS_BEFORE, STEPS_AFTER, outputs)
    np.savez(expected, losses=losses, **kept)


def _verify(
    tf: Any,
    request: Dict[str, Any],
    path: str,
    expected: str,
    way: str,
    restore: Callable[..., Any],
    recorder: Recorder,
) -> None:
    device.initialise(tf, request["device"], recorder)
    wanted = _stored(expected)
    slots = [wanted[f"slot{i}"] for i in range(sum(name.startswith("slot") for name in wanted))]
    with recorder.phase("restore and compare", "check"):
        resumed = restore(tf, path, request["model"])
        differences = {
            "outputs": _difference([np.asarray(resumed.output(_fixed_input(tf, request)))], [wanted["output"]]),
            "iterations": float(abs(resumed.iterations() - int(wanted["iterations"]))),
            "slots": _difference(resumed.slots(), slots),
        }
        trains = True
        try:
            losses = _losses(tf, resumed, request["model"], STEPS_BEFORE, STEPS_AFTER, wanted["output"].shape[-1])
            differences["losses"] = _difference(list(losses), list(wanted["losses"]))
        except ways.NoTrainingState as error:
            trains, differences["losses"] = False, float("inf")
            recorder.report_absent("resume_first_step_s", str(error), way=way)
    allowed = 0.0 if request["device"] == "cpu" else RELATIVE_TOLERANCE["gpu"]
    broken = [promise for promise in PROMISES if not differences[promise] <= allowed]
    recorder.report("resume_broken_promises", len(broken), way=way)
    shown = {promise: value if np.isfinite(value) else None for promise, value in differences.items()}
    recorder.evidence[f"resume {way}"] = {"broken": broken, "differences": shown, "allowed": allowed, "trains": trains}


def _time_first_step(
    tf: Any,
    request: Dict[str, Any],
    path: str,
    expected: str,
    way: str,
    restore: Callable[..., Any],
    recorder: Recorder,
) -> None:
    device.initialise(tf, request["device"], recorder)
    outputs = _stored(expected)["output"].shape[-1]
    inputs, targets = (tf.constant(values) for values in ways.data(request["model"], outputs, STEPS_BEFORE, BATCH))
    with recorder.phase("collect garbage", "set-up"):
        gc.collect()
    with recorder.phase("restore and first step") as interval:
        restore(tf, path, request["model"]).step(inputs, targets)
        tf.test.experimental.sync_devices()
    recorder.report("resume_first_step_s", interval.wall_s, way=way)
    recorder.report("resume_first_step_cpu_s", interval.cpu_s, way=way)


def _stored(path: str) -> Dict[str, Any]:
    with np.load(path) as stored:
        return {name: stored[name] for name in stored.files}


def _losses(tf: Any, trained: ways.Resumed, name: str, first: int, count: int, outputs: int) -> Any:
    losses = []
    for step in range(first, first + count):
        inputs, targets = (tf.constant(values) for values in ways.data(name, outputs, step, BATCH))
        losses.append(float(np.asarray(trained.step(inputs, targets))))
    return np.asarray(losses)


def _fixed_input(tf: Any, request: Dict[str, Any]) -> Any:
    return tf.constant(families.inputs(request["model"], batch=1))


def _difference(found: List[Any], wanted: List[Any]) -> float:
    """Return the largest difference relative to the largest wanted value; infinite where shapes or numbers differ."""
    if len(found) != len(wanted) or any(np.shape(a) != np.shape(b) for a, b in zip(found, wanted)):
        return float("inf")
    scale = max((float(np.max(np.abs(b))) for b in wanted), default=0.0) or 1.0
    return max((float(np.max(np.abs(a - b))) for a, b in zip(found, wanted)), default=0.0) / scale
