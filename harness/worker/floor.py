"""What the device itself allows: the least time to copy an artifact's bytes there, and to multiply two matrices."""

from __future__ import annotations

import os
import time
from typing import Any, Callable, Dict

import numpy as np

from harness.worker import device, page_cache
from harness.worker.recorder import Recorder

REPEATS = 5
MATRIX_SIZE = 4096
"""Edge of the square float32 matrices: 0.14 Tflop, milliseconds on a GPU and long enough to fill it."""


def run(tf: Any, request: Dict[str, Any], recorder: Recorder) -> None:
    """Report the fastest of five copies of as many bytes as the artifact's variables have, and of five products.

    A floor is the least that the hardware takes: a neighbour can only slow a try down. Products run at the release's
    own precision, TF32 where that is on. request: device, artifact.
    """
    if request["device"] == "cpu":
        for metric in ("device_copy_floor_s", "device_matrix_floor_s"):
            recorder.report_absent(metric, "no-device: run.json holds the host's floors")
        return
    device.initialise(tf, request["device"], recorder)
    variables = os.path.join(request["artifact"], "variables")
    values = np.ones(sum(os.path.getsize(name) for name in page_cache.files(variables)) // 4 + 1, np.float32)
    with tf.device("GPU:0"):
        edge = tf.random.stateless_uniform([MATRIX_SIZE, MATRIX_SIZE], [1, 2])
    with recorder.phase("copy to the device"):
        recorder.report("device_copy_floor_s", _fastest_s(tf, tf.identity, lambda: _on_host(tf, values)))
    with recorder.phase("matrix product"):
        recorder.report("device_matrix_floor_s", _fastest_s(tf, lambda one: tf.linalg.matmul(one, one), lambda: edge))


def _on_host(tf: Any, values: Any) -> Any:
    """Return a new tensor in the host's memory: TensorFlow keeps the copy that it made of one for the next use."""
    with tf.device("CPU:0"):
        return tf.constant(values)


def _fastest_s(tf: Any, step: Callable[[Any], Any], given: Callable[[], Any]) -> float:
    """Return the fewest seconds of a step on the GPU, barrier included; the first one, which sets up, does not count.

    `given` makes the step's argument anew each time, before the clock starts.
    """
    times = []
    for _ in range(REPEATS + 1):
        argument = given()
        tf.test.experimental.sync_devices()
        start = time.perf_counter_ns()
        with tf.device("GPU:0"):
            step(argument)
        tf.test.experimental.sync_devices()
        times.append((time.perf_counter_ns() - start) / 1e9)
    return min(times[1:])
