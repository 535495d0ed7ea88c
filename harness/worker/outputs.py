"""A faster wrong answer is a failure: outputs after load against what they have to be."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

import numpy as np

from harness.formats.endpoint import Values
from harness.worker import arrays
from harness.worker.recorder import Recorder, WrongOutput

RELATIVE_TOLERANCE = {"cpu": 1e-5, "gpu": 1e-2}
"""Of the largest expected value. The CPU's covers a graph against eager execution in one release; the GPU's
covers TF32 against float32, where another kernel was chosen: products differ by about 3e-4 (measured on an H100), a
mantissa of ten bits allows 1e-3, and layers add up. Wrong weights differ by far more."""


def host_arrays(outputs: Values) -> Dict[str, Any]:
    """Return outputs as arrays in the host's memory by name; a sparse or ragged one as an array of each component.

    Types that numpy does not know, such as bfloat16, become float32, which holds each of their values.
    """
    found = {}
    for name, value in outputs.items():
        components = [part for part in ("indices", "values", "dense_shape") if hasattr(value, part)]
        if hasattr(value, "flat_values"):
            found[name] = np.asarray(value.flat_values)
            found.update({f"{name}/splits {i}": np.asarray(one) for i, one in enumerate(value.nested_row_splits)})
        elif len(components) == 3:
            found.update({f"{name}_{part}": np.asarray(getattr(value, part)) for part in components})
        else:
            found[name] = np.asarray(value)
    return {name: _known(values) for name, values in found.items()}


def _known(values: Any) -> Any:
    return values.astype(np.float32) if values.dtype.kind == "V" and values.dtype.names is None else values


def require_plausible(outputs: Values, what: str) -> None:
    """Raise WrongOutput unless all values are finite and not all the same."""
    for values in host_arrays(outputs).values():
        if not np.isfinite(values).all():
            raise WrongOutput(f"wrong-output: {what} has values that are not finite")
        if np.ptp(values) == 0:
            raise WrongOutput(f"wrong-output: {what} is constant")


def read_expected(request: Dict[str, Any]) -> Optional[Values]:
    """Return the arrays of a request's file of expected outputs, None where it names none."""
    return None if request["expected"] is None else arrays.load(request["expected"])


def require_equal(
    outputs: Values,
    request: Dict[str, Any],
    recorder: Recorder,
    what: str = "",
    *,
    plausible: bool = True,
    expected: Optional[Values] = None,
) -> None:
    """Raise WrongOutput unless outputs equal what is expected within the tolerance; store the largest difference.

    Args:
        outputs: by name.
        request: `expected` is the file of the expected ones, None where nothing can be said about them (a model
            whose outputs are random); `tolerance`, None for the device's, is a share of the largest expected value.
        recorder: its evidence gets the difference.
        what: tells several outputs of one repeat apart in the evidence.
        plausible: whether they must be finite and not all the same, too.
        expected: the expected ones where they were read before.
    """
    found = host_arrays(outputs)
    if plausible:
        require_plausible(found, "the output after load")
    expected = expected or read_expected(request)
    if expected is None:
        return
    largest, allowed = compare(found, expected, request.get("tolerance") or RELATIVE_TOLERANCE[request["device"]])
    recorder.evidence[f"largest_difference {what}".strip()] = largest
    if allowed is not None:
        raise WrongOutput(f"wrong-output: differs by up to {largest:.3g} after load, tolerance {allowed:.3g}")


def compare(found: Dict[str, Any], expected: Dict[str, Any], tolerance: float) -> Tuple[float, Optional[float]]:
    """Return the largest difference of any output, and what its output allows where that is exceeded, else None.

    Outputs are compared by name; one alone against one alone, whatever their names. Numbers differ by their absolute
    difference, an output's allowance is `tolerance` of its largest expected value; what is not finite must be equal.
    Text and truth values must be equal.

    Raises:
        WrongOutput: names, shapes, kinds or values without a distance differ; the text says which.
    """
    if len(found) == len(expected) == 1:
        found = dict(zip(expected, found.values()))
    if found.keys() != expected.keys():
        lists = " and ".join(", ".join(sorted(names)) or "none" for names in (found, expected))
        raise WrongOutput(f"wrong-output: outputs are called differently: {lists}")
    largest, exceeded = 0.0, None
    for name, wanted in expected.items():
        values = found[name]
        if values.shape != wanted.shape:
            raise WrongOutput(f"wrong-output: shape {values.shape} after load, {wanted.shape} before")
        if values.dtype.kind not in "fciu" or wanted.dtype.kind not in "fciu":
            if values.tolist() != wanted.tolist():
                raise WrongOutput(f"wrong-output: {name} differs")
            continue
        difference = _largest_difference(values, wanted, name)
        finite = np.abs(wanted[np.isfinite(wanted)])
        allowed = tolerance * (float(np.max(finite)) if finite.size else 0.0)
        if difference > allowed and (exceeded is None or difference > largest):
            exceeded = allowed
        largest = max(largest, difference)
    return largest, exceeded


def _largest_difference(values: Any, wanted: Any, name: str) -> float:
    if not wanted.size:
        return 0.0
    finite = np.isfinite(wanted)
    same = values[~finite] == wanted[~finite]
    if wanted.dtype.kind in "fc":
        same |= np.isnan(values[~finite]) & np.isnan(wanted[~finite])
    if not np.array_equal(finite, np.isfinite(values)) or not same.all():
        raise WrongOutput(f"wrong-output: {name} has other values that are not finite")
    if wanted.dtype.kind in "iu" or wanted.dtype == np.float16:
        # Unsigned numbers have no negative difference, and that of two halves can be too large for one.
        values, wanted = values.astype(np.float64), wanted.astype(np.float64)
    return float(np.max(np.abs(values[finite] - wanted[finite]), initial=0.0))


def equal_bits(found: Dict[str, Any], expected: Dict[str, Any]) -> bool:
    """Return whether outputs are the same to the last bit; one alone against one alone, whatever their names."""
    if len(found) == len(expected) == 1:
        found = dict(zip(expected, found.values()))
    return found.keys() == expected.keys() and all(_same(found[name], expected[name]) for name in expected)


def _same(values: Any, wanted: Any) -> bool:
    can_be_nan = values.dtype.kind in "fc" and wanted.dtype.kind in "fc"
    return np.array_equal(values, wanted, equal_nan=can_be_nan)
