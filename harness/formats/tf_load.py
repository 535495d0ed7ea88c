"""Reader `tf-load`: `tf.saved_model.load`, called through a signature."""

from __future__ import annotations

from typing import Any, Callable

from harness.formats.endpoint import SERVING, Endpoint, Values, named


def read(tf: Any, path: str, endpoint: Endpoint = SERVING) -> Any:
    """Return the loaded root object. Keep it alive: its signatures die with it."""
    return tf.saved_model.load(path) if endpoint.tags is None else tf.saved_model.load(path, list(endpoint.tags))


def callable_of(loaded: Any, endpoint: Endpoint = SERVING) -> Callable[[Values], Values]:
    """Return a function from tensors by input name to tensors by output name."""
    signature = loaded.signatures[endpoint.signature]
    wanted = signature.structured_input_signature[1]

    def call(values: Values) -> Values:
        return signature(**named(values, wanted))  # type: ignore[no-any-return]

    return call
