"""What a SavedModel holds, as its files tell it: frozen data, the numbers of bytes as they are on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

Shape = tuple[int | None, ...] | None
"""Dimensions; one that is not fixed is None, and so is the whole where not even the rank is known."""

INTERNAL_SIGNATURES = frozenset({"__saved_model_init_op", "__saved_model_train_op"})
"""Signatures that TensorFlow keeps for itself: nobody calls them."""


RAGGED, SPARSE = "ragged", "sparse"


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a ragged or sparse input a tensor of a signature is.

    `kind` is RAGGED or SPARSE; `tensors` are the names of all parts in TensorFlow's order: the values and the row
    splits, the outermost first, or the indices, the values and the dense shape; `place` is this part's place there;
    `shape` is that of the whole, where a dimension whose size varies is open.
    """

    kind: str
    place: int
    tensors: tuple[str, ...]
    shape: Shape

    @property
    def name(self) -> str:
        """Return what people call the whole: the name of its first tensor."""
        return self.tensors[0]


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a signature.

    `tensor` is its name in the graph ("serving_default_x:0"), None where it consists of several; `kind` is "dense",
    "sparse", or the name of the type that is made of several tensors ("RaggedTensorSpec"). `part` says of a dense input
    that it is a part of a ragged or sparse one.
    """

    dtype: str
    shape: Shape
    tensor: str | None
    kind: str = "dense"
    part: Part | None = None


@dataclass(frozen=True, slots=True)
class Signature:
    """A way to call a SavedModel, by name; `defaults` are the inputs that need not be given."""

    name: str
    method_name: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    defaults: tuple[str, ...] = ()

    @property
    def is_for_users(self) -> bool:
        """Return whether anybody but TensorFlow calls it."""
        return self.name not in INTERNAL_SIGNATURES


@dataclass(frozen=True, slots=True)
class OpUse:
    """An op in a graph: how many nodes, in the graph itself and in its functions, and their bytes in the file."""

    op: str
    nodes: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a graph's library."""

    name: str
    nodes: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Node:
    """A node that takes much room in the file, most often a constant; `function` is None in the graph itself."""

    name: str
    op: str
    function: str | None
    bytes: int


@dataclass(frozen=True, slots=True)
class MetaGraph:
    """A graph with its signatures, under the tags by which a loader asks for it.

    `graph_nodes` are those of the graph itself, `nodes` these and those of all functions. `ops` counts these by op, the
    most frequent first. `large_nodes` are the largest ones. `has_objects` says whether TensorFlow 2 wrote its tree of
    Python objects beside the graph. `declared_variables` is how many variables graph and objects declare, whether or
    not `variables/` holds them. `asset_names` are the files of `assets/` that it asks for. `bytes` is its size in
    the file, and `parts` of what it consists: "graph", "functions", "objects" (the tree of Python objects),
    "signatures", "other".
    """

    tags: tuple[str, ...]
    signatures: Mapping[str, Signature]
    tensorflow_version: str | None
    tensorflow_git_version: str | None
    stripped_default_attrs: bool
    graph_nodes: int
    nodes: int
    functions: tuple[Function, ...]
    ops: tuple[OpUse, ...]
    large_nodes: tuple[Node, ...]
    has_objects: bool
    declared_variables: int
    asset_names: tuple[str, ...]
    bytes: int
    parts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Variable:
    """A tensor of `variables/`.

    `key` is what the checkpoint calls it, `name` the same without TensorFlow's suffix (where the tree of objects holds
    it: "layer_with_weights-0/kernel"), `full_name` what the graph calls it ("dense/kernel"), None where nothing tells.
    `shard` is the number of the data file and `offset` the place in it, both None of a variable stored in slices.
    """

    key: str
    name: str
    full_name: str | None
    dtype: str
    shape: tuple[int, ...]
    bytes: int
    shard: int | None
    offset: int | None
    optimizer_state: bool


@dataclass(frozen=True, slots=True)
class File:
    """A file below the SavedModel's folder, `path` relative to it with "/"."""

    path: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """`fingerprint.pb` (TensorFlow 2.12 and later): hashes of the parts, and an identity made anew by each save."""

    saved_model_checksum: int
    graph_def_program_hash: int
    signature_def_hash: int
    saved_object_graph_hash: int
    checkpoint_hash: int
    uuid: str | None


@dataclass(frozen=True, slots=True)
class Keras:
    """What is known of the Keras model inside: its class, and the version that wrote it where that is told."""

    class_name: str | None
    version: str | None


@dataclass(frozen=True, slots=True)
class SavedModel:
    """A SavedModel directory.

    `written_with` is the API that its structure shows: "Keras 2", "Keras 3", "Keras export", "tf.Module" (or another
    object that is no Keras model), "TensorFlow 1".
    """

    path: Path
    schema_version: int
    meta_graphs: tuple[MetaGraph, ...]
    variables: tuple[Variable, ...]
    files: tuple[File, ...]
    written_with: str
    fingerprint: Fingerprint | None
    keras: Keras | None

    @property
    def bytes(self) -> int:
        """Return the bytes of all files."""
        return sum(file.bytes for file in self.files)
