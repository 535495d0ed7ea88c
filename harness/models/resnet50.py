"""`resnet50`: 50 layers of residual bottlenecks over 224 x 224 images, 25.6 million parameters.

He et al. (2016), "Deep Residual Learning for Image Recognition", table 1, with the stride in the 3 x 3 convolution.
"""

from __future__ import annotations

from typing import Any

import numpy as np

STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))
"""Inner channels and bottlenecks of each stage; a bottleneck's output has four times as many channels."""


def build(tf: Any, size: str) -> Any:
    """Return an uncompiled Keras model with a head of 1,000 classes; there is one size."""
    layers = tf.keras.layers

    def normalised(tensor: Any, channels: int, kernel: int, stride: int, name: str) -> Any:
        tensor = layers.Conv2D(channels, kernel, stride, padding="same", use_bias=False, name=f"{name}_conv")(tensor)
        return layers.BatchNormalization(name=f"{name}_norm")(tensor)

    inputs = tf.keras.Input((224, 224, 3), name="images")
    tensor = layers.ReLU(name="stem_relu")(normalised(inputs, 64, 7, 2, "stem"))
    tensor = layers.MaxPooling2D(3, 2, padding="same", name="stem_pool")(tensor)
    for stage, (channels, bottlenecks) in enumerate(STAGES):
        for bottleneck in range(bottlenecks):
            name, first = f"stage_{stage}_{bottleneck}", bottleneck == 0
            stride = 2 if first and stage else 1
            shortcut = normalised(tensor, 4 * channels, 1, stride, f"{name}_shortcut") if first else tensor
            inner = layers.ReLU(name=f"{name}_relu_0")(normalised(tensor, channels, 1, 1, f"{name}_0"))
            inner = layers.ReLU(name=f"{name}_relu_1")(normalised(inner, channels, 3, stride, f"{name}_1"))
            inner = normalised(inner, 4 * channels, 1, 1, f"{name}_2")
            tensor = layers.ReLU(name=f"{name}_relu_2")(layers.Add(name=f"{name}_add")([inner, shortcut]))
    tensor = layers.GlobalAveragePooling2D(name="pool")(tensor)
    return tf.keras.Model(inputs, layers.Dense(1000, name="head")(tensor), name="resnet50")


def inputs(size: str, batch: int, generator: np.random.Generator) -> Any:
    """Return float32 images of shape (batch, 224, 224, 3)."""
    return generator.random((batch, 224, 224, 3), dtype=np.float32)


def operations(size: str) -> float:
    """Return the floating-point operations of the convolutions and the head for one item, a multiply-add as two.

    Counted as direct convolutions, padding included: 4.1 thousand million multiply-adds.
    """
    macs, before = 112**2 * 7**2 * 3 * 64, 64
    for stage, (channels, bottlenecks) in enumerate(STAGES):
        positions = (56 // 2**stage) ** 2
        for bottleneck in range(bottlenecks):
            first = bottleneck == 0
            # The stride is in the 3 x 3 convolution: the 1 x 1 before it still sees the larger image.
            macs += before * channels * positions * (4 if first and stage else 1)
            macs += positions * channels * (3**2 * channels + 4 * channels)
            macs += positions * before * 4 * channels if first else 0
            before = 4 * channels
    return 2.0 * (macs + before * 1000)
