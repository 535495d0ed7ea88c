"""Names and messages that others chose (benchmarks, parameters, paths, errors) made fit to be shown.

Every report takes them from here: on one line, without characters that move a cursor, and short where a table needs it,
but never so short that two of them look alike.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

CUT = "…"
"""Stands where a part of a name was left out."""

_BREAKS = re.compile(r"[\t-\r\x1c-\x1f\x85\u2028\u2029]")
# Controls, marks that turn the direction of writing, and halves of characters, which no encoding can write.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_WORD = re.compile(r"[^\W_]+|[\W_]")
_KEPT_AT_START = 0.3
"""Of a name that is cut in its middle: endings tell more of benchmarks, paths and messages than beginnings do."""


def printable(text: str) -> str:
    """Return a text of which each line break or tab is a blank, and what cannot be printed "�"."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", _BREAKS.sub(" ", text))


def one_line(text: str) -> str:
    """Return a printable text without blanks at its ends, or several in a row."""
    return printable(" ".join(text.split()))


def shortened(text: str, longest: int) -> str:
    """Return a text on one line of at most `longest` characters: its beginning and its end, "…" between them."""
    line = one_line(text)
    if len(line) <= longest:
        return line
    start = int((longest - 1) * _KEPT_AT_START)
    return line[:start] + CUT + line[len(line) - (longest - 1 - start) :]


def distinct(names: Iterable[str], longest: int) -> dict[str, str]:
    """Return what each name is shown as: no two alike, each of at most `longest` characters where that is possible.

    What long names have in common is cut before anything else; a name stays longer than `longest` where it would look
    like another.

    Example: distinct(["suite.sparse.time_fill", "suite.sparse.time_solve"], 12) shows "…fill" and "…solve".
    """
    lines = {name: one_line(name) for name in dict.fromkeys(names)}
    long = [name for name, line in lines.items() if len(line) > longest]
    shown = dict(lines)
    start, end = _shared([lines[name] for name in long])
    for name in long:
        shown[name] = shortened(_without(lines[name], start, end), longest)
    for alike in _alike(shown):
        wholes = [lines[name] for name in alike]
        start, end = _shared(wholes)
        for name in alike:
            shown[name] = _without(lines[name], start, end)
    for alike in _alike(shown):
        shown.update({name: lines[name] for name in alike})
    for alike in _alike(shown):  # names that only white space or unprintable characters tell apart
        shown.update({name: f"{lines[name]} ({place})" for place, name in enumerate(alike, start=1)})
    return shown


def _alike(shown: dict[str, str]) -> list[list[str]]:
    """Return the names that are shown as another is, those of one text together."""
    counted = Counter(shown.values())
    groups: dict[str, list[str]] = {}
    for name, text in shown.items():
        if counted[text] > 1:
            groups.setdefault(text, []).append(name)
    return list(groups.values())


def _shared(lines: list[str]) -> tuple[int, int]:
    """Return how many characters all lines begin with, and end with: whole words, of each line but the last one left.

    0 and 0 for a single line.
    """
    if len(lines) < 2:
        return 0, 0
    words = [_WORD.findall(line) for line in lines]
    start = _common([some[:-1] for some in words])
    end = _common([some[start + 1 :][::-1] for some in words])
    first = words[0]
    return sum(map(len, first[:start])), sum(map(len, first[len(first) - end :]))


def _common(words: list[list[str]]) -> int:
    """Return how many words all lists begin with."""
    number = 0
    for some in zip(*words, strict=False):
        if len(set(some)) > 1:
            break
        number += 1
    return number


def _without(line: str, start: int, end: int) -> str:
    """Return a line without what it shares with others, where that is longer than the sign for it."""
    kept = line[start : len(line) - end]
    return (CUT if start > 1 else line[:start]) + kept + (CUT if end > 1 else line[len(line) - end :])
