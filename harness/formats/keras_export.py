"""Writer `keras-export`: `model.export(path)`, an inference-only SavedModel (TensorFlow 2.13 and later)."""

from __future__ import annotations

from typing import Any

from harness.formats.keras_model import output, prepare

__all__ = ["output", "prepare", "write"]


def write(tf: Any, model: Any, path: str) -> None:
    """Write a SavedModel directory at `path`; AttributeError where the release has no `export`."""
    model.export(path)
