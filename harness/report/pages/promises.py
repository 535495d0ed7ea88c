"""Promises as a coloured table: what is kept, what is not, in which release."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.answers.promises import Promise, Promises, State
from harness.report.document import Answer, Cell, Document, Marked, Part, Section, Table, Tone
from harness.report.numbers import count
from harness.report.promises import report_promises

_MOST_NAMED = 3
_MARKS = {State.KEPT: (Tone.BETTER, "✓"), State.BROKEN: (Tone.WORSE, "✗"), State.ABSENT: (Tone.QUIET, "")}


def promises_page(answer: Promises) -> Document:
    """Return the promises with a sign and a colour for each state."""
    document = report_promises(answer).document
    return replace(document, parts=(*_said(answer), *(_marked(part) for part in document.parts)))


def _said(answer: Promises) -> Iterator[Answer]:
    """Yield what holds in the newest release, and what no longer does that did in the oldest."""
    if not answer.subjects or not answer.telling.told:
        return
    oldest, newest = answer.subjects[0], answer.subjects[-1]
    told = answer.telling.told
    before = {_place(one) for one in told if one.subject == oldest and one.state is State.KEPT}
    now = [one for one in told if one.subject == newest and one.state is not State.ABSENT]
    kept = sum(one.state is State.KEPT for one in now)
    sentences = [f"{newest.removeprefix('v')} keeps {kept} of the {len(now)} promises that it can be asked for."]
    lost = [one for one in now if one.state is State.BROKEN and _place(one) in before]
    if lost:
        named = ", ".join(dict.fromkeys(f"{one.promise} ({one.writer})" for one in lost[:_MOST_NAMED]))
        sentences.append(f"It breaks {count(len(lost), 'promise')} that {oldest.removeprefix('v')} kept: {named}.")
    yield Answer(tuple(sentences))


def _place(one: Promise) -> tuple[str, str, str, str, str]:
    return one.device, one.model, one.promise, one.writer, one.way


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
