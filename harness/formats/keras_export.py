"""Writer `keras-export`: `model.export(path)`, an inference-only SavedModel (TensorFlow 2.13 and later)."""

from __future__ import annotations

from typing import Any


def prepare(tf: Any, model: Any) -> Any:
    """Return the model as it is."""
    return model


def write(tf: Any, model: Any, path: str) -> None:
    """Write a SavedModel directory at `path`; AttributeError where the release has no `export`."""
    model.export(path)
