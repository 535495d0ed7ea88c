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
    """Report the median of five copies of as many bytes as the artifact's variables have, and of five products.

    Products run at the release's own precision, TF32 where that is on. request: device, artifact.
    """
    if request["device"] == "cpu":
        for metric in ("device_copy_floor_s", "device_matrix_floor_s"):
            recorder.report_absent(metric, "no-device: run.json holds the host's floors")
        return
    device.initialise(tf, request["device"], recorder)
    variables = os.path.join(request["artifact"], "variables")
    values = np.ones(sum(os.path.getsize(name) for name in page_cache.files(variables)) // 4 + 1, np.float32)
    with tf.device("CPU:0"):
        # Made here, for `tf.constant` first copies an array within the host's memory.
        host = tf.constant(values)
    with tf.device("GPU:0"):
        edge = tf.random.stateless_uniform([MATRIX_SIZE, MATRIX_SIZE], [1, 2])
        with recorder.phase("copy to the device"):
            recorder.report("device_copy_floor_s", _median_s(tf, lambda: tf.identity(host)))
        with recorder.phase("matrix product"):
            recorder.report("device_matrix_floor_s", _median_s(tf, lambda: tf.linalg.matmul(edge, edge)))


def _median_s(tf: Any, step: Callable[[], Any]) -> float:
    """Return the median seconds of a step, barrier included; the first one, which also sets up, does not count."""
    times = []
    for _ in range(REPEATS + 1):
        start = time.perf_counter_ns()
        step()
        tf.test.experimental.sync_devices()
        times.append((time.perf_counter_ns() - start) / 1e9)
    return float(np.median(times[1:]))
