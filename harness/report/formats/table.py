"""`--format table`: a document for a terminal, which rich lays out at the width it is given."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator
from typing import Literal

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from harness.report.document import (
    Answer,
    Cell,
    Command,
    Item,
    Items,
    Lines,
    Note,
    Paragraph,
    Part,
    Report,
    Section,
    Style,
    Table,
    Tally,
    Tone,
)
from harness.report.names import one_line, printable

_STYLES = {
    Tone.PLAIN: "",
    Tone.STRONG: "bold",
    Tone.QUIET: "dim",
    Tone.WARNING: "yellow",
    Tone.WORSE: "red",
    Tone.BETTER: "green",
}
_INDENT = 2
_WIDEST = 100_000  # columns


def render(report: Report, style: Style) -> str:
    """Return the report as text: its screen, where it has one and the style is not verbose, else its document.

    A table that needs more columns than there are is broken within texts.
    """
    document = report.document if report.screen is None or style.verbose else report.screen
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=_WIDEST,
        force_terminal=style.colour,
        color_system="standard" if style.colour else None,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
        _environ={},
    )
    if document.title is not None:
        console.print(Text(printable(document.title), style="bold"), width=style.width)
    for place, part in enumerate(document.parts):
        is_space = isinstance(part, Section) or (isinstance(part, Paragraph) and not part.text)
        if place and isinstance(document.parts[place - 1], Table) and not is_space:
            console.print()
        for piece in _pieces(part, 0):
            # What needs more columns, such as a command, gets them: a terminal breaks it, a file keeps it whole.
            console.print(piece, width=max(style.width, console.measure(piece).minimum))
    return "\n".join(line.rstrip() for line in stream.getvalue().lstrip("\n").splitlines()) + "\n"


def _pieces(part: Part, indent: int) -> Iterator[RenderableType]:
    match part:
        case Paragraph():
            yield _indented(Text(printable(part.text), style=_STYLES[part.tone]), indent)
        case Note():
            yield _indented(Text(f"Note: {one_line(part.text)}", style="yellow"), indent)
        case Answer() | Tally():
            yield _indented(Text(printable(str(part)), style=_STYLES[Tone.STRONG]), indent)
        case Command():
            yield from _command(part, indent)
        case Items():
            for item in part.items:
                yield from _item(item, indent)
            if any(item.brief is not None for item in part.items):
                cut = f"{part.noun.capitalize()}s are cut to a line; --format markdown has them whole."
                yield _indented(Text(cut, style=_STYLES[Tone.QUIET]), indent)
        case Table():
            yield _indented(_grid(part), indent)
        case Section():
            yield Text()
            yield _indented(Text(printable(part.title), style="bold"), indent)
            for inner in part.parts:
                yield from _pieces(inner, indent + _INDENT)


def _item(item: Item, indent: int) -> Iterator[RenderableType]:
    text = item.text if item.brief is None else item.brief
    yield _indented(Text(printable(text), style=_STYLES[item.tone]), indent)
    for detail in item.details:
        if isinstance(detail, Command):
            yield from _command(detail, indent + _INDENT)
        else:
            yield _indented(Text(printable(detail)), indent + _INDENT)


def _command(command: Command, indent: int) -> Iterator[RenderableType]:
    """Yield a command on a line of its own, never broken: it is there to be copied."""
    if command.purpose:
        yield _indented(Text(f"{printable(command.purpose)}:"), indent)
        indent += _INDENT
    text = printable(command.command)
    line = Grid(box=None, show_header=False, pad_edge=False, padding=0)
    line.add_column(min_width=cell_len(text))
    line.add_row(Text(text))
    yield _indented(line, indent)


def _grid(table: Table) -> Grid:
    has_titles = any(column.title for column in table.columns)
    apart = (0, 2 if has_titles else 1, 0, 0)
    grid = Grid(box=None, pad_edge=False, header_style="dim", padding=apart, show_header=has_titles)
    for place, column in enumerate(table.columns):
        title = one_line(column.title)
        if column.numeric or table.is_listing:
            lines = [line for row in table.rows for line in _shown(row.cells[place]).splitlines()]
            # In a listing every line is a row, so headings are not broken; elsewhere their words go below each other.
            words = [title] if table.is_listing else title.split()
            longest = max(1, *map(cell_len, (*words, *lines)))
            title = "\n".join(textwrap.wrap(title, longest))
            justify: Literal["left", "right"] = "right" if column.numeric else "left"
            grid.add_column(Text(title), justify=justify, no_wrap=True, min_width=longest)
        else:
            grid.add_column(Text(title), overflow="fold")
    for row in table.rows:
        grid.add_row(*(Text(_shown(cell)) for cell in row.cells), style=_STYLES[row.tone])
    return grid


def _shown(cell: Cell) -> str:
    """Return a cell's text: what would break a line, or move the cursor, is made harmless."""
    return "\n".join(map(one_line, cell.texts if isinstance(cell, Lines) else (str(cell),)))


def _indented(content: RenderableType, indent: int) -> RenderableType:
    return Padding(content, (0, 0, 0, indent)) if indent else content
