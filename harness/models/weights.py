"""Weights that are the same numbers in every release, whatever its initialisers do."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np


def fill(model: Any) -> None:
    """Set every weight of `model` from a numpy generator seeded by its layer's name and position.

    Kernels are uniform with variance 1 / fan-in, so that activations keep their scale through deep models;
    normalisation scales and variances lie in [1, 1.1), everything else in [-0.05, 0.05).
    Only `Generator.random` is used: its stream has been the same since numpy 1.17.
    """
    for layer in model.layers:
        shapes = [current.shape for current in layer.get_weights()]
        if shapes:
            normalises = "Normalization" in type(layer).__name__
            layer.set_weights([_values(layer.name, i, shape, normalises) for i, shape in enumerate(shapes)])


def _values(layer_name: str, index: int, shape: tuple[int, ...], normalises: bool) -> Any:
    """Return one weight's values, computed in place: the largest layer of a large model has gigabytes."""
    generator = np.random.Generator(np.random.PCG64([zlib.crc32(layer_name.encode()), index]))
    values = generator.random(shape, dtype=np.float32)
    if len(shape) >= 2:
        fan_in = np.prod(shape[:-1])
        values *= np.float32(2)
        values -= np.float32(1)
        values *= np.float32(np.sqrt(3.0 / fan_in))
    # Normalisation layers hold scale, offset, mean, variance in this order.
    elif normalises and index in (0, 3):
        values *= np.float32(0.1)
        values += np.float32(1)
    else:
        values -= np.float32(0.5)
        values *= np.float32(0.1)
    return values
