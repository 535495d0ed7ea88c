"""The summary of an asv project's results as text."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.report.history import age
from harness.report.markdown_writer import MarkdownWriter
from harness.report.names import CUT, CUT_NOTE, LONGEST, distinct
from harness.report.numbers import change, count, quantity
from harness.report.table import add_row

_BARS = "▁▂▃▄▅▆▇█"
_MOST_ROWS = 60
"""Rows of a table for people; the other formats hold all."""
_LONGEST_NAME = 16

_HEADINGS = ("benchmark", "where", "results", "latest", "best", "latest / best", "course")


def render_asv_summary(table: pd.DataFrame, form: str, *, title: str, width: int = 100) -> str:
    """Return the table of `store.asv_summary` as text.

    Args:
        table: the summary.
        form: "table", "json" (times in ISO 8601, missing values null) or "csv"; `write_asv_summary` has Markdown.
        title: stands above the table.
        width: of a table, in columns.
    """
    if form == "csv":
        return table.assign(course=[" ".join(map(repr, _numbers(course))) for course in table["course"]]).to_csv(
            index=False
        )
    if form == "json":
        rows = [{name: _plain(value) for name, value in row.items()} for row in table.to_dict("records")]
        return json.dumps({"schema": 1, "title": title, "rows": rows}, indent=1)
    title, lines, more = _told(table, title)
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for place, heading in enumerate(_HEADINGS):
        shown.add_column(heading, justify="right" if 2 <= place <= 5 else "left", overflow="fold")
    for line in lines:
        add_row(shown, *line)
    stream = io.StringIO()
    console = Console(file=stream, width=width, color_system=None, highlight=False, markup=False, _environ={})
    for part in (Text(title), Text(), shown, *map(Text, more)):
        console.print(part)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


def write_asv_summary(report: MarkdownWriter, table: pd.DataFrame, *, title: str) -> None:
    """Add the same table to a report in Markdown."""
    title, lines, more = _told(table, title)
    report.paragraph(title)
    report.table(_HEADINGS, lines, numbers=range(2, 6), noun=("series", "series"))
    for sentence in more:
        report.paragraph(sentence)


def _told(table: pd.DataFrame, title: str) -> tuple[str, list[tuple[str, ...]], list[str]]:
    """Return the title with the short names' meaning, the rows, and how many are left out."""
    # What moved furthest from its best comes first; what cannot be compared, last.
    worst = table.sort_values("latest_to_best", ascending=False, na_position="last", kind="stable")
    short = _short_names(table["environment"])
    lines = list(_lines(worst.head(_MOST_ROWS), worst, short))
    legend = [f"{name} is {environment}" for environment, name in short.items() if name != environment]
    left_out = len(table) - len(lines)
    more = [f"… and {count(left_out, 'more series', 'more series')}: --format csv has all."] if left_out > 0 else []
    more += [CUT_NOTE] if any(CUT in line[0] for line in lines) else []
    return (f"{title} {'; '.join(legend)}." if legend else title), lines, more


def _short_names(environments: pd.Series[str]) -> dict[str, str]:
    """Return a name for each environment: its own, or E1, E2, … where that would fill the table."""
    known = sorted(set(environments.astype(str)))
    if len(known) < 2 or max(map(len, known)) <= _LONGEST_NAME:
        return {environment: environment for environment in known}
    return {environment: f"E{number}" for number, environment in enumerate(known, start=1)}


def _lines(rows: pd.DataFrame, everything: pd.DataFrame, environments: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    parts = [name for name in ("machine", "environment") if everything[name].nunique() > 1]
    shown = distinct(map(_name, rows.to_dict("records")), LONGEST)
    for row in rows.to_dict("records"):
        named = shown[_name(row)]
        named_place = {"machine": str(row["machine"]), "environment": environments[str(row["environment"])]}
        where = "/".join(named_place[name] for name in parts)
        state = "" if row["state"] == "current" else f" ({row['state']})"
        failed = f", {row['failed']} failed" if row["failed"] else ""
        unit = "" if _missing(row["unit"]) else str(row["unit"])
        best = "" if _missing(row["best"]) else f"{quantity(row['best'], unit)} at {str(row['best_commit'])[:8]}"
        ratio = "" if _missing(row["latest_to_best"]) else change(row["latest_to_best"])
        latest = (
            "n/a"
            if _missing(row["latest"])
            else quantity(row["latest"], unit) + age(int(row["commits_since"]), "commit")
        )
        yield (named + state, where, f"{row['results']}{failed}", latest, best, ratio, bars(_numbers(row["course"])))


def _name(row: Mapping[Any, Any]) -> str:
    return f"{row['benchmark']}({row['parameters']})" if row["parameters"] else str(row["benchmark"])


def bars(values: Sequence[float]) -> str:
    """Return a course as bars from its least to its greatest value; one that moves under 1 % is level."""
    if not values:
        return ""
    values = [value / 2 for value in values]  # so that the span of the largest floats is one itself
    low, high = min(values), max(values)
    if high - low <= 0.01 * abs(high):
        return _BARS[3] * len(values)
    return "".join(_BARS[round((value - low) / (high - low) * (len(_BARS) - 1))] for value in values)


def _numbers(course: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in course) if isinstance(course, tuple) else ()


def _missing(value: Any) -> bool:
    return value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if _missing(value) or value in (math.inf, -math.inf):
        return None
    return value.isoformat() if isinstance(value, pd.Timestamp) else value
