"""Inputs that are serialized `tf.Example` messages: which features a graph parses, and how such a message is written.

Op and messages: `parsing_ops.cc` (`tensorflow/core/ops/`), `node_def.proto`, `attr_value.proto`, `example.proto`,
`feature.proto` (`tensorflow/core/`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.savedmodel.dtypes import dtype_name
from harness.savedmodel.places import GRAPH, read_file
from harness.savedmodel.shapes import read_shape
from harness.savedmodel.tensors import read_tensor
from harness.savedmodel.wire import MalformedError, Message, varint

_PARSING = ("ParseExample", "ParseExampleV2")


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature of the examples that a graph parses; of a shape that is not fixed one value is enough."""

    name: str
    dtype: str  # float32, int64 or string
    shape: tuple[int, ...]


def parsed_features(root: Path, tensor: str | None) -> tuple[Feature, ...] | None:
    """Return the features that are parsed from a tensor; None where that cannot be read from the graph.

    Args:
        root: the SavedModel's folder.
        tensor: the name of the input's tensor in the graph ("tf_example:0"). Where the parsing stands in a function,
            the graph's one parsing op is taken for it.

    Raises:
        MalformedError: the file is damaged.
    """
    message = Message(read_file(root / GRAPH))
    found: list[tuple[bool, tuple[Feature, ...]]] = []
    for graph in message.each(2):
        definition = graph.message(2)
        if definition is None:
            continue
        library = definition.message(2)
        functions = () if library is None else library.each(1)
        for nodes in (list(definition.each(1)), *(list(function.each(3)) for function in functions)):
            by_name = {node.text(1): node for node in nodes}
            for node in nodes:
                if node.text(2) in _PARSING:
                    source = (node.texts(3) or [""])[0].partition(":")[0]
                    is_it = tensor is not None and source == tensor.partition(":")[0]
                    features = _features(node, by_name)
                    if features is not None:
                        found.append((is_it, features))
    of_tensor = [features for is_it, features in found if is_it]
    candidates = of_tensor or [features for _, features in found]
    return candidates[0] if len(set(candidates)) == 1 else None


def _features(node: Message, by_name: Mapping[str, Message]) -> tuple[Feature, ...] | None:
    attributes = {entry.text(1): entry.message(2) or Message(b"") for entry in node.each(5)}
    inputs = [name.partition(":")[0] for name in node.texts(3) if not name.startswith("^")]
    dense_types, sparse_types = (_types(attributes.get(name)) for name in ("Tdense", "sparse_types"))
    ragged_types = _types(attributes.get("ragged_value_types"))
    shapes = [
        tuple(max(1, one or 1) for one in read_shape(shape) or ())
        for part in (attributes.get("dense_shapes"),)
        if part is not None
        for items in part.each(1)
        for shape in items.each(7)
    ]
    if node.text(2) == "ParseExampleV2":
        keys = [_constant(by_name, name) for name in inputs[2:5]]
        if any(one is None for one in keys) or len(keys) < 3:
            return None
        sparse, dense, ragged = ([key.decode(errors="replace") for key in one or ()] for one in keys)
    else:
        single = [_constant(by_name, name) for name in inputs[2 : 2 + len(sparse_types) + len(dense_types)]]
        if any(one is None or len(one) != 1 for one in single):
            return None
        names = [(one or [b""])[0].decode(errors="replace") for one in single]
        sparse, dense, ragged = names[: len(sparse_types)], names[len(sparse_types) :], []
    if (len(sparse), len(dense), len(ragged)) != (len(sparse_types), len(dense_types), len(ragged_types)):
        return None
    shapes += [()] * (len(dense) - len(shapes))
    return (
        *(Feature(name, dtype, shape) for name, dtype, shape in zip(dense, dense_types, shapes, strict=False)),
        *(Feature(name, dtype, (1,)) for name, dtype in zip(sparse, sparse_types, strict=True)),
        *(Feature(name, dtype, (1,)) for name, dtype in zip(ragged, ragged_types, strict=True)),
    )


def _types(attribute: Message | None) -> list[str]:
    """Return a list(type) attribute; numbers of a repeated field may stand packed."""
    found: list[str] = []
    for items in attribute.each(1) if attribute is not None else ():
        for number, value in items.fields():
            if number != 6:
                continue
            if isinstance(value, int):
                found.append(dtype_name(value))
                continue
            at = value.start
            while at < value.end:
                one, at = varint(value.data, at, value.end)
                found.append(dtype_name(one))
    return found


def _constant(by_name: Mapping[str, Message], name: str) -> list[bytes] | None:
    """Return the texts of a constant; None where the node is something else."""
    node = by_name.get(name)
    if node is None or node.text(2) != "Const":
        return None
    for entry in node.each(5):
        tensor = (entry.message(2) or Message(b"")).message(8) if entry.text(1) == "value" else None
        if tensor is not None:
            try:
                return [one for one in read_tensor(tensor).ravel() if isinstance(one, bytes)]
            except MalformedError:
                return None
    return None


def serialized(values: Mapping[str, Sequence[bytes] | Sequence[int] | Sequence[float]]) -> bytes:
    """Return a `tf.Example` with these features as bytes: lists of bytes, of whole or of real numbers."""
    features = b"".join(
        _field(1, _field(1, name.encode()) + _field(2, _feature(each))) for name, each in values.items()
    )
    return _field(1, features)


def _feature(values: Sequence[bytes] | Sequence[int] | Sequence[float]) -> bytes:
    if any(isinstance(one, bytes) for one in values):
        return _field(1, b"".join(_field(1, one) for one in values if isinstance(one, bytes)))
    if all(isinstance(one, int) for one in values):
        return _field(3, _field(1, b"".join(_number(one) for one in values if isinstance(one, int))))
    return _field(2, _field(1, b"".join(struct.pack("<f", one) for one in values if not isinstance(one, bytes))))


def _field(number: int, data: bytes) -> bytes:
    return _number(number << 3 | 2) + _number(len(data)) + data


def _number(value: int) -> bytes:
    return bytes(_varint_bytes(value & (1 << 64) - 1))


def _varint_bytes(value: int) -> Iterator[int]:
    while value > 0x7F:
        yield value & 0x7F | 0x80
        value >>= 7
    yield value
