"""Writer `tf-save`: `tf.saved_model.save` of the Keras model itself, with whatever it tracks."""

from __future__ import annotations

from typing import Any

from harness.formats.keras_model import output, prepare

__all__ = ["output", "prepare", "write"]


def write(tf: Any, model: Any, path: str) -> None:
    """Write a SavedModel directory at `path`."""
    tf.saved_model.save(model, path)
