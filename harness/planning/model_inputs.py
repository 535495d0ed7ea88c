"""The inputs of a signature, settled: what is given, what is made and how, and what people are told of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import UsageError
from harness.measure.composite_values import bounding_shape
from harness.measure.own_models import Input, Ragged, Sparse
from harness.savedmodel.description import RAGGED, Shape, TensorSpec
from harness.savedmodel.examples import parsed_features
from harness.worker import random_inputs

_UNKNOWN_DIMENSION = 1
"""The size of a dimension beside the batch that a signature leaves open."""
_ROW = 2
"""How many values a row of a ragged input has, and how many rows a row of rows."""


def whole_inputs(tensors: Mapping[str, TensorSpec]) -> list[Input]:
    """Return the inputs of a signature, of which some are several tensors; their shapes are not settled yet."""
    inputs = []
    for name, tensor in tensors.items():
        part = tensor.part
        whole = Input(name, tensor.dtype, (), has_batch=False)
        if tensor.kind == "sparse":
            # As tf.saved_model.load names the three tensors of what TensorFlow 1 wrote as one.
            whole = replace(whole, sparse=Sparse(f"{name}_indices", f"{name}_values", f"{name}_dense_shape"))
        elif part is not None and part.place:
            continue
        elif part is not None and part.kind == RAGGED:
            whole = replace(whole, ragged=Ragged(part.tensors[1:], tensors[part.tensors[1]].dtype))
        elif part is not None:
            whole = replace(whole, dtype=tensors[part.tensors[1]].dtype, sparse=Sparse(*part.tensors))
        inputs.append(whole)
    return inputs


def settled_inputs(
    tensors: Mapping[str, TensorSpec],
    shapes: Mapping[str, tuple[int, ...]],
    ranges: Mapping[str, tuple[float, float]],
    values: Mapping[str, Any],
    path: Path,
) -> tuple[tuple[Input, ...], list[str]]:
    """Return how the values of a signature's inputs are made, and what was assumed or asked for, as people are told.

    Args:
        tensors: the inputs by name.
        shapes: that were asked for, by input.
        ranges: of values, that were asked for, by input.
        values: the given values by name; empty where they are made.
        path: of the model, for what is refused.

    Raises:
        UsageError: a type cannot be made, a name is not there, or a shape does not fit.
    """
    wholes = {one.name: one for one in whole_inputs(tensors)}
    for option, names in (("--shape", shapes), ("--range", ranges)):
        for name in names:
            if name not in wholes:
                raise UsageError(f"{option} names {name!r}; the inputs of {path} are {', '.join(sorted(wholes))}.")
    inputs, notes = [], []
    for name, one in wholes.items():
        ragged = one.ragged
        _require_possible(one, tensors[name].kind, path, are_given=bool(values))
        known = _known_shape(one, tensors[name])
        shape = _given_shape(one, known, values, path) if values else shapes.get(name)
        has_batch = known is None or (len(known) > 0 and known[0] is None)
        if shape is not None:
            _require_fit(name, tuple(shape), known, path)
            rest = tuple(shape[1:]) if has_batch else tuple(shape)
            if not values and ragged is None:
                notes.append(shape_note(name, shape, has_batch=has_batch))
            has_batch = has_batch and len(shape) > 0
        elif known is None:
            rest = ()
            notes.append(f"{name} is of unknown rank and taken for one value an example")
        else:
            rest = tuple(_size(size, place, ragged) for place, size in enumerate(known))[int(has_batch) :]
            if None in known[int(has_batch) :] and ragged is None:
                notes.append(f"open dimensions of {name} have size {_UNKNOWN_DIMENSION}")
        if ragged is not None:
            row = rest if has_batch else rest[1:]
            notes.append(f"{name} is ragged, {' by '.join(map(str, row))} {'values' if row != (1,) else 'value'} a row")
        if one.sparse is not None and not values:
            notes.append(f"{name} is sparse, one value a row")
        low, high = ranges.get(name, (None, None))
        if low is not None and high is not None:
            _require_range(name, low, high, one.dtype, path)
            notes.append(f"{name} from {low:g} to {high:g}")
        inputs.append(replace(one, shape=rest, has_batch=has_batch, low=low, high=high))
    return tuple(inputs), notes


def _require_possible(one: Input, kind: str, path: Path, *, are_given: bool) -> None:
    if kind not in ("dense", "sparse"):
        raise UsageError(
            f"Input {one.name!r} of {path} is a {kind} tensor, of which no values can be "
            f"{'given' if are_given else 'made'}: choose another signature with --signature."
        )
    if not are_given and one.dtype not in random_inputs.SUPPORTED:
        raise UsageError(
            f"Input {one.name!r} of {path} has the type {one.dtype}, of which no values can be made: choose another "
            "signature with --signature."
        )


def _known_shape(one: Input, tensor: TensorSpec) -> Shape:
    """Return the shape of an input, of which `tensor` is the first part, open where the files do not tell it."""
    if tensor.part is None:
        return tensor.shape
    if tensor.part.shape is not None:
        return tensor.part.shape
    if one.ragged is not None:
        return (None,) * (len(one.ragged.splits) + 1) + (tensor.shape or ())[1:]
    rank = tensor.shape[1] if tensor.shape is not None and len(tensor.shape) > 1 else None  # of the indices
    return None if rank is None else (None,) * rank


def _given_shape(one: Input, known: Shape, values: Mapping[str, Any], path: Path) -> tuple[int, ...]:
    """Return the shape of given values; of a ragged input, with the lengths of the longest rows.

    Raises:
        UsageError: rows of a ragged input have not the length that they must have.
    """
    if one.sparse is not None:
        return tuple(map(int, values[one.sparse.dense_shape]))
    if one.ragged is None:
        return tuple(values[one.name].shape)
    splits = [values[each] for each in one.ragged.splits]
    for size, each in zip((known or ())[1:], splits, strict=False):
        if size is not None and (np.diff(each) != size).any():
            raise UsageError(f"Some rows of {one.name!r} do not have the length {size}, which {path} takes.")
    return bounding_shape(values[one.name], splits)


def _size(size: int | None, place: int, ragged: Ragged | None) -> int:
    if size is not None:
        return size
    return _ROW if ragged is not None and 0 < place <= len(ragged.splits) else _UNKNOWN_DIMENSION


def shape_note(name: str, shape: Sequence[int], *, has_batch: bool) -> str:
    """Return how people are told of a shape that was asked for: "x has the shape (N, 5)"."""
    sizes = ["N", *map(str, shape[1:])] if has_batch and shape else list(map(str, shape))
    return f"{name} has the shape ({', '.join(sizes)})"


def _require_range(name: str, low: float, high: float, dtype: str, path: Path) -> None:
    asked = f"--range {name}={low:g},{high:g}"
    if not low <= high:
        raise UsageError(f"{asked} is empty: give the smaller number first.")
    if dtype in ("bool", "string"):
        raise UsageError(f"{asked} is for numbers, and input {name!r} of {path} has the type {dtype}.")
    limits = np.iinfo(dtype) if "int" in dtype else np.finfo(dtype)
    if low < limits.min or high > limits.max:
        raise UsageError(
            f"{asked} does not fit input {name!r} of {path}, whose type, {dtype}, is from {limits.min:g} to "
            f"{limits.max:g}."
        )


def _require_fit(name: str, shape: tuple[int, ...], known: Shape, path: Path) -> None:
    if known is None:
        return
    fits = len(shape) == len(known) and all(b in (None, a) for a, b in zip(shape, known, strict=True))
    if not fits:
        wanted = ", ".join("any" if size is None else str(size) for size in known)
        raise UsageError(
            f"The shape {','.join(map(str, shape)) or '(a single value)'} does not fit input {name!r} of {path}, which "
            f"takes ({wanted})."
        )


def fixed_batch(inputs: Sequence[Input]) -> int | None:
    """Return the only batch size that inputs allow: that of their shapes, 1 where they have none in common.

    None: it can be chosen.
    """
    if any(one.has_batch for one in inputs):
        return None
    sizes = {one.shape[0] if one.shape else 1 for one in inputs}
    return sizes.pop() if len(sizes) == 1 else 1


def require_examples(inputs: Sequence[Input], values: Mapping[str, Any], file: Path) -> None:
    """Refuse values of which no batch can be cut.

    Raises:
        UsageError: inputs have different numbers of examples, or none.
    """
    counts = {one.name: _examples(one, values) for one in inputs if one.has_batch}
    if len(set(counts.values())) > 1 or 0 in counts.values():
        listed = ", ".join(f"{count} of {name}" for name, count in sorted(counts.items()))
        raise UsageError(f"{file} has {listed}: give every input the same number of examples, one or more.")


def _examples(one: Input, values: Mapping[str, Any]) -> int:
    if one.sparse is not None:
        return int(values[one.sparse.dense_shape][0])
    return len(values[one.name]) if one.ragged is None else len(values[one.ragged.splits[0]]) - 1


def with_features(one: Input, tensors: Mapping[str, TensorSpec], path: Path, notes: list[str]) -> Input:
    """Return an input with the features of the tf.Example that it is to hold, where the graph parses it."""
    texts = [name for name, tensor in tensors.items() if tensor.dtype == "string"]
    if texts != [one.name] or one.shape not in ((), (1,)):
        return one
    features = parsed_features(path, tensors[one.name].tensor)
    if not features or any(each.dtype not in random_inputs.SUPPORTED for each in features):
        return one
    notes[:] = [note for note in notes if not note.startswith(f"{one.name} is of unknown rank")]
    notes.append(f"{one.name} is a serialized tf.Example of {', '.join(each.name for each in features)}")
    return replace(one, features=features)
