"""The variables of a SavedModel: the index of its checkpoint, and where in the data files each tensor lies.

Field numbers: `tensor_bundle.proto` and `trackable_object_graph.proto` (`tensorflow/core/protobuf/`). How a text is
stored: `tensorflow/core/util/tensor_bundle/tensor_bundle.cc` (WriteStringTensor).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.savedmodel.dtypes import ITEM_BYTES, dtype_name
from harness.savedmodel.shapes import read_shape
from harness.savedmodel.sstable import pairs
from harness.savedmodel.wire import MalformedError, Message, varint

OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"
"""The key under which TensorFlow 2 keeps its tree of Python objects."""
_MOST_ELEMENTS = 1 << 60
_MOST_ENTRIES = 1_000_000
_CHECKSUM = 4  # bytes behind the lengths of a text


@dataclass(frozen=True, slots=True)
class Entry:
    """A tensor of a checkpoint; `slices` says that it is stored in parts, under other keys."""

    key: str
    dtype: str
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    slices: bool

    @property
    def bytes(self) -> int:
        """Return its bytes on disk; of one in slices what its elements take, 0 where their size varies."""
        return math.prod(self.shape) * ITEM_BYTES.get(self.dtype, 0) if self.slices else self.size


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The index of a checkpoint: `entries` by key in their order; `parts` are the slices of those stored in slices."""

    shards: int
    entries: Mapping[str, Entry]
    parts: tuple[Entry, ...]

    def needed(self) -> dict[int, int]:
        """Return the bytes that each data file must have at least, by its number."""
        needed: dict[int, int] = {}
        for entry in (*self.entries.values(), *self.parts):
            if not entry.slices:
                needed[entry.shard] = max(needed.get(entry.shard, 0), entry.offset + entry.size)
        return needed


def read_index(data: bytes) -> Checkpoint:
    """Return what the bytes of a `variables.index` hold.

    Raises:
        MalformedError: they are not such an index, or are cut.
    """
    shards: int | None = None
    entries: dict[str, Entry] = {}
    parts: list[Entry] = []
    for key, value in pairs(data):
        if len(entries) + len(parts) >= _MOST_ENTRIES:
            raise MalformedError(f"it names more than {_MOST_ENTRIES:,} variables, which no model has")
        if not key:
            shards = Message(value).number(1)
            continue
        entry = _entry(str(key, "utf-8", "backslashreplace"), Message(value))
        if key.startswith(b"\x00"):  # the key of a slice: an ordered code, not a name
            parts.append(entry)
        else:
            entries[entry.key] = entry
    if shards is None:
        raise MalformedError("its header is missing")
    if any(not 0 <= entry.shard < shards for entry in (*entries.values(), *parts)):
        raise MalformedError("a variable lies in a data file that there is not")
    return Checkpoint(shards, entries, tuple(parts))


def _entry(key: str, message: Message) -> Entry:
    shape = read_shape(message.message(2)) or ()
    offset, size = message.number(4), message.number(5)
    sizes = tuple(one for one in shape if one is not None)
    if offset < 0 or size < 0 or len(sizes) < len(shape) or math.prod(sizes) > _MOST_ELEMENTS:
        raise MalformedError("a variable has an impossible size")
    sliced = any(True for _ in message.each(7))
    return Entry(key, dtype_name(message.number(1)), sizes, message.number(3), offset, size, sliced)


def data_file(folder: Path, shard: int, shards: int) -> Path:
    """Return the path of a data file below `variables/`."""
    return folder / f"variables.data-{shard:05d}-of-{shards:05d}"


def read_chunks(folder: Path, checkpoint: Checkpoint, entry: Entry, chunk_bytes: int) -> Iterator[bytes]:
    """Yield the bytes of an entry that is not in slices, piece by piece.

    Raises:
        OSError: the data file cannot be read.
    """
    left = entry.size
    with data_file(folder, entry.shard, checkpoint.shards).open("rb") as file:
        file.seek(entry.offset)
        while left and (chunk := file.read(min(left, chunk_bytes))):
            left -= len(chunk)
            yield chunk


def read_objects(folder: Path, checkpoint: Checkpoint) -> Message | None:
    """Return the TrackableObjectGraph of a checkpoint; None where it has none, as those of TensorFlow 1.

    Raises:
        MalformedError: it cannot be read.
        OSError: the data file cannot be read.
    """
    entry = checkpoint.entries.get(OBJECTS)
    if entry is None or entry.slices:
        return None
    data = b"".join(read_chunks(folder, checkpoint, entry, entry.size))
    length, at = varint(data, 0, len(data))
    start = at + _CHECKSUM
    if start + length > len(data):
        raise MalformedError("its tree of objects is cut")
    return Message(data, start, start + length)
