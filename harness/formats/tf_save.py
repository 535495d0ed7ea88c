"""Writer `tf-save`: `tf.saved_model.save` of the Keras model itself, with whatever it tracks."""

from __future__ import annotations

from typing import Any


def prepare(tf: Any, model: Any) -> Any:
    """Return the model as it is."""
    return model


def write(tf: Any, model: Any, path: str) -> None:
    """Write a SavedModel directory at `path`."""
    tf.saved_model.save(model, path)
