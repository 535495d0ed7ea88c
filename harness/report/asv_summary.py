"""Where each series of an asv project stands."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from harness.answers.history import HistorySection
from harness.report.document import Column, Document, Paragraph, Report, Row, Table
from harness.report.history import history_data, history_parts
from harness.report.names import CUT, CUT_NOTE, LONGEST, distinct
from harness.report.numbers import change, count, quantity
from harness.report.sparkline import bars

_MOST_ROWS = 60
"""Rows of a table for people; the other formats hold all."""
_LONGEST_NAME = 16

_HEADINGS = ("benchmark", "where", "results", "latest", "best", "latest / best", "latest values")


def report_asv_summary(summary: pd.DataFrame, title: str, changes: Sequence[HistorySection] = ()) -> Report:
    """Return where each series stands.

    Args:
        summary: `asv.summary.asv_summary`.
        title: what was read.
        changes: what changed over the commits, where that was asked for.
    """
    told, lines, more = _told(summary, title)
    rows = [{name: _plain(value) for name, value in row.items()} for row in summary.to_dict("records")]
    data = {"title": title, "rows": rows, "history": history_data(changes)["sections"]}
    shown = [at for at, name in enumerate(_HEADINGS) if name != "where" or any(line[at] for line in lines)]
    columns = tuple(Column(_HEADINGS[at], 2 <= at <= 5) for at in shown)
    table = Table(columns, tuple(Row(tuple(line[at] for at in shown)) for line in lines))
    parts = (Paragraph(told), table, *map(Paragraph, more), *history_parts(changes))
    return Report("summary", Document(None, parts), data)


def asv_summary_csv(summary: pd.DataFrame) -> str:
    """Return the whole table as CSV."""
    courses = [" ".join(map(repr, _numbers(course))) for course in summary["course"]]
    return summary.assign(course=courses).to_csv(index=False)


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
        latest = "n/a" if _missing(row["latest"]) else quantity(row["latest"], unit)
        if not _missing(row["commits_since"]) and row["commits_since"] > 0:
            latest += f" ({count(int(row['commits_since']), 'commit')} ago)"
        yield (named + state, where, f"{row['results']}{failed}", latest, best, ratio, bars(_numbers(row["course"])))


def _name(row: Mapping[Any, Any]) -> str:
    return f"{row['benchmark']}({row['parameters']})" if row["parameters"] else str(row["benchmark"])


def _numbers(course: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in course) if isinstance(course, tuple) else ()


def _missing(value: Any) -> bool:
    return value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value))


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if _missing(value) or value in (math.inf, -math.inf):
        return None
    return value.isoformat() if isinstance(value, pd.Timestamp) else value
