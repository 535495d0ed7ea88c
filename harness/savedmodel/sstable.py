"""Sorted string tables, LevelDB's file format, which the index of a checkpoint is: pairs of a key and a value.

Format: https://github.com/google/leveldb/blob/main/doc/table_format.md; TensorFlow has its own copy of the code
(`tensorflow/core/lib/io/table_builder.cc`). TensorFlow's wheels write tables without compression, other builds with
Snappy's.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.savedmodel.snappy import decompress
from harness.savedmodel.wire import CutError, MalformedError, varint

_MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
_FOOTER = 48  # bytes: two block handles, padded to 40, and the magic number
_PLAIN, _SNAPPY = 0, 1
_TRAILER = 5  # bytes behind a block: how it is compressed, and its checksum
_KEY_BYTES_PER_BYTE = 64
"""Keys share beginnings; more than this many times the file's size in keys is a bomb, not a table."""


def pairs(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the (key, value) pairs of a table in their order.

    Raises:
        MalformedError: the bytes are not a table, or are cut.
    """
    if len(data) < _FOOTER or data[-8:] != _MAGIC:
        raise MalformedError("its end is missing")
    at, end = len(data) - _FOOTER, len(data) - 8
    for _ in range(2):  # the handle of the block of metadata, which is not needed
        _, at = varint(data, at, end)
    start, at = varint(data, at, end)
    size, at = varint(data, at, end)
    key_bytes, most = 0, _KEY_BYTES_PER_BYTE * (len(data) + 1024)
    behind = 0
    for _, handle in _pairs(_block(data, start, size)):
        start, at = varint(handle, 0, len(handle))
        size, at = varint(handle, at, len(handle))
        if start < behind:
            raise MalformedError("its blocks overlap")
        behind = start + size
        for key, value in _pairs(_block(data, start, size)):
            key_bytes += len(key)
            if key_bytes > most:
                raise MalformedError("its keys are far larger than the file")
            yield key, value


def _block(data: bytes, start: int, size: int) -> bytes:
    """Return a block's pairs and the list of restarts behind them, unpacked."""
    end = start + size
    if end + _TRAILER > len(data):
        raise CutError(end + _TRAILER)
    block = data[start:end]
    if data[end] == _SNAPPY:
        return decompress(block)
    if data[end] != _PLAIN:
        raise MalformedError(f"it is compressed in an unknown way ({data[end]})")
    return block


def _pairs(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    end = len(block) - 4 * (int.from_bytes(block[-4:], "little") + 1)
    if end < 0:
        raise MalformedError("a block is shorter than its own list of keys")
    key, at = b"", 0
    while at < end:
        shared, at = varint(block, at, end)
        own, at = varint(block, at, end)
        length, at = varint(block, at, end)
        if shared > len(key) or own + length > end - at:
            raise MalformedError("a key or value goes on beyond its block")
        key = key[:shared] + block[at : at + own]
        at += own
        yield key, block[at : at + length]
        at += length
