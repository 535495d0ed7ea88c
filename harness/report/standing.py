"""The project's own records in one view: medians by release, where every row stands, and what changed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from harness.report.asv_summary import bars
from harness.report.columns import aligned
from harness.report.history import NOT_SEARCHED, HistorySection, age, render_history, write_history
from harness.report.markdown_writer import MarkdownWriter
from harness.report.medians import Medians, medians_document, render_medians, write_medians
from harness.report.numbers import change, count, quantity
from harness.report.wording import title
from harness.store.worker_versions import OlderRuns

_MOST_ROWS = 40
"""Rows of a table for people; JSON holds all."""
_HEADINGS = ("what", "row", "latest", "best", "latest / best", "course")
_NUMBERS = range(2, 5)


def render_records(
    medians: Medians,
    standings: pd.DataFrame,
    sections: Sequence[HistorySection] | None,
    form: str,
    older: Sequence[OlderRuns] = (),
    everything: str | None = None,
) -> str:
    """Return the whole summary.

    Args:
        medians: of all results.
        standings: `history.standings`.
        sections: what changed over releases and nights; None where nobody asked.
        form: "table", "markdown", "json", or "csv", which holds one table only: the medians.
        older: runs that are in neither standings nor sections; what stands below the medians is not repeated.
        everything: the command that has what Markdown has no room for.
    """
    if form == "csv":
        return render_medians(medians, form)
    if form == "json":
        rows = [
            {**row, "latest_to_best": _number(row["latest_to_best"]), "course": list(row["course"])}
            for row in standings.to_dict("records")
        ]
        history = json.loads(render_history(sections or (), "json", older))
        found = None if sections is None else history["sections"]
        reason = NOT_SEARCHED if sections is None else None
        changes = {"history": found, "history_reason": reason, "history_older_runs": history["older_runs"]}
        return json.dumps({**medians_document(medians), "standings": rows, **changes}, indent=1)
    further = [one for one in older if str(one) not in medians.notes]
    if form == "markdown":
        report = MarkdownWriter(everything)
        write_medians(report, medians)
        for heading, lines, rest in _tables(standings):
            report.heading(heading)
            report.table(_HEADINGS, lines, numbers=_NUMBERS)
            report.paragraph(rest)
        write_history(report, sections or (), further)
        if sections is None:
            report.paragraph(NOT_SEARCHED)
        return report.text()
    parts = [render_medians(medians, form)]
    for heading, lines, rest in _tables(standings):
        parts.append("\n".join([heading, "", *aligned([_HEADINGS, *lines], _NUMBERS), *([rest] if rest else [])]))
    parts.append(render_history(sections or (), form, further))
    parts += [NOT_SEARCHED] if sections is None else []
    return "\n\n".join(part.rstrip("\n") for part in parts if part)


def _tables(standings: pd.DataFrame) -> Iterator[tuple[str, list[list[str]], str]]:
    """Yield heading, rows, and how many were left out, of each machine and environment that has several releases."""
    for (machine, environment), part in standings.groupby(["machine", "environment"], observed=True, sort=True):
        rows = part[part["releases"] > 1]
        if rows.empty:
            continue
        worst = rows.sort_values("latest_to_best", ascending=False, na_position="last", kind="stable").head(_MOST_ROWS)
        more = len(rows) - len(worst)
        rest = f"… and {count(more, 'more row')}: --format json has all." if more else ""
        heading = f"The newest release against the best so far; {machine}, {environment}."
        yield heading, [_cells(row) for row in worst.to_dict("records")], rest


def _cells(row: Mapping[Any, Any]) -> list[str]:
    return [
        title(row["metric"]),
        row["row"],
        f"{quantity(row['latest'], row['unit'])} in {row['latest_release']}{age(row['releases_since'], 'release')}",
        f"{quantity(row['best'], row['unit'])} in {row['best_release']}",
        change(_number(row["latest_to_best"])),
        bars(row["course"]),
    ]


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
