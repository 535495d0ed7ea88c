"""The meta graphs of a `saved_model.pb`.

Field numbers: `saved_model.proto`, `meta_graph.proto`, `saved_object_graph.proto` (`tensorflow/core/protobuf/`);
`graph.proto`, `function.proto`, `node_def.proto`, `op_def.proto`, `tensor_shape.proto` (`tensorflow/core/framework/`).
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from harness.savedmodel.composites import composite_parts
from harness.savedmodel.description import RAGGED, Function, MetaGraph, Node, OpUse, Part, Signature, TensorSpec
from harness.savedmodel.dtypes import dtype_name
from harness.savedmodel.shapes import read_shape
from harness.savedmodel.wire import Limit, MalformedError, Message

_VARIABLE_OPS = frozenset({"VarHandleOp", "VariableV2", "Variable", "AutoReloadVariable"})
_LARGE = 4096
"""Bytes from which on a node may be listed by itself."""
_LISTED = 100
"""Nodes listed by themselves at most."""
_MOST_OPS = 100_000
"""Different ops of a graph at most; all that TensorFlow has are 2,000."""
_SPLITS = ("int32", "int64")
"""The types of row splits."""
_UNNAMED = "unnamed"
_ASSETS = "saved_model_assets"


def read_meta_graph(message: Message, limit: Limit) -> MetaGraph:
    """Return what a MetaGraphDef holds.

    Args:
        message: the MetaGraphDef.
        limit: how many functions, signatures, tensors and files the whole file may still name.

    Raises:
        MalformedError: it is none.
    """
    info = message.message(1) or Message(b"")
    graph = message.message(2) or Message(b"")
    objects = message.message(7)
    count = _Count()
    count.add_all(graph.each(1), None)
    graph_nodes = count.nodes
    functions = tuple(_functions(graph, count, limit))
    assets = limit.of((*message.each(6), *_assets_of_collections(message)))
    return MetaGraph(
        tags=tuple(info.texts(4)),
        signatures=dict(sorted((one.name, one) for one in _signatures(message, limit))),
        tensorflow_version=_known(info.text(5)),
        tensorflow_git_version=_known(info.text(6)),
        stripped_default_attrs=bool(info.number(7)),
        graph_nodes=graph_nodes,
        nodes=count.nodes,
        functions=functions,
        ops=count.ops(),
        large_nodes=count.large(),
        has_objects=objects is not None and len(objects) > 0,
        declared_variables=max(count.variables, _declared(objects)),
        asset_names=tuple(sorted({one.text(2) for one in assets})),
        bytes=len(message),
        parts=_parts(message, graph),
    )


def _known(version: str) -> str | None:
    return None if version in ("", "unknown") else version


class _Count:
    """Counts nodes by op, and keeps the largest."""

    def __init__(self) -> None:
        self.nodes = 0
        self.variables = 0
        self._by_op: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._large: list[tuple[int, int, Node]] = []

    def add_all(self, nodes: Iterator[Message], function: str | None) -> None:
        for node in nodes:
            op = node.text(2)
            self.nodes += 1
            self._by_op[op] += 1
            self._bytes[op] += len(node)
            if len(self._by_op) > _MOST_OPS:
                raise MalformedError(f"it uses more than {_MOST_OPS:,} ops, which no graph does")
            self.variables += op in _VARIABLE_OPS
            if len(node) >= _LARGE:
                one = (len(node), -self.nodes, Node(node.text(1), op, function, len(node)))
                if len(self._large) < _LISTED:
                    heapq.heappush(self._large, one)
                else:
                    heapq.heappushpop(self._large, one)

    def ops(self) -> tuple[OpUse, ...]:
        by_number = sorted(self._by_op.items(), key=lambda pair: (-pair[1], pair[0]))
        return tuple(OpUse(op, number, self._bytes[op]) for op, number in by_number)

    def large(self) -> tuple[Node, ...]:
        return tuple(node for _, _, node in sorted(self._large, reverse=True))


def _functions(graph: Message, count: _Count, limit: Limit) -> Iterator[Function]:
    library = graph.message(2)
    for function in limit.of(library.each(1)) if library is not None else ():
        signature = function.message(1)
        name = _UNNAMED if signature is None else signature.text(1)
        before = count.nodes
        count.add_all(function.each(3), name)
        yield Function(name, count.nodes - before, len(function))


def _assets_of_collections(message: Message) -> Iterator[Message]:
    """Yield the AssetFileDefs that TensorFlow 1 kept in a collection, each in an `Any`."""
    for entry in message.each(4):
        collection = entry.message(2)
        packed = None if collection is None or entry.text(1) != _ASSETS else collection.message(5)
        for one in () if packed is None else packed.each(1):
            asset = one.message(2)
            if asset is not None:
                yield asset


def _parts(message: Message, graph: Message) -> dict[str, int]:
    """Return of how many bytes each part of a MetaGraphDef is."""
    fields = {number: sum(map(len, message.each(number))) for number in (2, 5, 7)}
    library = graph.message(2)
    functions = 0 if library is None else len(library)
    parts = {"graph": fields[2] - functions, "functions": functions, "objects": fields[7], "signatures": fields[5]}
    return {**parts, "other": len(message) - sum(parts.values())}


def _declared(objects: Message | None) -> int:
    """Return how many variables the tree of objects has."""
    return 0 if objects is None else sum(node.message(7) is not None for node in objects.each(1))


def _signatures(message: Message, limit: Limit) -> Iterator[Signature]:
    composites = composite_parts(message)
    for entry in limit.of(message.each(5)):
        signature = entry.message(2) or Message(b"")
        inputs, parts = _tensors(limit.of(signature.each(1))), composites.get(entry.text(1), {})
        if all(name in inputs and _can_be(inputs[name].dtype, one) for name, one in parts.items()):
            inputs |= {name: replace(inputs[name], part=part) for name, part in parts.items()}
        yield Signature(
            name=entry.text(1),
            method_name=signature.text(3),
            inputs=inputs,
            outputs=_tensors(limit.of(signature.each(2))),
            defaults=tuple(sorted(default.text(1) for default in limit.of(signature.each(4)))),
        )


def _can_be(dtype: str, part: Part) -> bool:
    """Return whether a tensor of this type can be that part: values are of any, all others count."""
    if part.kind == RAGGED:
        return part.place == 0 or dtype in _SPLITS
    return part.place == 1 or dtype == "int64"


def _tensors(entries: Iterator[Message]) -> dict[str, TensorSpec]:
    specs = {entry.text(1): _tensor(entry.message(2) or Message(b"")) for entry in entries}
    return dict(sorted(specs.items()))


def _tensor(info: Message) -> TensorSpec:
    """Return a TensorInfo: its name, or the tensors that it consists of, are one of three fields."""
    dtype, shape = dtype_name(info.number(2)), read_shape(info.message(3))
    sparse, composite = info.message(4), info.message(5)
    if composite is not None:
        spec = composite.message(1)
        return TensorSpec(dtype, shape, None, (spec and spec.text(3)) or "composite")
    if sparse is not None:
        return TensorSpec(dtype, shape, None, "sparse")
    return TensorSpec(dtype, shape, info.text(1))
