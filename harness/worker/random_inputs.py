"""Random inputs by type and shape: the same numbers for a name, a type, a shape and a batch size, everywhere."""

from __future__ import annotations

import zlib
from typing import Any, Optional, Sequence

import numpy as np

SEED = 1
_REAL = {"float16": "float16", "float32": "float32", "float64": "float64"}
_COMPLEX = {"complex64": "complex64", "complex128": "complex128"}
_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
INTEGER_RANGE = (0, 1)
"""Values of integers where no range is given, both ends included: an index into nearly every table."""
SUPPORTED = (*_REAL, *_COMPLEX, *_INTEGERS, "bool", "string")
"""The types of inputs that can be made, as TensorFlow writes them."""
LETTERS = 8


def values(
    name: str, dtype: str, shape: Sequence[int], batch: int, low: Optional[float] = None, high: Optional[float] = None
) -> Any:
    """Return an array of the shape.

    Real numbers lie in [low, high), [0, 1) where no range is given; integers in [low, high], both ends included;
    text is of eight letters.

    Args:
        name: of the input.
        dtype: one of SUPPORTED.
        shape: the whole shape, the batch included.
        batch: the batch size, so that different ones have different numbers.
        low: of the range.
        high: of the range.
    """
    generator = np.random.Generator(np.random.PCG64([SEED, batch, zlib.crc32(name.encode())]))
    size = tuple(shape)
    if dtype == "bool":
        return generator.random(size) < 0.5
    if dtype == "string":
        letters = (generator.random((*size, LETTERS)) * 26).astype(np.uint8) + np.uint8(ord("a"))
        text = np.empty(int(np.prod(size)), dtype=object)
        text[:] = [bytes(row) for row in letters.reshape(-1, LETTERS)]
        return text.reshape(size)
    if dtype in _INTEGERS:
        first, last = INTEGER_RANGE if low is None or high is None else (int(low), int(high))
        return (first + np.floor(generator.random(size) * (last - first + 1))).astype(dtype)
    start, end = (0.0, 1.0) if low is None or high is None else (low, high)
    real = start + (end - start) * generator.random(size)
    if dtype in _COMPLEX:
        return (real + 1j * (start + (end - start) * generator.random(size))).astype(_COMPLEX[dtype])
    return real.astype(_REAL[dtype])
