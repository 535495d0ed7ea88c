"""Reader `tfsm-layer`: `keras.layers.TFSMLayer`, what Keras 3 offers in place of `load_model` (TensorFlow 2.16 on)."""

from __future__ import annotations

from typing import Any, Callable

from harness.formats.endpoint import SERVING, Endpoint, Values, as_named


def read(tf: Any, path: str, endpoint: Endpoint = SERVING) -> Any:
    """Return the layer; AttributeError where the release's Keras has none."""
    return tf.keras.layers.TFSMLayer(path, call_endpoint=endpoint.signature)


def callable_of(layer: Any, endpoint: Endpoint = SERVING) -> Callable[[Values], Values]:
    """Return a function from tensors by input name to tensors by output name.

    The layer takes one tensor. Several inputs are handed to its endpoint, as Keras's documentation says to.
    """

    def call(values: Values) -> Values:
        if len(values) == 1:
            (tensor,) = values.values()
            return as_named(layer(tensor))
        return as_named(layer.call_endpoint_fn(**values))

    return call
