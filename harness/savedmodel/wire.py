"""Protocol buffers on the wire: a message is walked field by field, where it lies, by numbers that its reader knows.

Wire format: https://protobuf.dev/programming-guides/encoding. Nothing is copied but the texts that are asked for,
nothing is recursive, and no length is believed that goes beyond the message around it, so a hostile file costs no more
than its size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10  # bytes
_MASK64 = (1 << 64) - 1


class MalformedError(ValueError):
    """These bytes are not such a message."""


class Limit:
    """How many things a file may name before it is taken for an attack: two bytes of it can become hundreds here."""

    def __init__(self, most: int = 250_000) -> None:
        self._most = most
        self._left = most

    def of(self, messages: Iterable[Message]) -> Iterator[Message]:
        """Yield the messages, and count them.

        Raises:
            MalformedError: they and those before are too many.
        """
        for message in messages:
            self._left -= 1
            if self._left < 0:
                raise MalformedError(f"it names more than {self._most:,} things, which no model does")
            yield message


class CutError(MalformedError):
    """A message goes on beyond the end of the bytes.

    Attributes:
        needed: bytes that it asks for, from the beginning of the data.
    """

    def __init__(self, needed: int) -> None:
        super().__init__(f"it needs {needed:,} bytes")
        self.needed = needed


def varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Return (value, place behind it) of the unsigned varint of up to 64 bits at a place.

    Raises:
        MalformedError: there is none before `end`.
    """
    value = shift = 0
    for place in range(at, min(end, at + _LONGEST_VARINT)):
        byte = data[place]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _MASK64, place + 1
        shift += 7
    if end - at < _LONGEST_VARINT:
        raise CutError(end + 1)
    raise MalformedError("a number is longer than 64 bits")


def signed(value: int) -> int:
    """Return what an unsigned 64-bit number of a field of type int32, int64 or enum stands for."""
    return value - (1 << 64) if value >> 63 else value


class Message:
    """A message, or the bytes or text of a field: a stretch of `data` that is read when it is asked for.

    A field that stands there with another wire type than it is asked for is passed over, as the format has it for
    fields that a reader does not know.
    """

    __slots__ = ("data", "end", "start")

    def __init__(self, data: bytes, start: int = 0, end: int | None = None) -> None:
        self.data = data
        self.start = start
        self.end = len(data) if end is None else end

    def __len__(self) -> int:
        """Return its bytes."""
        return self.end - self.start

    def fields(self) -> Iterator[tuple[int, int | Message]]:
        """Yield (number, value) of each field in order: an unsigned number, or a stretch of bytes.

        Raises:
            CutError: a field goes on beyond the end.
            MalformedError: the bytes are no message.
        """
        data, at, end = self.data, self.start, self.end
        while at < end:
            key = data[at]
            if key < 0x80:
                at += 1
            else:
                key, at = varint(data, at, end)
            number, kind = key >> 3, key & 7
            if number == 0:
                raise MalformedError("a field has the number 0")
            if kind == _BYTES:
                if at < end and data[at] < 0x80:
                    size = data[at]
                    at += 1
                else:
                    size, at = varint(data, at, end)
                if size > end - at:
                    raise CutError(at + size)
                yield number, Message(data, at, at + size)
                at += size
            elif kind == _VARINT:
                value, at = varint(data, at, end)
                yield number, value
            elif kind in (_FIXED32, _FIXED64):
                size = 4 if kind == _FIXED32 else 8
                if size > end - at:
                    raise CutError(at + size)
                yield number, int.from_bytes(data[at : at + size], "little")
                at += size
            else:
                raise MalformedError(f"a field has the wire type {kind}")

    def each(self, number: int) -> Iterator[Message]:
        """Yield the messages of a repeated field."""
        for found, value in self.fields():
            if found == number and isinstance(value, Message):
                yield value

    def message(self, number: int) -> Message | None:
        """Return the last message of a field; None if it has none."""
        last = None
        for one in self.each(number):
            last = one
        return last

    def number(self, number: int, default: int = 0) -> int:
        """Return the last number of a field, signed as int32, int64 and enum are."""
        last = default
        for found, value in self.fields():
            if found == number and isinstance(value, int):
                last = signed(value)
        return last

    def numbers(self) -> dict[int, int]:
        """Return the last number of every field that has one, unsigned."""
        return {found: value for found, value in self.fields() if isinstance(value, int)}

    def text(self, number: int) -> str:
        """Return the last text of a field; "" if it has none."""
        found = self.message(number)
        return "" if found is None else found.as_text()

    def texts(self, number: int) -> list[str]:
        """Return the texts of a repeated field."""
        return [one.as_text() for one in self.each(number)]

    def as_bytes(self) -> bytes:
        """Return its bytes."""
        return self.data[self.start : self.end]

    def as_text(self) -> str:
        """Return its bytes as UTF-8; what is none is shown as \\xNN, so that two names stay two."""
        return str(self.data[self.start : self.end], "utf-8", "backslashreplace")
