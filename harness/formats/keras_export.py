"""Writer `keras-export`: `model.export(path)`, an inference-only SavedModel (TensorFlow 2.13 and later)."""

from __future__ import annotations


def prepare(tf, model):
    """Return the model as it is."""
    return model


def write(tf, model, path):
    """Write a SavedModel directory at `path`; AttributeError where the release has no `export`."""
    model.export(path)
