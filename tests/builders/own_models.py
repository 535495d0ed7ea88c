"""Models of a user's own, small enough to be read in a test: their files, what is refused, and their inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from saved_model_files import FLOAT, INT32, STRING, Graph, saved_model, signature, tensor

from harness.errors import ModelError, UsageError
from harness.measure.inputs import write_inputs
from harness.measure.own_models import OwnModel
from harness.planning.own_models import Asked, Called, read_model
from harness.worker import arrays

BOOL, UINT8, COMPLEX, VARIANT = 10, 4, 8, 21
OUT = {"y": tensor("y:0", FLOAT, (-1,))}
INPUTS = {"x": (FLOAT, (-1, 3)), "n": (INT32, (-1,)), "s": (STRING, (-1,)), "u": (UINT8, (-1,))}


def saved(folder: Path, inputs: Mapping[str, tuple[int, Any]], *, name: str = "serving_default") -> Path:
    """Write a SavedModel of one signature, its inputs as (dtype, sizes); -1 is an open dimension."""
    infos = {each: tensor(f"{each}:0", dtype, sizes) for each, (dtype, sizes) in inputs.items()}
    return saved_model(folder, Graph(signatures={name: signature(infos, OUT)}))


def model_of(path: Path, **called: Any) -> OwnModel:
    """Return the model that a path is, called `it`."""
    return read_model(Asked("it", path, "", Called(**called)))


def refused(call: Callable[..., object], *arguments: Any, **named: Any) -> str:
    """Return the one sentence by which a call is refused."""
    with pytest.raises((UsageError, ModelError)) as error:
        call(*arguments, **named)
    said = str(error.value)
    assert "\n" not in said
    assert said.endswith(".")
    return said


def values_of(model: OwnModel, batch: int, folder: Path) -> dict[str, Any]:
    """Return the inputs that are made for a batch."""
    return arrays.load(str(write_inputs(model, batch, folder)))


def given(folder: Path, **values: Any) -> Path:
    """Write the values of inputs into a file."""
    path = folder / "given.npz"
    np.savez(path, **{name: np.array(one) for name, one in values.items()})
    return path
