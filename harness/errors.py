"""The exceptions that a user is meant to see, and how one names a field of a file that is wrong."""

from __future__ import annotations

import re
import sys
from typing import Any


class UsageError(Exception):
    """Wrong usage or bad input: its message is one clear sentence that says what to do.

    The command line prints the message without a traceback and ends with exit code 3.
    """


class ReleaseError(UsageError):
    """A release cannot be had here; one sentence that says why and what to do."""


class ModelError(UsageError):
    """A model's files cannot be read; one sentence that says why and what to do.

    Names in it may be other people's, so what cannot be printed becomes "\N{REPLACEMENT CHARACTER}".
    """

    def __init__(self, sentence: str) -> None:
        super().__init__("".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in sentence))


_PLACE = re.compile(r" - at `\$\.?(.+)`$")
_EXPECTED = re.compile(r"Expected `([^`]+)`(?: (>=|<=|>|<) (\S+))?(?: of length (\d+))?")
_STEP = re.compile(r"(\w+)|\[(\d+)\]")
_TYPES = {
    "int": "a whole number", "float": "a number", "str": "a text", "bool": "true or false", "array": "a list",
    "object": "a table",
}  # fmt: skip
_BOUNDS = {">=": "of {:g} or more", "<=": "of {:g} or less", ">": "above {:g}", "<": "under {:g}"}


def field_error(error: Exception, data: Any) -> str:
    """Return what msgspec says of a field of `data`: "`groups[0].batches[1]` = 0 is not a whole number of 1 or more".

    Args:
        error: what `msgspec.convert` raised.
        data: what it was to convert.
    """
    text = str(error)
    place = _PLACE.search(text)
    said = text if place is None else text[: place.start()]
    expected = _EXPECTED.match(said)
    if place is None or expected is None:
        said = said.replace("Object missing required field", "misses the field")
        said = said.replace("Object contains unknown", "unknown")
        return said if place is None else f"`{place[1]}`: {said}"
    # msgspec does not say under which key of a table of values the wrong one is.
    where, unnamed, _ = place[1].partition("[...]")
    for key, index in _STEP.findall(where):
        data = data[key] if key else data[int(index)]
    kinds, sign, bound, length = expected.groups()
    wanted = " or ".join(_TYPES.get(kind, kind) for kind in kinds.split(" | ") if kind != "null")
    if bound is not None and float(bound) == sys.float_info.max:
        wanted = "a finite number"
    elif sign is not None:
        wanted += f" {_BOUNDS[sign].format(float(bound))}"
    if length is not None:
        wanted += f" of {length}"
    return f"`{where}` = {data!r} {'holds something that ' if unnamed else ''}is not {wanted}"
