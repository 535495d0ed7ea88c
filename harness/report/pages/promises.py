"""Promises as a coloured table: what is kept, what is not, in which release."""

from __future__ import annotations

from dataclasses import replace

from harness.answers.promises import Promises, State
from harness.report.document import Cell, Document, Marked, Part, Section, Table, Tone
from harness.report.promises import report_promises

_MARKS = {State.KEPT: (Tone.BETTER, "✓"), State.BROKEN: (Tone.WORSE, "✗"), State.ABSENT: (Tone.QUIET, "")}


def promises_page(answer: Promises) -> Document:
    """Return the promises with a sign and a colour for each state."""
    document = report_promises(answer).document
    return replace(document, parts=tuple(_marked(part) for part in document.parts))


def _marked(part: Part) -> Part:
    match part:
        case Table():
            rows = tuple(replace(row, cells=tuple(map(_cell, row.cells))) for row in part.rows)
            return replace(part, rows=rows, name="promises")
        case Section():
            return replace(part, parts=tuple(map(_marked, part.parts)))
        case _:
            return part


def _cell(cell: Cell) -> Cell:
    if not isinstance(cell, str):
        return cell
    state = next((state for state in _MARKS if cell == state.value or cell.startswith(f"{state.value}, ")), None)
    return cell if state is None else Marked(cell, *_MARKS[state])
