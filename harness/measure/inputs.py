"""The inputs of a model that is not of the zoo: made from its signature, or cut from a file, the same in every run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from harness.measure import given_inputs
from harness.measure.composite_values import cut_ragged, cut_sparse, made_ragged, made_sparse
from harness.measure.own_models import SAVED_MODEL, Input, OwnModel
from harness.savedmodel.examples import serialized
from harness.worker import arrays, random_inputs


def write_inputs(model: OwnModel, batch: int, folder: Path) -> Path:
    """Return the file of a model's inputs at a batch size (harness/worker/arrays.py), written where it is not there.

    A model whose signature only its release can read (a file that Keras wrote) has none yet: the worker that loads it
    first writes them.
    """
    path = folder / model.name / f"{batch}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() and model.kind == SAVED_MODEL:
        given = {}
        if model.inputs_file is not None:
            given = given_inputs.read(Path(model.inputs_file), model.inputs, model.signature or "")
        values: dict[str, Any] = {}
        for one in model.inputs:
            if one.sparse is not None:
                values |= cut_sparse(given, one, one.sparse, batch) if given else made_sparse(one, one.sparse, batch)
            elif one.ragged is not None:
                values |= cut_ragged(given, one, one.ragged, batch) if given else made_ragged(one, one.ragged, batch)
            else:
                values[one.name] = cut(given[one.name], one, batch) if given else made(one, batch)
        arrays.save(str(path), values)
    return path


def made(one: Input, batch: int) -> Any:
    """Return random values of an input at a batch size: of each feature, where it is a serialized tf.Example."""
    if one.features:
        each = {f.name: random_inputs.values(f.name, f.dtype, (batch, *f.shape), batch) for f in one.features}
        text = np.empty(batch, dtype=object)
        text[:] = [
            serialized({name: values[i].ravel().tolist() for name, values in each.items()}) for i in range(batch)
        ]
        return text if one.has_batch else text.reshape(one.shape)
    shape = (batch, *one.shape) if one.has_batch else one.shape
    return random_inputs.values(one.name, one.dtype, shape, batch, one.low, one.high)


def cut(values: Any, one: Input, batch: int) -> Any:
    """Return the first `batch` examples of given values, beginning again with the first where there are fewer."""
    return np.take(values, np.arange(batch) % len(values), axis=0) if one.has_batch else values
