"""Writer `keras-save-tf`: `model.save(path, save_format="tf")`, which Keras 3 no longer has."""

from __future__ import annotations

from typing import Any

from harness.formats.keras_model import output, prepare

__all__ = ["output", "prepare", "write"]


def write(tf: Any, model: Any, path: str) -> None:
    """Write a SavedModel directory with Keras metadata at `path`; Keras 3 raises ValueError."""
    model.save(path, save_format="tf")
