"""Ragged and sparse inputs of a signature: which of its tensors are parts of one, and which part each is.

A signature has flat tensors only. What they belong to stands in the tree of Python objects: the signature's wrapper
calls a function, and the tree keeps what that function was called with (`canonicalized_input_signature`). So a tensor
is followed from the signature through the call to its place in there; names are never compared.

Field numbers: `saved_object_graph.proto`, `struct.proto` (`tensorflow/core/protobuf/`); `function.proto`,
`op_def.proto`, `node_def.proto`, `attr_value.proto` (`tensorflow/core/framework/`). The order of components is that of
`tf.nest.flatten(…, expand_composites=True)`, `RaggedTensorSpec` and `SparseTensorSpec`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.savedmodel.description import RAGGED, SPARSE, Part, Shape
from harness.savedmodel.shapes import read_shape
from harness.savedmodel.wire import Limit, MalformedError, Message

_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
_RAGGED_CLASS, _SPARSE_CLASS = 3, 1
_SPARSE_PARTS = 3
_INT64, _SHAPE, _TENSOR, _TYPE, _BOUNDED, _LIST, _TUPLE, _DICT, _NAMED = 12, 31, 33, 34, 35, 51, 52, 53, 54
"""Fields of a StructuredValue."""
_MOST_RANKS = 32
_DEEPEST = 32
_MOST_OBJECTS = 2_000_000
_MARKS = (b"RaggedTensorSpec", b"SparseTensorSpec")


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A tensor that a function takes: part `place` of `parts` of the argument that is number `whole`, if of any."""

    whole: int = -1
    place: int = 0
    parts: int = 1
    kind: str = ""
    shape: Shape = None


def composite_parts(message: Message) -> dict[str, dict[str, Part]]:
    """Return the parts of ragged and sparse inputs by signature and input; a signature without such is left out.

    Args:
        message: a MetaGraphDef.

    Raises:
        MalformedError: it is none.
    """
    objects, graph = message.message(7), message.message(2)
    library = None if graph is None else graph.message(2)
    if objects is None or library is None or not _has_mark(objects):
        return {}
    called_with = {
        entry.text(1): called
        for entry in objects.each(2)
        if (function := entry.message(2)) is not None
        and (called := function.message(3)) is not None
        and _has_mark(called)
    }
    wrappers = dict(_wrappers(list(Limit(_MOST_OBJECTS).of(objects.each(1)))))
    wanted = {name for name, _ in wrappers.values()}
    functions = {name: function for function in library.each(1) if (name := _name(function)) in wanted}
    found = {}
    for signature, (wrapper, inputs) in wrappers.items():
        parts = _parts(functions[wrapper], inputs, called_with) if wrapper in functions else {}
        if parts:
            found[signature] = parts
    return found


def _has_mark(message: Message) -> bool:
    return any(message.data.find(mark, message.start, message.end) >= 0 for mark in _MARKS)


def _name(function: Message) -> str:
    signature = function.message(1)
    return "" if signature is None else signature.text(1)


def _wrappers(nodes: list[Message]) -> Iterator[tuple[str, tuple[str, list[str]]]]:
    """Yield each signature with the name of its function in the library, and its inputs in the function's order."""
    for _, place in _children(nodes, 0, "signatures"):
        for name, each in _children(nodes, place):
            function = nodes[each].message(8)
            if function is not None:
                yield name, (function.text(1), function.texts(2))


def _children(nodes: list[Message], place: int, wanted: str | None = None) -> Iterator[tuple[str, int]]:
    for child in nodes[place].each(1) if place < len(nodes) else ():
        name, number = child.text(2), child.number(1)
        if 0 <= number < len(nodes) and wanted in (None, name):
            yield name, number


def _parts(wrapper: Message, inputs: list[str], called_with: dict[str, Message]) -> dict[str, Part]:
    """Return the parts of ragged and sparse tensors among the inputs of a signature by name.

    Args:
        wrapper: the signature's function.
        inputs: of the signature, in the order in which the function takes them; what it takes beyond are variables.
        called_with: by function the StructuredValue of its arguments, of those that take such tensors.
    """
    definition = wrapper.message(1) or Message(b"")
    input_of = dict(zip((argument.text(1) for argument in definition.each(2)), inputs, strict=False))
    for node in wrapper.each(3):
        if node.text(2) not in _CALLS:
            continue
        called = called_with.get(_called(node))
        if called is None:
            continue
        sources = [source.partition(":")[0] for source in node.texts(3) if not source.startswith("^")]
        leaves = _leaves(called, len(sources))
        by_whole: dict[int, list[tuple[str, _Leaf]]] = {}
        for source, leaf in zip(sources, leaves, strict=False):
            if leaf.whole >= 0 and source in input_of:
                by_whole.setdefault(leaf.whole, []).append((input_of[source], leaf))
        return {
            name: Part(leaf.kind, leaf.place, tuple(each for each, _ in parts), leaf.shape)
            for parts in by_whole.values()
            if [leaf.place for _, leaf in parts] == list(range(parts[0][1].parts))
            for name, leaf in parts
        }
    return {}


def _called(node: Message) -> str:
    for entry in node.each(5):
        value = entry.message(2)
        if entry.text(1) == "f" and value is not None:
            function = value.message(10)
            return "" if function is None else function.text(1)
    return ""


def _leaves(called: Message, most: int) -> list[_Leaf]:
    """Return the tensors of a function's arguments in the order in which it takes them; none where that is not known.

    Args:
        called: the StructuredValue of all arguments.
        most: how many there can be.
    """
    leaves: list[_Leaf] = []
    for whole, (kind, value) in enumerate(_specs(called, 0)):
        if kind != _TYPE:
            leaves.append(_Leaf())
        elif value.number(1) == _RAGGED_CLASS:
            state = _items(value.message(2))
            rank = state[2].numbers().get(_INT64, 0) >> 1 if len(state) > 2 else -1  # sint64: the sign comes last
            if not 0 <= rank <= _MOST_RANKS:
                return []
            shape = read_shape(state[0].message(_SHAPE))
            if shape is not None and len(shape) <= rank:
                return []
            leaves += [_Leaf(whole, place, rank + 1, RAGGED, shape) if rank else _Leaf() for place in range(rank + 1)]
        elif value.number(1) == _SPARSE_CLASS:
            state = _items(value.message(2))
            shape = read_shape(state[0].message(_SHAPE)) if state else None
            leaves += [_Leaf(whole, place, _SPARSE_PARTS, SPARSE, shape) for place in range(_SPARSE_PARTS)]
        else:
            number = value.number(4)
            if not 0 < number <= most:
                return []
            leaves += [_Leaf()] * number
        if len(leaves) > most:
            return []
    return leaves


def _items(value: Message | None) -> list[Message]:
    items = None if value is None else value.message(_TUPLE) or value.message(_LIST)
    return [] if items is None else list(items.each(1))


def _specs(value: Message, depth: int) -> Iterator[tuple[int, Message]]:
    """Yield the specs within a StructuredValue, each with the field that it stands in."""
    if depth > _DEEPEST:
        raise MalformedError("arguments are nested too deep")
    for kind, content in value.fields():
        if not isinstance(content, Message):
            continue
        below: Iterable[Message | None] = ()
        if kind in (_TENSOR, _TYPE, _BOUNDED):
            yield kind, content
        elif kind in (_LIST, _TUPLE):
            below = content.each(1)
        elif kind == _DICT:
            below = [entry.message(2) for entry in sorted(content.each(1), key=lambda entry: entry.text(1))]
        elif kind == _NAMED:
            below = (pair.message(2) for pair in content.each(2))
        for one in below:
            if one is not None:
                yield from _specs(one, depth + 1)
