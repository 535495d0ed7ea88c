"""What a report consists of: typed parts that every format in `harness.report.formats` can render.

A report is built once for a question and rendered by whichever format was asked for. To add a kind of part: a dataclass
here, and its rendering in each file of `formats/`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from harness.report.figures import Drawing
from harness.report.numbers import brief_change, chance, change, interval, percent, quantity


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


@dataclass(frozen=True, slots=True)
class Difference:
    """New minus old in a unit: "+55 ms"; None is shown as not available."""

    value: float | None
    unit: str

    def __str__(self) -> str:
        if not self.value:
            return "n/a" if self.value is None else "0"
        return ("-" if self.value < 0 else "+") + quantity(abs(self.value), self.unit)


@dataclass(frozen=True, slots=True)
class Effect:
    """A change as a picture: new / old, its 95 % interval, and the change to ignore (a fraction).

    Without bounds it is exact. `tone` says better or worse, `is_open` that it is not known whether it counts.
    """

    ratio: float | None
    low: float | None
    high: float | None
    margin: float
    tone: Tone = Tone.PLAIN
    is_open: bool = False

    def __str__(self) -> str:
        return interval(self.low, self.high)


@dataclass(frozen=True, slots=True)
class Shade:
    """A cell of a heat map: the change against the release before and against the best (new / old), None unknown.

    `tone` says whether the first was shown to be a change, `is_unpaired` that no run holds both; `told` is the evidence
    in a sentence.
    """

    before: float | None
    best: float | None
    tone: Tone = Tone.PLAIN
    told: str = ""
    is_unpaired: bool = False

    def __str__(self) -> str:
        return brief_change(self.before) + (" ·" if self.is_unpaired else "")


@dataclass(frozen=True, slots=True)
class Marked:
    """A word with a tone and a sign that says the same: "kept" with a tick."""

    text: str
    tone: Tone = Tone.PLAIN
    sign: str = ""

    def __str__(self) -> str:
        return self.text


Cell = str | int | Quantity | Change | Interval | Chance | Share | Lines | Difference | Effect | Shade | Marked
"""What stands in a table. `str` gives its text; formats that sort use the fields."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table; a numeric one is set to the right and never broken; an extra one is shown on request."""

    title: str
    numeric: bool = False
    is_extra: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table, a cell for each column.

    `details` is evidence that a page shows where the row is opened, and `anchor` what links to the row name; `tags`
    are what it can be found by (`Table.filters`), `group` a heading that it shares with the rows beside it.
    """

    cells: tuple[Cell, ...]
    tone: Tone = Tone.PLAIN
    details: tuple[Part, ...] = ()
    anchor: str | None = None
    tags: tuple[str, ...] = ()
    group: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows below named columns. A listing has every row on one line, however wide: it is there to be searched.

    `filters` are groups of tags; `name` is what a table is called where it can be searched.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    is_listing: bool = False
    filters: tuple[tuple[str, ...], ...] = ()
    name: str = ""


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
class Answer:
    """What was found, in a few sentences: it stands first."""

    sentences: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join(self.sentences)


@dataclass(frozen=True, slots=True)
class Tally:
    """How many comparisons (or series, by the noun) have each verdict."""

    worse: int
    better: int
    same: int
    open: int
    noun: str = "comparisons"

    @property
    def total(self) -> int:
        """All of them."""
        return self.worse + self.better + self.same + self.open

    def __str__(self) -> str:
        return (
            f"{self.worse} worse, {self.better} better, {self.same} unchanged, {self.open} inconclusive, of "
            f"{self.total} {self.noun}"
        )


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture of data: what to draw, and what it shows in a sentence, which stands for it where nothing is drawn."""

    title: str
    drawing: Drawing
    says: str


@dataclass(frozen=True, slots=True)
class Figures:
    """Pictures of one kind beside each other."""

    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands below it; a folded one is evidence that few readers open.

    `anchor` is what links to it name, made of the title where it is not given; `made_by` is the command that prints
    this part alone.
    """

    title: str
    parts: tuple[Part, ...]
    is_folded: bool = False
    anchor: str | None = None
    made_by: str | None = None


Part = Paragraph | Note | Command | Items | Table | Section | Answer | Tally | Figure | Figures


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report. `title` is None where the first part says what it is about; `origin` says where it is from."""

    title: str | None
    parts: tuple[Part, ...]
    origin: tuple[str, ...] = ()


class Outcome(Enum):
    """How a case of a test report ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that was tested, for the formats that list such things; `told` says why it failed or was skipped."""

    group: str
    name: str
    outcome: Outcome
    told: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """An answer, ready for any format.

    `data` is the answer as plain JSON data, without what all answers have in common; `notes` are the sentences that
    qualify it, which the document holds too; `everything` is the command that prints all of it as JSON, where the same
    command would measure again; `shortfall` says why too little was measured to be an answer, None where there is
    enough. `screen` is the answer on one screen, which a terminal shows unless all of the document is asked for, and
    `page` what becomes a page.
    """

    command: str
    document: Document
    data: Mapping[str, Any]
    exit_code: int = 0
    notes: tuple[str, ...] = ()
    everything: str | None = None
    shortfall: str | None = None
    page: Document | None = None
    screen: Document | None = None
    cases: tuple[Case, ...] = ()


@dataclass(frozen=True, slots=True)
class Style:
    """Where a report goes: columns to write for, whether it shows ANSI colours, and all or the answer on one screen."""

    width: int = 100
    colour: bool = False
    verbose: bool = False


def table(
    texts: Iterable[str], numbers: Iterable[str], rows: Iterable[Row | Iterable[Cell]], *, is_listing: bool = False
) -> Table:
    """Return a table with columns of texts, then of numbers."""
    columns = (*(Column(title) for title in texts), *(Column(title, numeric=True) for title in numbers))
    return Table(columns, tuple(row if isinstance(row, Row) else Row(tuple(row)) for row in rows), is_listing)


def items(texts: Iterable[str], noun: str = "item") -> Items:
    """Return a list of plain entries."""
    return Items(tuple(Item(text) for text in texts), noun)
