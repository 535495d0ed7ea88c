"""`mlp`: four square dense layers and a head. Few graph nodes, bytes in a few wide kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

WIDTHS = {"xs": 158, "s": 500, "m": 1580, "l": 5000, "xl": 15800}


def build(tf: Any, size: str) -> Any:
    """Return an uncompiled Keras model of about 0.1, 1, 10, 100 or 1,000 million parameters."""
    layers = tf.keras.layers
    width = WIDTHS[size]
    inputs = tf.keras.Input((width,), name="features")
    hidden = inputs
    for depth in range(4):
        hidden = layers.Dense(width, activation="relu", name=f"dense_{depth}")(hidden)
    return tf.keras.Model(inputs, layers.Dense(10, name="head")(hidden), name="mlp")


def inputs(size: str, batch: int, generator: np.random.Generator) -> Any:
    """Return float32 features of shape (batch, width)."""
    return generator.random((batch, WIDTHS[size]), dtype=np.float32)


def operations(size: str) -> float:
    """Return the floating-point operations of the matrix products for one item; a multiply-add counts as two."""
    return 2.0 * WIDTHS[size] * (4 * WIDTHS[size] + 10)
