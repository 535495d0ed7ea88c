"""Which promises hold in which release: ways down, releases across."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from harness.promises import Promise, State

Row = tuple[str, str, str, str, str]  # device, model, promise, writer, way


def render_promises(found: Sequence[Promise], subjects: Sequence[str], form: str) -> str:
    """Return the promises as "table" (plain text), "markdown" or "json".

    Args:
        found: the promises.
        subjects: the columns, oldest release first.
        form: which format.
    """
    if form == "json":
        document = [dict(asdict(one), state=one.state.value) for one in found]
        return json.dumps({"schema": 1, "subjects": list(subjects), "promises": document}, indent=1)
    if not found:
        return "No record tells about a promise yet: measure some with `savedmodel-bench run A B --preset promises`."
    cells = {(_row(one), one.subject): one for one in found}
    absent_writers = {(*_row(one)[:4], one.subject): one for one in found if one.way == "-"}
    rows = sorted({_row(one) for one in found})
    # A writer that one release lacks has its ways from the others; a promise that nobody verified has no row.
    named = {row[:4] for row in rows if row[4] != "-"}
    verified = {row[:3] for row in named}
    known = [row for row in rows if row[4] != "-" or (row[:4] not in named and row[:3] in verified)]
    lines: list[tuple[str, ...]] = [("promise", "model", "writer", "way", *subjects)]
    reasons: dict[str, list[str]] = {}
    for row in known:
        states = []
        for subject in subjects:
            one = cells.get((row, subject)) or absent_writers.get((*row[:4], subject))
            states.append("-" if one is None else one.state.value)
            if one is not None and one.detail:
                what = row[3] if one.way == "-" else f"{row[3]} {row[4]}"
                names = reasons.setdefault(f"{what}: {one.state.value}: {one.detail}", [])
                names += [subject] if subject not in names else []
        device = "" if row[0] == "cpu" else f" on {row[0]}"
        lines.append((row[2], row[1] + device, row[3], row[4], *states))
    notes = [f"{text} ({', '.join(names)})" for text, names in reasons.items()]
    return "\n".join(_markdown(lines, notes) if form == "markdown" else _plain(lines, notes))


def _row(one: Promise) -> Row:
    return one.device, one.model, one.promise, one.writer, one.way


def _plain(lines: Sequence[tuple[str, ...]], notes: Sequence[str]) -> Iterator[str]:
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    for line in lines:
        yield "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
    yield ""
    yield from notes
    yield f"{State.ABSENT.value}: tried for real, the release has no such API. -: not measured."


def _markdown(lines: Sequence[tuple[str, ...]], notes: Sequence[str]) -> Iterator[str]:
    yield from ("| " + " | ".join(line) + " |" for line in lines[:1])
    yield "|" + " --- |" * len(lines[0])
    yield from ("| " + " | ".join(line) + " |" for line in lines[1:])
    yield ""
    yield from (f"- {note.replace('<', '&lt;').replace('|', '&#124;')}" for note in notes)
