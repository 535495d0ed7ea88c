"""All numbers of the project's own records: medians by release, where every row stands, and what changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from harness.answers.history import HistorySection
from harness.answers.summary import SpawnedRuns
from harness.report.asv_summary import bars
from harness.report.document import Change, Document, Paragraph, Part, Report, Section, table
from harness.report.history import history_data, history_parts
from harness.report.medians import medians_data, medians_table
from harness.report.numbers import count, quantity
from harness.report.wording import axis_text, title
from harness.store.worker_versions import OlderRuns

_MOST_ROWS = 40
"""Rows of a table for people; JSON holds all."""


def report_summary(
    medians: pd.DataFrame,
    standings: pd.DataFrame,
    changes: Sequence[HistorySection],
    spawned: Sequence[SpawnedRuns] = (),
    older: Sequence[OlderRuns] = (),
    older_judged: Sequence[OlderRuns] = (),
) -> Report:
    """Return the medians, each row's newest release against its best, and what changed.

    Args:
        medians: `answers.summary.summary`.
        standings: `answers.history.standings`.
        changes: over releases and nights; empty where nobody asked for them.
        spawned: the machines that have runs with `--isolation spawn`.
        older: the machines that have runs of older worker versions, which are not in the medians.
        older_judged: the same of the standings and changes.
    """
    told = dict.fromkeys([*map(str, spawned), *map(str, older), *map(str, older_judged)])
    parts = (medians_table(medians), *map(Paragraph, told), *_standings(standings), *history_parts(changes))
    rows = [{**row, "course": list(row["course"])} for row in standings.to_dict("records")]
    history = history_data(changes, older_judged)
    data = {
        **medians_data(medians, spawned, older),
        "standings": rows,
        "history": history["sections"],
        "history_older_runs": history["older_runs"],
    }
    return Report("summary", Document(None, parts), data)


def _standings(standings: pd.DataFrame) -> Iterator[Part]:
    """Yield a table of each machine and environment that has several releases, the worst rows first."""
    if standings.empty:
        return
    for (machine, environment), part in standings.groupby(["machine", "environment"], observed=True, sort=True):
        rows = part[(part["releases"] > 1) & (part["latest"] > 0)]
        if rows.empty:
            continue
        worst = rows.sort_values("latest_to_best", ascending=False, kind="stable").head(_MOST_ROWS)
        more = len(rows) - len(worst)
        rest = (Paragraph(f"… and {count(more, 'more row')}: --format json has all."),) if more else ()
        shown = table(
            ("what", "row"),
            ("latest", "best", "latest / best", "releases"),
            (_cells(row) for row in worst.to_dict("records")),
            is_listing=True,
        )
        yield Section(
            f"The newest release compared with the best; {axis_text((str(machine), str(environment)))}", (shown, *rest)
        )


def _cells(row: Mapping[Any, Any]) -> tuple[str | Change, ...]:
    return (
        title(row["metric"]),
        str(row["row"]),
        f"{quantity(row['latest'], row['unit'])} in {row['latest_release']}",
        f"{quantity(row['best'], row['unit'])} in {row['best_release']}",
        Change(row["latest_to_best"], None if row["best"] else "from 0"),
        bars(row["course"]),
    )
