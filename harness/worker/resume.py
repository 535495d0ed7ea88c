"""The promise that training can go on after loading, verified and timed for each way to keep it."""

from __future__ import annotations

import gc
import os
import shutil
from typing import Any, Callable, Dict, List

import numpy as np

from harness.formats import registry
from harness.worker import absence, apart, device, ways
from harness.worker.outputs import RELATIVE_TOLERANCE
from harness.worker.recorder import Recorder, shown
from harness.worker.source import Source

STEPS_BEFORE = 5
STEPS_AFTER = 3
BATCH = 8
Restore = Callable[[Any, str, Source], ways.Resumed]
PROMISES = ("outputs", "iterations", "slots", "losses")


def run(tf: Any, request: Dict[str, Any], recorder: Recorder) -> None:
    """Train, save, and go on both without a break and from the artifact; report what was not kept and how long it took.

    The uninterrupted run and each way from the artifact have a process of their own: nothing but the files and the
    numbers to compare with pass from one to the other.

    request: device, model, writer, scratch.
    """
    trial = _Trial(tf, request)
    try:
        apart.run(trial.uninterrupted, recorder)
        for way, restore in ways.WAYS[request["writer"]].items():
            _try(trial, way, restore, recorder)
    finally:
        shutil.rmtree(trial.path, ignore_errors=True)
        if os.path.exists(trial.expected):
            os.remove(trial.expected)


def _try(trial: _Trial, way: str, restore: Restore, recorder: Recorder) -> None:
    try:
        apart.run(lambda inner: trial.verify(way, restore, inner), recorder)
    except apart.StepFailed as error:
        # The others are tried all the same.
        status = f"{'unsupported' if error.is_absent(way) else 'failed'}: {error}"
        recorder.report_absent("resume_first_step_s", status, way=way)
        if error.is_absent(way):
            recorder.report_absent("resume_broken_promises", status, way=way)
        else:
            recorder.report("resume_broken_promises", len(PROMISES), way=way)
            recorder.evidence[f"resume {way}"] = {"broken": [shown(str(error), trial.path)], "trains": False}
        return
    if recorder.evidence[f"resume {way}"]["trains"]:
        apart.run(lambda inner: trial.time_first_step(way, restore, inner), recorder)


class _Trial:
    """One artifact with training state, and where the numbers of the uninterrupted run lie."""

    def __init__(self, tf: Any, request: Dict[str, Any]) -> None:
        self._tf, self._source, self._writer = tf, Source(request), request["writer"]
        self._device = request["device"]
        self.path = request["scratch"] + ".resume"
        self.expected = self.path + ".expected.npz"

    def uninterrupted(self, recorder: Recorder) -> None:
        """Train, save, and go on as if nothing had been saved."""
        tf = self._tf
        device.initialise(tf, self._device, recorder)
        with recorder.phase("build", "set-up"):
            model = self._source.build(tf)
            self._source.fill(model)
            optimizer = ways.new_optimizer(tf, model)
            model.compile(optimizer=optimizer, loss=tf.keras.losses.MeanSquaredError())
        trained, write = ways.training(tf, model, optimizer), registry.WRITERS[self._writer].write
        if self._writer == "tf-module":
            module, signatures = ways.trainable_module(tf, model, optimizer)
            trained.step = lambda inputs, targets: module.train(inputs, targets)["loss"]
            trained.output = lambda inputs: module.serve(inputs)["output"]

            def write(tf: Any, model: Any, path: str) -> None:
                tf.saved_model.save(module, path, signatures=signatures)

        outputs = model.outputs[0].shape[-1]
        with recorder.phase("train before save", "set-up"):
            self._losses(trained, 0, STEPS_BEFORE, outputs)
        kept = {f"slot{i}": slot for i, slot in enumerate(trained.slots())}
        kept["output"] = self._output(trained)
        kept["iterations"] = np.asarray(trained.iterations())
        with recorder.phase("save with training state", "set-up"), absence.unsupported(self._writer):
            write(tf, model, self.path)
        with recorder.phase("train without a break", "set-up"):
            losses = self._losses(trained, STEPS_BEFORE, STEPS_AFTER, outputs)
        np.savez(self.expected, losses=losses, **kept)

    def verify(self, way: str, restore: Restore, recorder: Recorder) -> None:
        """Restore by a way, compare the state and the next losses, and report what was not kept."""
        device.initialise(self._tf, self._device, recorder)
        wanted = self._stored()
        slots = [wanted[f"slot{i}"] for i in range(sum(name.startswith("slot") for name in wanted))]
        with recorder.phase("restore and compare", "check"):
            resumed = restore(self._tf, self.path, self._source)
            differences = {
                "outputs": _difference([self._output(resumed)], [wanted["output"]]),
                "iterations": float(abs(resumed.iterations() - int(wanted["iterations"]))),
                "slots": _difference(resumed.slots(), slots),
            }
            trains = True
            try:
                losses = self._losses(resumed, STEPS_BEFORE, STEPS_AFTER, wanted["output"].shape[-1])
                differences["losses"] = _difference(list(losses), list(wanted["losses"]))
            except ways.NoTrainingState as error:
                trains, differences["losses"] = False, float("inf")
                recorder.report_absent("resume_first_step_s", str(error), way=way)
        allowed = 0.0 if self._device == "cpu" else RELATIVE_TOLERANCE["gpu"]
        broken = [promise for promise in PROMISES if not differences[promise] <= allowed]
        recorder.report("resume_broken_promises", len(broken), way=way)
        shown = {promise: value if np.isfinite(value) else None for promise, value in differences.items()}
        evidence = {"broken": broken, "differences": shown, "allowed": allowed, "trains": trains}
        recorder.evidence[f"resume {way}"] = evidence

    def time_first_step(self, way: str, restore: Restore, recorder: Recorder) -> None:
        """Report the time from the start of restoring to the end of the first step."""
        tf = self._tf
        device.initialise(tf, self._device, recorder)
        outputs = self._stored()["output"].shape[-1]
        inputs, targets = (tf.constant(values) for values in ways.data(self._source, outputs, STEPS_BEFORE, BATCH))
        with recorder.phase("collect garbage", "set-up"):
            gc.collect()
        with recorder.phase("restore and first step") as interval:
            restore(tf, self.path, self._source).step(inputs, targets)
            tf.test.experimental.sync_devices()
        recorder.report("resume_first_step_s", interval.wall_s, way=way)
        recorder.report("resume_first_step_cpu_s", interval.cpu_s, way=way)

    def _stored(self) -> Dict[str, Any]:
        with np.load(self.expected) as stored:
            return {name: stored[name] for name in stored.files}

    def _losses(self, trained: ways.Resumed, first: int, count: int, outputs: int) -> Any:
        losses = []
        for step in range(first, first + count):
            inputs, targets = map(self._tf.constant, ways.data(self._source, outputs, step, BATCH))
            losses.append(float(np.asarray(trained.step(inputs, targets))))
        return np.asarray(losses)

    def _output(self, trained: ways.Resumed) -> Any:
        return np.asarray(trained.output(self._tf.constant(ways.alone(self._source.inputs(batch=1)))))


def _difference(found: List[Any], wanted: List[Any]) -> float:
    """Return the largest difference relative to the largest wanted value; infinite where shapes or numbers differ."""
    if len(found) != len(wanted) or any(np.shape(a) != np.shape(b) for a, b in zip(found, wanted)):
        return float("inf")
    scale = max((float(np.max(np.abs(b))) for b in wanted), default=0.0) or 1.0
    # numpy's maximum, unlike Python's, keeps what is not a number, and that is equal to nothing.
    return float(np.max([0.0, *(float(np.max(np.abs(a - b))) for a, b in zip(found, wanted))])) / scale
