"""SavedModels written byte by byte: protocol buffers and checkpoints as small as a test needs, without TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"
MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
FLOAT, INT32, STRING = 1, 3, 7
UNKNOWN_RANK = "unknown rank"
LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 123\n"


def varint(value: int) -> bytes:
    """Return an unsigned number as protocol buffers and LevelDB write it."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def number(tag: int, value: int) -> bytes:
    """Return a field that is a number."""
    return varint(tag << 3) + varint(value)


def text(tag: int, value: str | bytes) -> bytes:
    """Return a field that is a text or a message."""
    content = value.encode() if isinstance(value, str) else value
    return varint(tag << 3 | 2) + varint(len(content)) + content


def shape(sizes: Sequence[int] | str) -> bytes:
    """Return a TensorShapeProto."""
    if isinstance(sizes, str):
        return number(3, 1)
    return b"".join(text(2, number(1, size)) for size in sizes)


def tensor(name: str, dtype: int, sizes: Sequence[int] | str) -> bytes:
    """Return a TensorInfo."""
    return text(1, name) + number(2, dtype) + text(3, shape(sizes))


def signature(inputs: Mapping[str, bytes], outputs: Mapping[str, bytes], method: str = "predict") -> bytes:
    """Return a SignatureDef of TensorInfos by name."""
    sides = ((1, inputs), (2, outputs))
    entries = b"".join(text(tag, text(1, name) + text(2, info)) for tag, side in sides for name, info in side.items())
    return entries + text(3, method)


def node(name: str, op: str, extra: bytes = b"") -> bytes:
    """Return a NodeDef."""
    return text(1, name) + text(2, op) + extra


def function(name: str, nodes: Iterable[bytes]) -> bytes:
    """Return a FunctionDef."""
    return text(1, text(1, name)) + b"".join(text(3, one) for one in nodes)


@dataclass(frozen=True)
class Graph:
    """What a meta graph is made of; `objects` are its SavedObjects, `called_with` the arguments of its functions."""

    nodes: Sequence[bytes] = (node("x", "Placeholder"),)
    functions: Sequence[bytes] = ()
    signatures: Mapping[str, bytes] = field(default_factory=dict)
    tags: Sequence[str] = ("serve",)
    version: str = "2.7.0"
    objects: Sequence[bytes] = ()
    assets: Sequence[str] = ()
    called_with: Mapping[str, bytes] = field(default_factory=dict)

    def written(self) -> bytes:
        """Return the MetaGraphDef."""
        library = b"".join(text(1, one) for one in self.functions)
        graph = b"".join(text(1, one) for one in self.nodes) + (text(2, library) if library else b"")
        info = b"".join(text(4, tag) for tag in self.tags) + text(5, self.version)
        signatures = b"".join(text(5, text(1, name) + text(2, one)) for name, one in self.signatures.items())
        tree = b"".join(text(1, one) for one in self.objects)
        tree += b"".join(text(2, text(1, name) + text(2, text(3, one))) for name, one in self.called_with.items())
        objects = text(7, tree) if tree else b""
        return (
            text(1, info)
            + text(2, graph)
            + signatures
            + b"".join(text(6, text(2, one)) for one in self.assets)
            + objects
        )


def saved_object(identifier: str, children: Mapping[str, int] | None = None, metadata: str = "") -> bytes:
    """Return a SavedObject of a Python object."""
    below = b"".join(text(1, number(1, place) + text(2, name)) for name, place in (children or {}).items())
    return below + text(4, text(1, identifier) + text(3, metadata))


@dataclass(frozen=True)
class Tensor:
    """A variable of a checkpoint."""

    data: bytes
    sizes: Sequence[int] = ()
    dtype: int = FLOAT


def trackable(
    children: Mapping[str, int] | None = None,
    keys: Mapping[str, str] | None = None,
    slots: Sequence[int] = (),
) -> bytes:
    """Return a TrackableObject; `keys` are the graph's names by checkpoint key, `slots` its slot variables' places."""
    below = b"".join(text(1, number(1, place) + text(2, name)) for name, place in (children or {}).items())
    below += b"".join(text(2, text(2, name) + text(3, key)) for key, name in (keys or {}).items())
    return below + b"".join(text(3, text(2, "m") + number(3, slot)) for slot in slots)


def table(pairs: Mapping[str, bytes], *, compress: bool = False) -> bytes:
    """Return a sorted string table of one block."""
    block = _block(sorted((key.encode(), value) for key, value in pairs.items()))
    if compress:
        block = snappy(block)
    out = block + bytes([compress]) + b"\0\0\0\0"
    meta_at, meta = len(out), _block([])
    out += meta + b"\0" * 5
    index_at, index = len(out), _block([(b"\xff", varint(0) + varint(len(block)))])
    out += index + b"\0" * 5
    footer = varint(meta_at) + varint(len(meta)) + varint(index_at) + varint(len(index))
    return out + footer.ljust(40, b"\0") + MAGIC


def _block(pairs: Sequence[tuple[bytes, bytes]]) -> bytes:
    out, last = b"", b""
    for key, value in pairs:
        shared = next((i for i, (a, b) in enumerate(zip(key, last, strict=False)) if a != b), min(len(key), len(last)))
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        last = key
    return out + bytes(4) + (1).to_bytes(4, "little")


def snappy(data: bytes) -> bytes:
    """Return bytes as Snappy might pack them: literals only."""
    out = varint(len(data))
    for at in range(0, len(data), 60):
        piece = data[at : at + 60]
        out += bytes([(len(piece) - 1) << 2]) + piece
    return out


def checkpoint(
    tensors: Mapping[str, Tensor], objects: Sequence[bytes] = (), *, compress: bool = False
) -> tuple[bytes, bytes]:
    """Return the index and the one data file of a checkpoint; `objects` are its TrackableObjects."""
    stored = dict(tensors)
    if objects:
        graph = b"".join(text(1, one) for one in objects)
        stored[OBJECTS] = Tensor(varint(len(graph)) + bytes(4) + graph, dtype=STRING)
    data, entries = b"", {"": number(1, 1)}
    for key, one in stored.items():
        place = number(4, len(data)) + number(5, len(one.data))
        entries[key] = number(1, one.dtype) + text(2, shape(one.sizes)) + place
        data += one.data
    return table(entries, compress=compress), data


def saved_model(
    folder: Path,
    graph: Graph | Sequence[Graph] = Graph(),
    tensors: Mapping[str, Tensor] | None = None,
    objects: Sequence[bytes] = (),
    others: Mapping[str, bytes] | None = None,
) -> Path:
    """Write a SavedModel and return its folder; with `tensors` or `objects` it has `variables/`."""
    graphs = [graph] if isinstance(graph, Graph) else graph
    files = {"saved_model.pb": number(1, 1) + b"".join(text(2, one.written()) for one in graphs), **(others or {})}
    if tensors is not None or objects:
        index, data = checkpoint(tensors or {}, objects)
        files |= {"variables/variables.index": index, "variables/variables.data-00000-of-00001": data}
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder
