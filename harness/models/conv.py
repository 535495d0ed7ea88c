"""`conv`: a residual network of three stages over 32 x 32 images, with batch normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np

WIDTHS = {"xs": 18, "s": 59, "m": 187, "l": 592, "xl": 1872}


def build(tf: Any, size: str) -> Any:
    """Return an uncompiled Keras model of about 0.1, 1, 10, 100 or 1,000 million parameters."""
    layers = tf.keras.layers

    def normalised(tensor: Any, channels: int, stride: int, name: str) -> Any:
        tensor = layers.Conv2D(channels, 3, stride, padding="same", use_bias=False, name=f"{name}_conv")(tensor)
        return layers.BatchNormalization(name=f"{name}_norm")(tensor)

    width = WIDTHS[size]
    inputs = tf.keras.Input((32, 32, 3), name="images")
    tensor = layers.ReLU(name="stem_relu")(normalised(inputs, width, 1, "stem"))
    for stage in range(3):
        channels, stride = width * 2**stage, 1 if stage == 0 else 2
        name = f"stage_{stage}"
        shortcut = layers.Conv2D(channels, 1, stride, name=f"{name}_shortcut")(tensor)
        tensor = layers.ReLU(name=f"{name}_relu_0")(normalised(tensor, channels, stride, f"{name}_0"))
        tensor = normalised(tensor, channels, 1, f"{name}_1")
        tensor = layers.ReLU(name=f"{name}_relu_1")(layers.Add(name=f"{name}_add")([tensor, shortcut]))
    tensor = layers.GlobalAveragePooling2D(name="pool")(tensor)
    return tf.keras.Model(inputs, layers.Dense(10, name="head")(tensor), name="conv")


def inputs(size: str, batch: int, generator: np.random.Generator) -> Any:
    """Return float32 images of shape (batch, 32, 32, 3)."""
    return generator.random((batch, 32, 32, 3), dtype=np.float32)


def operations(size: str) -> float:
    """Return the floating-point operations of the convolutions and the head for one item, a multiply-add as two.

    Counted as direct convolutions, padding included.
    """
    width = WIDTHS[size]
    macs = 32**2 * 3**2 * 3 * width
    before = width
    for stage in range(3):
        channels, positions = width * 2**stage, (32 // 2**stage) ** 2
        macs += positions * channels * (before + 3**2 * before + 3**2 * channels)
        before = channels
    return 2.0 * (macs + before * 10)
