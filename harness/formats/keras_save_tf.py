"""Writer `keras-save-tf`: `model.save(path, save_format="tf")`, which Keras 3 no longer has."""

from __future__ import annotations

from typing import Any


def prepare(tf: Any, model: Any) -> Any:
    """Return the model as it is."""
    return model


def write(tf: Any, model: Any, path: str) -> None:
    """Write a SavedModel directory with Keras metadata at `path`; Keras 3 raises ValueError."""
    model.save(path, save_format="tf")
