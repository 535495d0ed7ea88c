"""The device of a repeat: initialisation, the barrier, and the allocator's exact statistics."""

from __future__ import annotations

import os
from typing import Any, Optional

from harness.worker.recorder import Interval, Recorder, Unsupported


def initialise(tf: Any, device: str, recorder: Recorder) -> Interval:
    """Initialise the runtime with only `device` ("cpu" or "gpu") in sight, run one operation on it, return its time."""
    if device == "cpu":
        # Read by the CUDA driver when it is initialised, which no zygote ever does.
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    with recorder.phase("device_init") as interval:
        gpus = tf.config.list_physical_devices("GPU")
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
        (tf.constant(1.0) + 1.0).numpy()
        tf.test.experimental.sync_devices()
    if device == "gpu" and not gpus:
        cuda = tf.test.is_built_with_cuda()
        raise Unsupported("no-gpu: " + ("TensorFlow finds none, its log may say why" if cuda else "a CPU build"))
    recorder.report_time("device_init", interval)
    return interval


def reset_need(tf: Any, device: str) -> Optional[int]:
    """Start a new peak of the device's allocator and return the bytes in use now; None on the CPU."""
    if device == "cpu":
        return None
    tf.config.experimental.reset_memory_stats("GPU:0")
    return int(tf.config.experimental.get_memory_info("GPU:0")["current"])


def report_need(tf: Any, recorder: Recorder, metric: str, baseline: Optional[int], batch: Optional[int] = None) -> None:
    """Report the allocator's peak above `baseline`. The CPU has no such statistics: nothing is reported."""
    if baseline is not None:
        peak = tf.config.experimental.get_memory_info("GPU:0")["peak"]
        recorder.report(metric, peak - baseline, batch)
