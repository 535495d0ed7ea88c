"""What the device allows: the least time to copy an artifact's bytes to a GPU, and to multiply two matrices.

A floor is the least that the hardware takes: a neighbour can only slow a try down, so the fastest try counts.
"""

from __future__ import annotations

import os
import time
from typing import Any, Callable, Dict

import numpy as np

from harness.worker import device, page_cache
from harness.worker.recorder import Recorder

REPEATS = 5
MATRIX_SIZES = {"cpu": 2048, "gpu": 4096}
"""Edge of the square float32 matrices, by device: long enough to fill it, and some tens of milliseconds at most."""


def run(tf: Any, request: Dict[str, Any], recorder: Recorder) -> None:
    """Report the fastest of five copies of as many bytes as the artifact's variables have.

    request: device, artifact.
    """
    if request["device"] == "cpu":
        recorder.report_absent("device_copy_floor_s", "no-device: run.json holds the host's floors")
        return
    device.initialise(tf, request["device"], recorder)
    variables = os.path.join(request["artifact"], "variables")
    values = np.ones(sum(os.path.getsize(name) for name in page_cache.files(variables)) // 4 + 1, np.float32)
    with recorder.phase("copy to the device"):
        copy_s = _fastest_s(tf, request["device"], tf.identity, lambda: _on_host(tf, values))
    recorder.report("device_copy_floor_s", copy_s)


def multiply(tf: Any, device_name: str, recorder: Recorder) -> None:
    """Report the fastest of five products of two matrices, by the release's own kernels; on a GPU with TF32 where on.

    numpy's library will not do for a floor: on a processor with AVX-512 it was seen to reach half of this rate.
    """
    size = MATRIX_SIZES[device_name]
    with recorder.phase("make matrices", "set-up"), tf.device(_name(device_name)):
        edge = tf.random.stateless_uniform([size, size], [1, 2])
    with recorder.phase("matrix product"):
        product_s = _fastest_s(tf, device_name, lambda one: tf.linalg.matmul(one, one), lambda: edge)
    recorder.report("matrix_floor_s", product_s)


def _name(device_name: str) -> str:
    return "CPU:0" if device_name == "cpu" else "GPU:0"


def _on_host(tf: Any, values: Any) -> Any:
    """Return a new tensor in the host's memory: TensorFlow keeps the copy that it made of one for the next use."""
    with tf.device("CPU:0"):
        return tf.constant(values)


def _fastest_s(tf: Any, device_name: str, step: Callable[[Any], Any], given: Callable[[], Any]) -> float:
    """Return the fewest seconds of a step on the device, barrier included; the first, which sets up, does not count.

    `given` makes the step's argument anew each time, before the clock starts.
    """
    times = []
    for _ in range(REPEATS + 1):
        argument = given()
        tf.test.experimental.sync_devices()
        start = time.perf_counter_ns()
        with tf.device(_name(device_name)):
            step(argument)
        tf.test.experimental.sync_devices()
        times.append((time.perf_counter_ns() - start) / 1e9)
    return min(times[1:])
