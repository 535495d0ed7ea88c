"""The project's own records in one view: medians by release, where every row stands, and what changed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from harness.report.asv_summary import bars
from harness.report.history import NOT_SEARCHED, HistorySection, age, render_history
from harness.report.numbers import change, count, quantity
from harness.report.wording import title
from harness.store.worker_versions import OlderRuns

_MOST_ROWS = 40
"""Rows of a table for people; JSON holds all."""
_HEADINGS = ("what", "row", "latest", "best", "latest / best", "course")


def render_records(
    medians: str,
    standings: pd.DataFrame,
    sections: Sequence[HistorySection] | None,
    form: str,
    older: Sequence[OlderRuns] = (),
) -> str:
    """Return the whole summary.

    Args:
        medians: `store.summary.render_summary` in the same form.
        standings: `history.standings`.
        sections: what changed over releases and nights; None where nobody asked.
        form: "table", "markdown", "json", or "csv", which holds one table only: the medians.
        older: runs that are in neither standings nor sections; what stands below the medians is not repeated.
    """
    if form == "csv":
        return medians
    if form == "json":
        rows = [
            {**row, "latest_to_best": _number(row["latest_to_best"]), "course": list(row["course"])}
            for row in standings.to_dict("records")
        ]
        history = json.loads(render_history(sections or (), "json", older))
        found = None if sections is None else history["sections"]
        reason = NOT_SEARCHED if sections is None else None
        changes = {"history": found, "history_reason": reason, "history_older_runs": history["older_runs"]}
        return json.dumps({**json.loads(medians), "standings": rows, **changes}, indent=1)
    parts = [medians]
    for (machine, environment), part in standings.groupby(["machine", "environment"], observed=True, sort=True):
        several = part[part["releases"] > 1]
        if several.empty:
            continue
        heading = f"The newest release against the best so far; {machine}, {environment}."
        parts.append("\n".join([f"## {heading}" if form == "markdown" else heading, "", *_table(several, form)]))
    untold = [one for one in older if str(one) not in medians]
    parts.append(render_history(sections or (), form, untold))
    parts += [NOT_SEARCHED] if sections is None else []
    return "\n\n".join(part.rstrip("\n") for part in parts if part)


def _table(rows: pd.DataFrame, form: str) -> list[str]:
    worst = rows.sort_values("latest_to_best", ascending=False, na_position="last", kind="stable").head(_MOST_ROWS)
    lines = [list(_HEADINGS), *(_cells(row) for row in worst.to_dict("records"))]
    more = len(rows) - len(worst)
    rest = [f"… and {count(more, 'more row')}: --format json has all."] if more else []
    if form == "markdown":
        shown = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
        return [shown[0], "|---|---|---:|---:|---:|---|", *shown[1:], *(["", *rest] if rest else [])]
    widths = [max(len(line[at]) for line in lines) for at in range(len(_HEADINGS))]
    aligned = [
        "  ".join(
            cell.rjust(width) if 2 <= at <= 4 else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return [*aligned, *rest]


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
