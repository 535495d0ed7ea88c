"""A faster wrong answer is a failure: outputs after load against the model's own before save."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.worker.recorder import Recorder, WrongOutput

RELATIVE_TOLERANCE = {"cpu": 1e-5, "gpu": 1e-2}
"""Of the largest expected value. The CPU's covers a graph against eager execution in one release; the GPU's
covers TF32 against float32, where another kernel was chosen: products differ by about 3e-4 (measured on an H100), a
mantissa of ten bits allows 1e-3, and layers add up. Wrong weights differ by far more."""


def require_plausible(values: Any, what: str) -> None:
    """Raise WrongOutput unless `values` are finite and not all the same."""
    if not np.isfinite(values).all():
        raise WrongOutput(f"wrong-output: {what} has values that are not finite")
    if np.ptp(values) == 0:
        raise WrongOutput(f"wrong-output: {what} is constant")


def require_equal(values: Any, expected: Any, device: str, recorder: Recorder, what: str = "") -> None:
    """Raise WrongOutput unless `values` equal `expected` within the tolerance; store the largest difference.

    `what` tells several outputs of one repeat apart in the evidence.
    """
    require_plausible(values, "the output after load")
    if values.shape != expected.shape:
        raise WrongOutput(f"wrong-output: shape {values.shape} after load, {expected.shape} before save")
    difference = float(np.max(np.abs(values - expected)))
    recorder.evidence[f"largest_difference {what}".strip()] = difference
    allowed = RELATIVE_TOLERANCE[device] * float(np.max(np.abs(expected)))
    if difference > allowed:
        raise WrongOutput(f"wrong-output: differs by up to {difference:.3g} after load, tolerance {allowed:.3g}")
