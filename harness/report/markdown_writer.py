"""Everything that any report writes as Markdown: escaped, its rows whole, and short enough for a comment.

GitHub refuses a comment of more than 65,536 characters, and then nobody reads any of it. A report that would be too
long loses whole rows and items, the last ones of each part first; it says how many, and the command that has them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from harness.report.names import one_line, shortened

MOST_BYTES = 60_000
"""Of a whole report in UTF-8."""

_LONGEST_TEXT = 4_000
_LONGEST_CELL = 1_000
_ROOM_FOR_COUNTS = 400
_FIRST_OF_EACH = 10
"""Rows and items that every part gets before any part gets more: the last part can be what failed."""

_FINDING = ("change", "changes")
"""What is found comes before the numbers that it was found in."""

_ALWAYS = str.maketrans({character: f"\\{character}" for character in "\\|`*[]~$"})
# Within a word "_" means nothing: time_solve stays readable as it is.
_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
# GitHub writes to whoever "@name" names and links "#12" to an issue: error texts speak of @tf.function.
_REFERENCE = re.compile(r"(?<![^\W_])([@#])(?=[^\W_])")
# What makes a heading, a list, an underlining or a quotation of a line that begins with it.
_LEADING = re.compile(r"^([#+=>-])|^(\d{1,9})([.)])")


class Code(str):
    """A text that is shown as code, to be copied."""

    __slots__ = ()


Text = str | Sequence[str]
"""A text, or several one after the other of which some are Code."""


@dataclass(frozen=True, slots=True)
class Item:
    """An entry of a list, with what stands below it."""

    text: Text
    below: tuple[Text, ...] = ()
    strong: bool = False


def escape(text: str) -> str:
    """Return text on one line that Markdown shows as it is: names and errors can hold anything."""
    flat = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").translate(_ALWAYS)
    return _REFERENCE.sub(r"\1<!-- -->", _UNDERSCORE.sub(r"\\_", flat))


def code(text: str) -> str:
    """Return text as a code span, fenced by more backticks than it holds."""
    flat = one_line(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", flat)), default=0))
    blank = " " if len(fence) > 1 or flat != flat.strip() else ""
    return f"{fence}{blank}{flat}{blank}{fence}"


def command_in(text: str, command: str | None) -> Text:
    """Return a sentence with the command in it as Code."""
    if not command or command not in text:
        return text
    before, _, after = text.partition(command)
    return before, Code(command), after


def _with_code(text: str) -> Text:
    """Return a sentence of this project with what stands between two backticks as Code."""
    return [Code(part) if place % 2 else part for place, part in enumerate(re.split("`([^`]+)`", text))]


@dataclass(frozen=True, slots=True)
class _Block:
    """Lines that stand or fall together, then entries of which the last can be left out; `noun` is one, and many."""

    lines: tuple[str, ...]
    entries: tuple[str, ...] = ()
    noun: tuple[str, str] = ("row", "rows")
    depth: int = 0  # folded parts that it is in
    below: tuple[str, ...] = ()

    def size(self) -> int:
        """Return the bytes of it without entries, with the empty line before it and the line that counts them."""
        counted = _size(self.rest(10**9)) if self.entries else 0
        return 1 + _size(*self.lines, *self.below) + counted

    def rest(self, number: int) -> str:
        """Return what says how many entries are left out; the empty line ends a table."""
        return f"\n… and {_number(number, self.noun)} more."

    def text(self) -> str:
        return "\n".join((*self.lines, *self.entries, *self.below))


@dataclass(slots=True)
class MarkdownWriter:
    """Collects a report part by part; `text` returns it.

    Args:
        everything: the command that has what is left out; None: the same command with `--format json`.
    """

    everything: str | None = None
    _blocks: list[_Block] = field(default_factory=list)
    _depth: int = 0

    def heading(self, text: str, level: int = 2) -> None:
        """Add a heading."""
        self._add(f"{'#' * level} {_inline(text).rstrip('#')}")

    def paragraph(self, text: str, *, strong: bool = False) -> None:
        """Add a paragraph, in which `…` is code; nothing where there is no text."""
        if text:
            self._add(f"**{_inline(text)}**" if strong else _line(_with_code(text)))

    def note(self, text: str) -> None:
        """Add a sentence that qualifies everything beside it; `…` in it is code."""
        self._add(f"> **Note:** {_inline(_with_code(text))}")

    def items(self, items: Iterable[Item | Text], noun: str = "item") -> None:
        """Add a list; nothing where it is empty."""
        entries = tuple(_entry(item if isinstance(item, Item) else Item(item)) for item in items)
        if entries:
            self._blocks.append(_Block((), entries, (noun, f"{noun}s"), self._depth))

    def table(
        self,
        headings: Sequence[str],
        rows: Iterable[Sequence[str]],
        *,
        numbers: Iterable[int] = (),
        noun: tuple[str, str] = ("row", "rows"),
    ) -> None:
        """Add a table: `numbers` are the places of the columns that are set to the right."""
        right = set(numbers)
        below = "|" + "".join("---:|" if place in right else "---|" for place in range(len(headings)))
        self._blocks.append(_Block((_row(headings), below), tuple(map(_row, rows)), noun, self._depth))

    @contextmanager
    def folded(self, summary: str) -> Iterator[None]:
        """Fold away what is added within: a reader opens it to see it."""
        self._depth += 1
        self._add("<details>", f"<summary>{_html(summary)}</summary>")
        yield
        self._add("</details>")
        self._depth -= 1

    def text(self, most_bytes: int = MOST_BYTES) -> str:
        """Return the report, of at most so many bytes (at least 2,000, for what is always said)."""
        whole = _joined(self._blocks)
        if _size(whole) <= most_bytes:
            return whole
        held, left_out = self._fitting(
            most_bytes - _size(*self._closing(Counter({(" " * 40, " " * 40): 10**9}))) - _ROOM_FOR_COUNTS
        )
        return _joined([*held, _Block(self._closing(left_out))])

    def _add(self, *lines: str) -> None:
        self._blocks.append(_Block(lines, depth=self._depth))

    def _closing(self, left_out: Counter[tuple[str, str]]) -> tuple[str, ...]:
        parts = [_number(number, noun) for noun, number in left_out.items()]
        where = "The same command with `--format json`" if self.everything is None else code(self.everything)
        return (f"**Left out here, since a comment holds no more: {', '.join(parts)}.** {where} prints everything.",)

    def _fitting(self, most_bytes: int) -> tuple[list[_Block], Counter[tuple[str, str]]]:
        """Return what fits, and how much of what kind does not."""
        held, left_out, room = [], Counter[tuple[str, str]](), most_bytes
        for group in _groups(self._blocks):
            size = sum(block.size() for block in group)
            if size <= room:
                held += group
                room -= size
            else:
                left_out.update({block.noun: len(block.entries) for block in group if block.entries})
                left_out["part", "parts"] += 1
        taken = [0] * len(held)
        findings = [place for place, block in enumerate(held) if block.noun == _FINDING]
        for places, most in ((range(len(held)), _FIRST_OF_EACH), (findings, None), (range(len(held)), None)):
            for place in places:
                for entry in held[place].entries[taken[place] : most]:
                    if 1 + _size(entry) > room:
                        break
                    room -= 1 + _size(entry)
                    taken[place] += 1
        cut = []
        for block, number in zip(held, taken, strict=True):
            rest = len(block.entries) - number
            if rest:
                left_out[block.noun] += rest
                block = replace(block, entries=block.entries[:number], below=(block.rest(rest),))
            cut.append(block)
        return cut, left_out


def _groups(blocks: Sequence[_Block]) -> Iterator[list[_Block]]:
    """Yield what can only be left out together: a block, or all of a folded part."""
    group: list[_Block] = []
    for block in blocks:
        if block.depth == 0 or block.lines[:1] == ("<details>",):
            if group:
                yield group
            group = []
        group.append(block)
    if group:
        yield group


def _joined(blocks: Sequence[_Block]) -> str:
    return "\n\n".join(block.text() for block in blocks) + "\n"


def _size(*lines: str) -> int:
    """Return the bytes of lines, each with its line break."""
    return sum(len(line.encode()) + 1 for line in lines)


def _number(number: int, noun: tuple[str, str]) -> str:
    return f"{number:,} {noun[number != 1]}"


def _inline(text: Text, longest: int = _LONGEST_TEXT) -> str:
    if isinstance(text, str):
        return code(text) if isinstance(text, Code) else escape(shortened(text, longest))
    parts = []
    for place, part in enumerate(text):
        if isinstance(part, Code):
            parts.append(code(part))
            continue
        # A part's blanks at its ends stand between it and its neighbours.
        inner = escape(shortened(part, longest))
        before = " " if place and part[:1].isspace() else ""
        parts.append(f"{before}{inner}{' ' if inner and part[-1:].isspace() else ''}")
    return "".join(parts).strip()


def _line(text: Text) -> str:
    """Return a text that begins a line."""
    return _LEADING.sub(lambda found: f"\\{found[1]}" if found[1] else f"{found[2]}\\{found[3]}", _inline(text))


def _entry(item: Item) -> str:
    first = f"**{_inline(item.text)}**" if item.strong else _line(item.text)
    # An entry without a text would underline the line above it, and so make a heading of that.
    return "\n".join([f"- {first or '&nbsp;'}", *(f"    - {_line(text) or '&nbsp;'}" for text in item.below)])


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(map(_cell, cells)) + " |"


def _cell(text: str) -> str:
    return code(text).replace("|", "\\|") if isinstance(text, Code) else _inline(text, _LONGEST_CELL)


def _html(text: str) -> str:
    """Return text for within an HTML tag, where Markdown's own signs mean nothing."""
    return one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
