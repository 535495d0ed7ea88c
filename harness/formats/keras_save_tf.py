"""Writer `keras-save-tf`: `model.save(path, save_format="tf")`, which Keras 3 no longer has."""

from __future__ import annotations


def prepare(tf, model):
    """Return the model as it is."""
    return model


def write(tf, model, path):
    """Write a SavedModel directory with Keras metadata at `path`; Keras 3 raises ValueError."""
    model.save(path, save_format="tf")
