"""`transformer`: an encoder over token ids (embedding, attention and feed-forward blocks, mean pooling).

Without position embeddings: they would add a custom layer and a thousandth of the parameters, and no
measured operation depends on them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

TOKENS = 64
# size: vocabulary, model width, blocks, heads
SHAPES = {
    "xs": (256, 48, 3, 4),
    "s": (1000, 128, 4, 4),
    "m": (4000, 320, 7, 8),
    "l": (16000, 768, 12, 12),
    "xl": (32000, 2048, 19, 16),
}


def build(tf: Any, size: str) -> Any:
    """Return an uncompiled Keras model of about 0.1, 1, 10, 100 or 1,000 million parameters."""
    layers = tf.keras.layers
    vocabulary, width, blocks, heads = SHAPES[size]
    inputs = tf.keras.Input((TOKENS,), dtype="int32", name="tokens")
    tensor = layers.Embedding(vocabulary, width, name="embedding")(inputs)
    for block in range(blocks):
        name = f"block_{block}"
        attention = layers.MultiHeadAttention(heads, width // heads, name=f"{name}_attention")(tensor, tensor)
        tensor = layers.Add(name=f"{name}_attention_add")([tensor, attention])
        tensor = layers.LayerNormalization(name=f"{name}_attention_norm")(tensor)
        hidden = layers.Dense(4 * width, activation="gelu", name=f"{name}_expand")(tensor)
        hidden = layers.Dense(width, name=f"{name}_contract")(hidden)
        tensor = layers.Add(name=f"{name}_feed_forward_add")([tensor, hidden])
        tensor = layers.LayerNormalization(name=f"{name}_feed_forward_norm")(tensor)
    tensor = layers.GlobalAveragePooling1D(name="pool")(tensor)
    return tf.keras.Model(inputs, layers.Dense(10, name="head")(tensor), name="transformer")


def inputs(size: str, batch: int, generator: np.random.Generator) -> Any:
    """Return int32 token ids of shape (batch, 64)."""
    return (generator.random((batch, TOKENS)) * SHAPES[size][0]).astype(np.int32)


def operations(size: str) -> float:
    """Return the floating-point operations of the matrix products for one item; a multiply-add counts as two."""
    _, width, blocks, _ = SHAPES[size]
    projections, feed_forward = 4 * width**2, 8 * width**2
    scores_and_sums = 2 * TOKENS * width
    return 2.0 * (blocks * TOKENS * (projections + feed_forward + scores_and_sums) + width * 10)
