"""`deep`: the same million parameters in ever more dense layers. The rung's name is the number of layers."""

from __future__ import annotations

from typing import Any

import numpy as np

WIDTHS = {"4": 497, "16": 248, "64": 123, "256": 60}


def build(tf: Any, size: str) -> Any:
    """Return an uncompiled Keras model of about 1 million parameters in `size` square layers and a head."""
    layers = tf.keras.layers
    inputs = tf.keras.Input((WIDTHS[size],), name="features")
    hidden = inputs
    for depth in range(int(size)):
        hidden = layers.Dense(WIDTHS[size], activation="relu", name=f"dense_{depth}")(hidden)
    return tf.keras.Model(inputs, layers.Dense(10, name="head")(hidden), name="deep")


def inputs(size: str, batch: int, generator: np.random.Generator) -> Any:
    """Return float32 features of shape (batch, width)."""
    return generator.random((batch, WIDTHS[size]), dtype=np.float32)


def operations(size: str) -> float:
    """Return the floating-point operations of the matrix products for one item; a multiply-add counts as two."""
    return 2.0 * WIDTHS[size] * (int(size) * WIDTHS[size] + 10)
