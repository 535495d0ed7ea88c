"""Names and messages that others chose (benchmarks, parameters, paths, errors) made fit to be shown.

Every report takes them from here: on one line, without characters that move a cursor, and short where a table needs it,
but never so short that two of them look alike.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable

CUT = "…"
"""Stands where a part of a name was left out."""
LONGEST = 60
"""Characters of a name in a report: what a table has room for beside its numbers, on two lines."""
CUT_NOTE = f'Names are cut ("{CUT}") where they are alike; --format json has them whole.'

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

    Words that long names have in common are cut before anything else, and no more of them than must be; a name stays
    longer than `longest` where it would look like another.

    Example: within 12 characters "suite.sparse.time_fill" and "suite.sparse.time_solve" are "….time_fill" and
    "….time_solve".
    """
    lines = {name: one_line(name) for name in dict.fromkeys(names)}
    shown = dict(lines)
    built_alike: dict[int, list[str]] = {}
    for name, line in lines.items():
        if len(line) > longest:
            built_alike.setdefault(len(_words(line)), []).append(name)
    for group in built_alike.values():
        if len(group) > 1:
            shown.update(zip(group, _without_the_common([lines[name] for name in group], longest), strict=True))
    whole = dict(shown)
    shown = {name: shortened(text, longest) for name, text in shown.items()}
    for instead in (whole, lines):
        shown.update({name: instead[name] for alike in _alike(shown) for name in alike})
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


def _without_the_common(lines: list[str], longest: int) -> list[str]:
    """Return lines of as many words without runs of words that all have, the longest runs first, until they fit."""
    words = [_words(line) for line in lines]
    first = words[0]
    is_common = [len(set(column)) == 1 for column in zip(*words, strict=True)]
    runs, room = [], longest - max(map(len, lines))
    for common, places in itertools.groupby(range(len(first)), is_common.__getitem__):
        if common:
            runs.append(list(places))
    cut: dict[int, int] = {}  # from where to where
    for run in sorted(runs, key=lambda run: -_length(first, run)):
        if room >= 0 or _length(first, run) < 2:
            break
        room += _length(first, run) - len(CUT)
        end = run[-1] + 1
        while end - 1 > run[0] and len(first[end - 1]) <= room:  # what is nearest to the difference stays
            end -= 1
            room -= len(first[end])
        cut[run[0]] = end
    return [_cut_out(some, cut) for some in words]


def _cut_out(words: list[str], cut: dict[int, int]) -> str:
    kept, place = [], 0
    while place < len(words):
        kept.append(CUT if place in cut else words[place])
        place = cut.get(place, place + 1)
    return "".join(kept)


def _words(line: str) -> list[str]:
    return _WORD.findall(line)


def _length(words: list[str], places: list[int]) -> int:
    return sum(len(words[place]) for place in places)
