"""Models that are not of the zoo: an artifact that somebody else wrote, or a user's own Python file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.savedmodel.examples import Feature

SAVED_MODEL, KERAS_FILE, PYTHON_FILE = "saved-model", "keras-file", "python-file"
AS_IS = "as-is"
"""The writer of what the harness did not write."""


@dataclass(frozen=True, slots=True)
class Ragged:
    """The row splits of a ragged input: their names, the outermost first, and their type."""

    splits: tuple[str, ...]
    dtype: str  # int32 or int64


@dataclass(frozen=True, slots=True)
class Sparse:
    """The three tensors of a sparse input, by name."""

    indices: str
    values: str
    dense_shape: str


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a model: its name and type, and how its values are made.

    `dtype` is that of the values. `shape` is that of one example where the batch size can be chosen (`has_batch`), else
    the whole; of a ragged input it has the lengths of the rows that are made, or of the longest that are given.
    """

    name: str
    dtype: str  # as TensorFlow writes it: float32, string
    shape: tuple[int, ...]
    has_batch: bool
    features: tuple[Feature, ...] = ()  # of a serialized tf.Example
    low: float | None = None  # of the range of its values; None: the type's own
    high: float | None = None
    ragged: Ragged | None = None  # where it is several tensors, with its name that of the values
    sparse: Sparse | None = None  # where it is three tensors

    @property
    def tensors(self) -> dict[str, str]:
        """The types of the tensors that are given for it, by name."""
        if self.sparse is not None:
            types = {self.sparse.indices: "int64", self.sparse.dense_shape: "int64"}
            return {**types, self.sparse.values: self.dtype}
        splits = {} if self.ragged is None else dict.fromkeys(self.ragged.splits, self.ragged.dtype)
        return {self.name: self.dtype, **splits}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a user asked for of one input: its shape, the batch first, and the range of its values; None: not said."""

    name: str
    shape: tuple[int, ...] | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class OwnModel:
    """A model as a run measures it. Two of one `name` are the same content, called in the same way."""

    name: str  # what people call it, "@", the beginning of its digest
    kind: str  # SAVED_MODEL, KERAS_FILE or PYTHON_FILE
    path: str  # absolute; never written
    digest: str  # of its content
    size_bytes: int
    inputs: tuple[Input, ...]
    inputs_told: str  # what the values are: "random, seed 1"
    signature: str | None = None
    tags: tuple[str, ...] | None = None
    inputs_file: str | None = None  # where they are given
    fixed_batch: int | None = None  # the only batch size there is
    size: str = ""  # of a Python file's model
    asked: tuple[Asked, ...] = ()  # of inputs that only its release can read: a file that Keras wrote
    tolerance: float | None = None
    timeout_s: float | None = None
    own_batches: tuple[int, ...] = ()  # in place of the plan's
    packages: tuple[str, ...] = ()  # to be installed beside the release

    @property
    def base_batch(self) -> int:
        """The batch size of first calls."""
        return 1 if self.fixed_batch is None else self.fixed_batch

    @property
    def called(self) -> str:
        """What people call it."""
        return self.name.partition("@")[0]

    @property
    def is_built(self) -> bool:
        """Whether its code builds it, so that it can be saved and trained as the zoo's models are."""
        return self.kind == PYTHON_FILE

    def batches(self, wanted: tuple[int, ...]) -> tuple[int, ...]:
        """Return the batch sizes that can be measured of those that a plan wants."""
        return (self.fixed_batch,) if self.fixed_batch is not None else self.own_batches or wanted

    def source(self, inputs: dict[str, str]) -> dict[str, Any]:
        """Return what a worker needs to know (harness/worker/source.py).

        Args:
            inputs: the file of the inputs by batch size.
        """
        return {
            "kind": self.kind,
            "path": self.path,
            "size": self.size,
            "signature": self.signature,
            "tags": self.tags,
            "base_batch": self.base_batch,
            "fixed_batch": self.fixed_batch is not None,
            "inputs": inputs,
            "asked": {one.name: [one.shape, one.low, one.high] for one in self.asked},
            "packages": list(self.packages),
        }
