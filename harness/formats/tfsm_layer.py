"""Reader `tfsm-layer`: `keras.layers.TFSMLayer`, what Keras 3 offers in place of `load_model` (TensorFlow 2.16 on)."""

from __future__ import annotations

from typing import Any, Callable


def read(tf: Any, path: str) -> Any:
    """Return the layer; AttributeError where the release's Keras has none."""
    return tf.keras.layers.TFSMLayer(path, call_endpoint="serving_default")


def callable_of(layer: Any) -> Callable[[Any], Any]:
    """Return a function from one tensor to the first output, in the order of the outputs' names."""

    def call(tensor: Any) -> Any:
        outputs = layer(tensor)
        return outputs[sorted(outputs)[0]] if isinstance(outputs, dict) else outputs

    return call
