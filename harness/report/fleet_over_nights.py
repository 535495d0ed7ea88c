"""What changed where over many nights of a fleet: what is open, what is over, and each night in a line."""

from __future__ import annotations

import math
from typing import Any

from harness.fleet.over_nights import NightsAnswer, NightsRow, Standing
from harness.report.document import Document, Note, Paragraph, Part, Report, Section, table
from harness.report.numbers import change, count, percent
from harness.report.wording import Places, title


def report_nights(answer: NightsAnswer) -> Report:
    """Return the report over nights; it judges nothing anew, so its exit code is 0."""
    nights = answer.nights
    ordered = sorted(answer.rows, key=_size, reverse=True)
    is_open = [row for row in ordered if row.is_open]
    over = [row for row in ordered if not row.is_open]
    span = nights[0].day if len(nights) == 1 else f"{nights[0].day} to {nights[-1].day}"
    parts: list[Part] = [
        Paragraph(
            f"{count(len(nights), 'night')} ({span}) on {count(len(answer.types), 'machine type')}: of "
            f"{count(nights[-1].rows, 'row')} of the newest, {len(is_open)} are changed on some type; "
            f"{count(len(over), 'other row')} changed before."
        )
    ]
    if nights[-1].missing:
        parts.append(Note(f"Missing in the newest night: {'; '.join(nights[-1].missing)}."))
    for heading, rows in (("Changed", is_open), ("Changed before", over)):
        if rows:
            parts.append(Section(heading, (_table(answer, rows),)))
    lines = [
        (one.day, one.fleet, f"{one.old} to {one.new}", str(one.rows), str(one.called), percent(one.coverage))
        for one in reversed(nights)
    ]
    header = (("night", "fleet", "releases"), ("rows", "changed", "measured"))
    parts.append(Section("Nights", (table(*header, lines),)))
    return Report("fleet", Document(None, tuple(parts)), _data(answer))


def _size(row: NightsRow) -> float:
    """Return the largest change of a row on any type, as a logarithm; of what came from or went to zero infinity."""
    return max(abs(math.log(one.ratio)) if one.ratio else math.inf for one in row.types.values())


def _table(answer: NightsAnswer, rows: list[NightsRow]) -> Part:
    places = Places.of(answer.rows)
    lines = []
    for row in rows:
        each = "; ".join(f"{name} {_standing(answer, one)}" for name, one in row.types.items())
        lines.append((title(row.metric), places.place(row), each))
    return table(("metric", "where", "on which types, and since when"), (), lines)


def _standing(answer: NightsAnswer, one: Standing) -> str:
    until = "" if one.until is None else f" to {answer.nights[one.until].day}"
    since = "from" if until else "since"
    return f"{change(one.ratio)} ({one.verdict.value}) {since} {answer.nights[one.since].day}{until}"


def _data(answer: NightsAnswer) -> dict[str, Any]:
    nights = answer.nights
    return {
        "nights": [
            {
                "night": one.day, "fleet": one.fleet, "old": one.old, "new": one.new, "rows": one.rows,
                "changed": one.called, "coverage": one.coverage, "missing": list(one.missing),
            }
            for one in nights
        ],
        "rows": [
            {
                "metric": row.metric, "device": row.device, "model": row.model, "variant": row.variant,
                "unit": row.unit, "is_open": row.is_open,
                "types": {
                    name: {
                        "verdict": one.verdict.value, "ratio": one.ratio, "since": nights[one.since].fleet,
                        "until": None if one.until is None else nights[one.until].fleet, "nights": one.nights,
                        "measured": one.measured,
                    }
                    for name, one in row.types.items()
                },
            }
            for row in answer.rows
        ],
    }  # fmt: skip
