"""The meta graphs of a `saved_model.pb`.

Field numbers: `saved_model.proto`, `meta_graph.proto`, `saved_object_graph.proto` (`tensorflow/core/protobuf/`);
`graph.proto`, `function.proto`, `node_def.proto`, `op_def.proto`, `tensor_shape.proto` (`tensorflow/core/framework/`).
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator

from harness.savedmodel.description import Function, MetaGraph, Node, OpUse, Shape, Signature, TensorSpec
from harness.savedmodel.dtypes import dtype_name
from harness.savedmodel.wire import Message, signed

_VARIABLE_OPS = frozenset({"VarHandleOp", "VariableV2", "Variable", "AutoReloadVariable"})
_LARGE = 4096
"""Bytes from which on a node may be listed by itself."""
_LISTED = 100
"""Nodes listed by themselves at most."""
_UNNAMED = "unnamed"
_ASSETS = "saved_model_assets"


def read_meta_graph(message: Message) -> MetaGraph:
    """Return what a MetaGraphDef holds.

    Raises:
        MalformedError: it is none.
    """
    info = message.message(1) or Message(b"")
    graph = message.message(2) or Message(b"")
    objects = message.message(7)
    count = _Count()
    count.add_all(graph.each(1), None)
    graph_nodes = count.nodes
    functions = tuple(_functions(graph, count))
    return MetaGraph(
        tags=tuple(info.texts(4)),
        signatures=dict(sorted((one.name, one) for one in map(_signature, message.each(5)))),
        tensorflow_version=info.text(5) or None,
        tensorflow_git_version=info.text(6) or None,
        stripped_default_attrs=bool(info.number(7)),
        graph_nodes=graph_nodes,
        nodes=count.nodes,
        functions=functions,
        ops=count.ops(),
        large_nodes=count.large(),
        has_objects=objects is not None and len(objects) > 0,
        declared_variables=max(count.variables, _declared(objects)),
        asset_names=tuple(sorted({one.text(2) for one in (*message.each(6), *_assets_of_collections(message))})),
        bytes=len(message),
        parts=_parts(message, graph),
    )


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


def _functions(graph: Message, count: _Count) -> Iterator[Function]:
    library = graph.message(2)
    for function in library.each(1) if library is not None else ():
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


def _signature(entry: Message) -> Signature:
    signature = entry.message(2) or Message(b"")
    return Signature(
        name=entry.text(1),
        method_name=signature.text(3),
        inputs=_tensors(signature, 1),
        outputs=_tensors(signature, 2),
        defaults=tuple(sorted(default.text(1) for default in signature.each(4))),
    )


def _tensors(signature: Message, number: int) -> dict[str, TensorSpec]:
    pairs = ((entry.text(1), _tensor(entry.message(2) or Message(b""))) for entry in signature.each(number))
    return dict(sorted(pairs))


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


def read_shape(message: Message | None) -> Shape:
    """Return a TensorShapeProto; None is one of unknown rank, or none at all."""
    if message is None or message.number(3):
        return None
    sizes = (signed(dimension.numbers().get(1, 0)) for dimension in message.each(2))
    return tuple(size if size >= 0 else None for size in sizes)
