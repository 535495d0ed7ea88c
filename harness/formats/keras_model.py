"""What all writers share that are given a Keras model as it is."""

from __future__ import annotations

from typing import Any


def prepare(tf: Any, model: Any) -> Any:
    """Return the model as it is."""
    return model


def output(tf: Any, model: Any, values: Any) -> Any:
    """Return what the model computes as a graph, as which it is written."""
    spec = tf.TensorSpec([None, *values.shape[1:]], values.dtype)

    @tf.function(input_signature=[spec])  # type: ignore[untyped-decorator]
    def traced(inputs: Any) -> Any:
        return model(inputs, training=False)

    return traced(values)
