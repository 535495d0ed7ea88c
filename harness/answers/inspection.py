"""What a SavedModel directory holds, and what differs between two."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from harness.savedmodel.content import digest, duplicates
from harness.savedmodel.description import MetaGraph, SavedModel, Signature, Variable
from harness.savedmodel.op_providers import provider
from harness.savedmodel.reading import read

_FUNCTION_NUMBER = re.compile(r"_\d+$")


@dataclass(frozen=True, slots=True)
class ForeignOp:
    """An op of a graph that TensorFlow itself may not have.

    `package` is what brings it, None where nobody knows; `is_unknown` says whether the release that was asked does not
    register it, None where none was asked.
    """

    op: str
    nodes: int
    package: str | None
    is_unknown: bool | None


@dataclass(frozen=True, slots=True)
class Inspection:
    """A SavedModel with what its content tells.

    `duplicate_of` gives of each variable that holds the same as an earlier one that one's name, both by `Variable.key`.
    `foreign_ops` are those of each meta graph, in the model's order. `release` was asked for its ops, None: none was.
    """

    model: SavedModel
    digest: str
    duplicate_of: Mapping[str, str]
    foreign_ops: tuple[tuple[ForeignOp, ...], ...]
    release: str | None

    @property
    def optimizer_variables(self) -> tuple[Variable, ...]:
        """Return the variables that training needs and inference does not."""
        return tuple(one for one in self.model.variables if one.optimizer_state)

    @property
    def duplicates(self) -> tuple[Variable, ...]:
        """Return the variables that hold the same as an earlier one."""
        return tuple(one for one in self.model.variables if one.key in self.duplicate_of)

    @property
    def missing_assets(self) -> tuple[str, ...]:
        """Return the files of `assets/` that a graph asks for and that are not there."""
        there = {file.path for file in self.model.files}
        asked = {f"assets/{name}" for graph in self.model.meta_graphs for name in graph.asset_names}
        return tuple(sorted(asked - there))


@dataclass(frozen=True, slots=True)
class Change:
    """Something that two SavedModels have in different amounts; None: it is not there.

    `old_nodes` and `new_nodes` are None of what consists of no nodes.
    """

    name: str
    old_bytes: int | None
    new_bytes: int | None
    old_nodes: int | None = None
    new_nodes: int | None = None

    @property
    def grown_bytes(self) -> int:
        """Return by how many bytes it grew, negative where it shrank."""
        return (self.new_bytes or 0) - (self.old_bytes or 0)

    @property
    def grown_nodes(self) -> int:
        """Return by how many nodes it grew, negative where it shrank."""
        return (self.new_nodes or 0) - (self.old_nodes or 0)


@dataclass(frozen=True, slots=True)
class SignatureChange:
    """A signature that only one of two SavedModels has, or that takes or gives something else."""

    name: str
    old: Signature | None
    new: Signature | None


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between two SavedModels: what grew most comes first.

    `parts` are the sizes of the whole and of its parts, changed or not; all others are only what changed. Functions are
    those that are called alike but for the number that every save gives anew. Variables are those of one name, or, if
    the other SavedModel keeps them elsewhere, of one name in the graph, copies counted together.
    """

    old: Inspection
    new: Inspection
    parts: tuple[Change, ...]
    files: tuple[Change, ...]
    variables: tuple[Change, ...]
    ops: tuple[Change, ...]
    functions: tuple[Change, ...]
    signatures: tuple[SignatureChange, ...]


def inspect(path: Path, release: str | None = None, known_ops: frozenset[str] | None = None) -> Inspection:
    """Return what a SavedModel holds; nothing of it runs.

    Args:
        path: its folder.
        release: which release `known_ops` are of.
        known_ops: the ops that this release registers; None: none was asked.

    Raises:
        ModelError: it is no SavedModel, or cannot be read.
    """
    model = read(path)
    foreign = tuple(tuple(_foreign(graph, known_ops)) for graph in model.meta_graphs)
    return Inspection(model, digest(path), duplicates(model), foreign, release)


def _foreign(graph: MetaGraph, known_ops: frozenset[str] | None) -> Iterable[ForeignOp]:
    own = {function.name for function in graph.functions}  # in graphs of TensorFlow 1 a function is called like an op
    for use in graph.ops:
        if use.op in own:
            continue
        is_unknown = None if known_ops is None else use.op not in known_ops
        package = provider(use.op)
        if is_unknown or (is_unknown is None and package is not None):
            yield ForeignOp(use.op, use.nodes, package, is_unknown)


def difference(old: Inspection, new: Inspection) -> Difference:
    """Return what differs between two SavedModels."""
    return Difference(
        old,
        new,
        parts=tuple(_changes(_parts(old), _parts(new))),
        files=_grown(_files(old), _files(new)),
        variables=_grown(*_variables(old.model.variables, new.model.variables)),
        ops=_grown(_ops(old), _ops(new)),
        functions=_grown(_functions(old), _functions(new)),
        signatures=tuple(_signature_changes(_signatures(old), _signatures(new))),
    )


_Amounts = Mapping[str, tuple[int, int | None]]
"""Bytes and nodes by name."""


def _grown(old: _Amounts, new: _Amounts) -> tuple[Change, ...]:
    changed = (one for one in _changes(old, new) if (one.old_bytes, one.old_nodes) != (one.new_bytes, one.new_nodes))
    return tuple(sorted(changed, key=lambda one: (-one.grown_bytes, one.name)))


def _changes(old: _Amounts, new: _Amounts) -> Iterable[Change]:
    for name in dict.fromkeys((*old, *new)):
        (old_bytes, old_nodes), (new_bytes, new_nodes) = old.get(name, (None, None)), new.get(name, (None, None))
        yield Change(name, old_bytes, new_bytes, old_nodes, new_nodes)


def _parts(one: Inspection) -> _Amounts:
    model = one.model
    graphs = model.meta_graphs
    nodes, graph_nodes = sum(graph.nodes for graph in graphs), sum(graph.graph_nodes for graph in graphs)
    parts: dict[str, tuple[int, int | None]] = {"all files": (model.bytes, None)}
    parts["saved_model.pb"] = (sum(graph.bytes for graph in graphs), nodes)
    of_part = {"graph": graph_nodes, "functions": nodes - graph_nodes}
    for name in graphs[0].parts:
        parts[f"saved_model.pb: {name}"] = (sum(graph.parts[name] for graph in graphs), of_part.get(name))
    sizes = {"variables": model.variables, "variables: optimizer state": one.optimizer_variables}
    for name, variables in {**sizes, "variables: the same as others": one.duplicates}.items():
        parts[name] = (sum(variable.bytes for variable in variables), None)
    return parts


def _files(one: Inspection) -> _Amounts:
    return {file.path: (file.bytes, None) for file in one.model.files}


def _variables(old: Iterable[Variable], new: Iterable[Variable]) -> tuple[_Amounts, _Amounts]:
    """Return the variables of both by name; what lies elsewhere in the other one, by its name in the graph."""
    sides = tuple({one.name: one for one in side} for side in (old, new))
    kept = sides[0].keys() & sides[1].keys()
    moved = [{one.full_name for name, one in side.items() if name not in kept} for side in sides]
    common = (moved[0] & moved[1]) - {None}
    before, after = (_by_name(side, kept, common) for side in sides)
    return before, after


def _by_name(side: Mapping[str, Variable], kept: Set[str], common: Set[str | None]) -> _Amounts:
    summed: dict[str, int] = {}
    for name, one in side.items():
        shown = one.full_name if name not in kept and one.full_name in common else name
        summed[shown or name] = summed.get(shown or name, 0) + one.bytes
    return {name: (size, None) for name, size in summed.items()}


def _ops(one: Inspection) -> _Amounts:
    return _summed((use.op, use.bytes, use.nodes) for graph in one.model.meta_graphs for use in graph.ops)


def _functions(one: Inspection) -> _Amounts:
    return _summed(
        (_FUNCTION_NUMBER.sub("", function.name), function.bytes, function.nodes)
        for graph in one.model.meta_graphs
        for function in graph.functions
    )


def _summed(amounts: Iterable[tuple[str, int, int]]) -> _Amounts:
    summed: dict[str, tuple[int, int]] = {}
    for name, size, nodes in amounts:
        before = summed.get(name, (0, 0))
        summed[name] = (before[0] + size, before[1] + nodes)
    return dict(summed)


def _signatures(one: Inspection) -> Mapping[str, Signature]:
    found: dict[str, Signature] = {}
    for graph in one.model.meta_graphs:
        tags = "" if len(one.model.meta_graphs) == 1 else f" ({','.join(graph.tags)})"
        found.update({name + tags: signature for name, signature in graph.signatures.items()})
    return {name: signature for name, signature in found.items() if signature.is_for_users}


def _signature_changes(old: Mapping[str, Signature], new: Mapping[str, Signature]) -> Iterable[SignatureChange]:
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        if before is None or after is None or _interface(before) != _interface(after):
            yield SignatureChange(name, before, after)


def _interface(signature: Signature) -> object:
    """Return what a caller meets: the names of tensors in the graph are not part of it."""
    return [
        {name: (spec.dtype, spec.shape, spec.kind, spec.part) for name, spec in specs.items()}
        for specs in (signature.inputs, signature.outputs)
    ]
