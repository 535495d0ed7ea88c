"""Reader `keras-load`: `keras.models.load_model`, of `.keras` and `.h5` files and, in Keras 2, of SavedModels."""

from __future__ import annotations

from typing import Any, Callable

from harness.formats.endpoint import SERVING, Endpoint, Values, as_named, named


def read(tf: Any, path: str, endpoint: Endpoint = SERVING) -> Any:
    """Return the Keras model, for inference only; ValueError where this release's Keras does not read the format."""
    return tf.keras.models.load_model(path, compile=False)


def callable_of(model: Any, endpoint: Endpoint = SERVING) -> Callable[[Values], Values]:
    """Return a function from tensors by input name to tensors by output name."""
    sources = dict.fromkeys(getattr(model, "input_names", None) or _names(getattr(model, "inputs", None)))
    targets = list(getattr(model, "output_names", None) or ())

    def call(values: Values) -> Values:
        if len(values) == 1:
            (given,) = values.values()
        else:
            given = named(values, sources) if sources else values
        return as_named(model(given, training=False), targets)

    return call


def _names(inputs: Any) -> Any:
    return [one.name for one in inputs or ()]
