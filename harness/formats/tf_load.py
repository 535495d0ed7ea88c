"""Reader `tf-load`: `tf.saved_model.load`, called through the `serving_default` signature."""

from __future__ import annotations

from typing import Any, Callable


def read(tf: Any, path: str) -> Any:
    """Return the loaded root object. Keep it alive: its signatures die with it."""
    return tf.saved_model.load(path)


def callable_of(loaded: Any) -> Callable[[Any], Any]:
    """Return a function from one tensor to the first output, in the order of the outputs' names."""
    signature = loaded.signatures["serving_default"]
    ((argument, _),) = signature.structured_input_signature[1].items()
    first = sorted(signature.structured_outputs)[0]

    def call(tensor: Any) -> Any:
        return signature(**{argument: tensor})[first]

    return call
