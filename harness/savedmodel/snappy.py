"""Blocks that Snappy compressed, as some builds of TensorFlow write them into the index of a checkpoint.

Format: https://github.com/google/snappy/blob/main/format_description.txt. The blocks of an index have some kilobytes,
so plain Python is fast enough, and no package with a compiled part is needed.
"""

from __future__ import annotations

from harness.savedmodel.wire import MalformedError, varint

_MOST = 64
"""Times its own size that a block can have unpacked: three bytes stand for up to 64."""


def decompress(packed: bytes) -> bytes:
    """Return the bytes that were compressed.

    Raises:
        MalformedError: this is not what Snappy writes, or it would grow beyond what Snappy can pack.
    """
    end = len(packed)
    size, at = varint(packed, 0, end)
    if size > _MOST * end:
        raise MalformedError("a compressed block says that it is impossibly large")
    out = bytearray()
    while at < end and len(out) <= size:
        tag = packed[at]
        kind, high = tag & 3, tag >> 2
        at += 1
        if kind == 0:
            length = high + 1
            if high >= 60:
                width = high - 59
                length = int.from_bytes(packed[at : at + width], "little") + 1
                at += width
            out += packed[at : at + length]
            at += length
            continue
        width = (1, 2, 4)[kind - 1]
        offset = int.from_bytes(packed[at : at + width], "little")
        at += width
        length = high + 1
        if kind == 1:
            length, offset = (high & 7) + 4, (high >> 3) << 8 | offset
        if not 0 < offset <= len(out):
            raise MalformedError("a compressed block refers to what is not there")
        start = len(out) - offset
        pattern = bytes(out[start : start + length])
        out += (pattern * (length // len(pattern) + 1))[:length]  # it may repeat what it is just writing
    if len(out) != size:
        raise MalformedError("a compressed block has another size than it says")
    return bytes(out)
