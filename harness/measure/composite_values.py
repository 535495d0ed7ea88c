"""Values of inputs that are several tensors.

A ragged one has flat values, and row splits that say where each row begins and the last one ends: those of n rows are
n + 1 numbers, 0 and then the end of each row, and those of the rows of rows come first. A sparse one has the values
that are not zero, their indices, a row each, and its dense shape.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.measure.own_models import Input, Ragged, Sparse
from harness.worker import random_inputs


def made_ragged(one: Input, ragged: Ragged, batch: int) -> dict[str, Any]:
    """Return random values of a ragged input at a batch size as its tensors by name; all rows have the same length."""
    sizes = (batch, *one.shape) if one.has_batch else one.shape
    rank = len(ragged.splits)
    tensors: dict[str, Any] = {
        name: np.arange(math.prod(sizes[:depth]) + 1, dtype=ragged.dtype) * sizes[depth]
        for depth, name in enumerate(ragged.splits, 1)
    }
    flat = (math.prod(sizes[: rank + 1]), *sizes[rank + 1 :])
    return {one.name: random_inputs.values(one.name, one.dtype, flat, batch, one.low, one.high), **tensors}


def cut_ragged(given: dict[str, Any], one: Input, ragged: Ragged, batch: int) -> dict[str, Any]:
    """Return the tensors of the first `batch` rows, beginning again with the first where there are fewer."""
    if not one.has_batch:
        return {name: given[name] for name in (one.name, *ragged.splits)}
    tensors = {}
    chosen = np.arange(batch) % (len(given[ragged.splits[0]]) - 1)
    for name in ragged.splits:
        splits = given[name]
        starts, lengths = splits[chosen], np.diff(splits)[chosen]
        ends = np.concatenate([[0], np.cumsum(lengths)])
        tensors[name] = ends.astype(ragged.dtype)
        chosen = np.repeat(starts - ends[:-1], lengths) + np.arange(ends[-1])
    return {one.name: given[one.name][chosen.astype(np.int64)], **tensors}


def ragged_fault(values: Any, splits: Sequence[tuple[str, Any]]) -> str | None:
    """Return what is wrong with row splits, the outermost first: "x_1 must begin with 0, …"; None: nothing."""
    if not np.shape(values):
        return "its values are a single one"
    below = [(f"rows of {name}", len(each) - 1) for name, each in splits[1:] if np.ndim(each) == 1]
    for (name, each), (what, number) in zip(splits, [*below, ("values", len(values))], strict=False):
        if np.ndim(each) != 1 or not len(each) or each[0] != 0 or (np.diff(each) < 0).any() or each[-1] != number:
            return f"{name} must begin with 0, never fall, and end with the number of {what}, {number}"
    return None


def bounding_shape(values: Any, splits: Sequence[Any]) -> tuple[int, ...]:
    """Return the rows, the length of the longest one of each depth, and the sizes that do not vary."""
    longest = (int(np.diff(each).max(initial=0)) for each in splits)
    return (len(splits[0]) - 1, *longest, *values.shape[1:])


def flattened(rows: Any, rank: int) -> tuple[list[Any], list[list[int]]]:
    """Return nested lists as flat values and row splits, the outermost first.

    Raises:
        ValueError: they are not nested that deep.
    """
    splits = []
    for _ in range(rank):
        if not isinstance(rows, list) or any(not isinstance(row, list) for row in rows):
            raise ValueError
        ends = [0]
        for row in rows:
            ends.append(ends[-1] + len(row))
        splits.append(ends)
        rows = [each for row in rows for each in row]
    return rows, splits


def made_sparse(one: Input, sparse: Sparse, batch: int) -> dict[str, Any]:
    """Return a random sparse input at a batch size as its tensors by name: one value in each row."""
    shape = (batch, *one.shape) if one.has_batch else one.shape
    rows = shape[0] if shape else 1
    indices = np.zeros((rows, len(shape)), dtype=np.int64)
    indices[:, :1] = np.arange(rows)[:, None]
    return {
        sparse.indices: indices,
        sparse.values: random_inputs.values(one.name, one.dtype, (rows,), batch, one.low, one.high),
        sparse.dense_shape: np.array(shape, dtype=np.int64),
    }


def cut_sparse(given: dict[str, Any], one: Input, sparse: Sparse, batch: int) -> dict[str, Any]:
    """Return the tensors of the first `batch` rows, beginning again with the first where there are fewer."""
    indices, values, shape = (given[name] for name in (sparse.indices, sparse.values, sparse.dense_shape))
    if one.has_batch:
        chosen = [np.flatnonzero(indices[:, 0] == row) for row in np.arange(batch) % shape[0]]
        rows = np.repeat(np.arange(batch), list(map(len, chosen)))
        places = np.concatenate(chosen)
        indices, values = np.column_stack([rows, indices[places, 1:]]), values[places]
        shape = np.array([batch, *shape[1:]], dtype=np.int64)
    return {sparse.indices: indices, sparse.values: values, sparse.dense_shape: shape}


def sparse_fault(sparse: Sparse, given: dict[str, Any]) -> str | None:
    """Return what is wrong with the tensors of a sparse input: "x must have …"; None: nothing."""
    indices, values, shape = (given[name] for name in (sparse.indices, sparse.values, sparse.dense_shape))
    if np.ndim(shape) != 1 or (shape < 0).any():
        return f"{sparse.dense_shape} must be the sizes of its dimensions"
    if np.ndim(values) != 1:
        return f"{sparse.values} must be a list of values"
    if np.shape(indices) != (len(values), len(shape)):
        return (
            f"{sparse.indices} must have a row for each of the {len(values)} values, of {len(shape)} numbers as "
            f"{sparse.dense_shape} has"
        )
    if (indices < 0).any() or (indices >= shape).any():
        return f"{sparse.indices} must lie within {sparse.dense_shape}, {tuple(map(int, shape))}"
    return None
