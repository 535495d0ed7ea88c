"""What a report consists of: typed parts that every format in `harness.report.formats` can render.

A report is built once for a question and rendered by whichever format was asked for. To add a kind of part: a dataclass
here, and its rendering in each file of `formats/`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from harness.report.numbers import chance, change, interval, percent, quantity


class Tone(Enum):
    """How a text is meant; formats choose colours or signs, never the only carrier of a meaning."""

    PLAIN = "plain"
    STRONG = "strong"
    QUIET = "quiet"
    WARNING = "warning"
    WORSE = "worse"
    BETTER = "better"


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value in its unit ("seconds", "bytes", …); None is shown as not available."""

    value: float | None
    unit: str

    def __str__(self) -> str:
        return quantity(self.value, self.unit)


@dataclass(frozen=True, slots=True)
class Change:
    """New / old; None is shown as not available, `text` in its place where no ratio can tell it ("from 0")."""

    ratio: float | None
    text: str | None = None

    def __str__(self) -> str:
        return change(self.ratio) if self.text is None else self.text


@dataclass(frozen=True, slots=True)
class Interval:
    """The bounds of a ratio; no interval where `low` is None, open above where `high` is."""

    low: float | None
    high: float | None

    def __str__(self) -> str:
        return interval(self.low, self.high)


@dataclass(frozen=True, slots=True)
class Chance:
    """A p- or q-value."""

    value: float | None

    def __str__(self) -> str:
        return chance(self.value)


@dataclass(frozen=True, slots=True)
class Share:
    """A fraction of something, shown in percent."""

    fraction: float

    def __str__(self) -> str:
        return percent(self.fraction)


@dataclass(frozen=True, slots=True)
class Lines:
    """Texts that stand below each other in one cell where a format has lines, else beside each other."""

    texts: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join(self.texts)


Cell = str | int | Quantity | Change | Interval | Chance | Share | Lines
"""What stands in a table. `str` gives its text; formats that sort use the fields."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table; a numeric one is set to the right and never broken."""

    title: str
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table, a cell for each column."""

    cells: tuple[Cell, ...]
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Table:
    """Rows below named columns. A listing has every row on one line, however wide: it is there to be searched."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    is_listing: bool = False


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A sentence or several."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence that qualifies everything beside it: read it first."""

    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command that the reader can type, and what it does."""

    command: str
    purpose: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a list, with what belongs to it below it; `brief` is a shorter text where there is little room."""

    text: str
    details: tuple[str | Command, ...] = ()
    tone: Tone = Tone.PLAIN
    brief: str | None = None


@dataclass(frozen=True, slots=True)
class Items:
    """A list; `noun` is what one of its entries is called where some are left out."""

    items: tuple[Item, ...]
    noun: str = "item"


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands below it; a folded one is evidence that few readers open."""

    title: str
    parts: tuple[Part, ...]
    is_folded: bool = False


Part = Paragraph | Note | Command | Items | Table | Section


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report. `title` is None where the first part says what it is about."""

    title: str | None
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """An answer, ready for any format.

    `data` is the answer as plain JSON data, without what all answers have in common; `notes` are the sentences that
    qualify it, which the document holds too; `everything` is the command that prints all of it as JSON, where the same
    command would measure again; `shortfall` says why too little was measured to be an answer, None where there is
    enough.
    """

    command: str
    document: Document
    data: Mapping[str, Any]
    exit_code: int = 0
    notes: tuple[str, ...] = ()
    everything: str | None = None
    shortfall: str | None = None


@dataclass(frozen=True, slots=True)
class Style:
    """Where a report goes: columns to write for, and whether it shows ANSI colours."""

    width: int = 100
    colour: bool = False


def table(
    texts: Iterable[str], numbers: Iterable[str], rows: Iterable[Row | Iterable[Cell]], *, is_listing: bool = False
) -> Table:
    """Return a table with columns of texts, then of numbers."""
    columns = (*(Column(title) for title in texts), *(Column(title, numeric=True) for title in numbers))
    return Table(columns, tuple(row if isinstance(row, Row) else Row(tuple(row)) for row in rows), is_listing)


def items(texts: Iterable[str], noun: str = "item") -> Items:
    """Return a list of plain entries."""
    return Items(tuple(Item(text) for text in texts), noun)
