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
        current = layer.get_weights()
        if current:
            normalises = "Normalization" in type(layer).__name__
            layer.set_weights([_values(layer.name, i, w, normalises) for i, w in enumerate(current)])


def _values(layer_name: str, index: int, like: Any, normalises: bool) -> Any:
    generator = np.random.Generator(np.random.PCG64([zlib.crc32(layer_name.encode()), index]))
    unit = generator.random(like.shape, dtype=np.float32)
    if like.ndim >= 2:
        fan_in = np.prod(like.shape[:-1])
        bound = np.float32(np.sqrt(3.0 / fan_in))
        return (unit * 2 - 1) * bound
    # Normalisation layers hold scale, offset, mean, variance in this order.
    if normalises and index in (0, 3):
        return 1 + unit * np.float32(0.1)
    return (unit - np.float32(0.5)) * np.float32(0.1)
