"""Any asv project's results as a page: what changed over its commits is drawn, where every series stands is a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from harness.answers.history import HistorySection
from harness.report.document import (
    Cell,
    Change,
    Column,
    Document,
    Paragraph,
    Part,
    Quantity,
    Report,
    Row,
    Section,
    Table,
    Tone,
)
from harness.report.history import history_data
from harness.report.names import shortened
from harness.report.pages.history import history_sections, history_top, how_to_read
from harness.report.sparkline import bars

_LONGEST = 120


def report_asv_project(section: HistorySection, summary: pd.DataFrame, name: str) -> Report:
    """Return the page of a result directory.

    Args:
        section: what changed over its commits.
        summary: `asv.summary.asv_summary` of the same.
        name: the directory as the user wrote it.
    """
    machines = [str(one) for one in summary["machine"].unique()]
    parts = (
        *history_top([section]),
        *history_sections([section]),
        *_standings(summary),
        how_to_read(),
    )
    origin = (name, *(machines if len(machines) < 3 else (f"{len(machines)} machines",)))
    document = Document("What changed over commits", parts, origin)
    return Report("report", document, history_data([section]))


def with_asv_summary_page(report: Report, summary: pd.DataFrame, changes: Sequence[HistorySection]) -> Report:
    """Return the report of an asv project's summary with its page: every series, and what changed if that was asked."""
    first = tuple(part for part in report.document.parts if isinstance(part, Paragraph))[:1]
    parts: tuple[Part, ...] = (*first, *history_sections(changes), *_standings(summary))
    return replace(report, page=Document("Where every series stands", parts))


def _standings(summary: pd.DataFrame) -> Iterator[Section]:
    """Yield every series: its latest value against the best, furthest from it first."""
    ordered = summary.sort_values("latest_to_best", ascending=False, na_position="last", kind="stable")
    several = [name for name in ("machine", "environment") if summary[name].nunique() > 1]
    columns = (
        Column("benchmark"), *(Column(name) for name in several), Column("results", True), Column("latest", True),
        Column("best", True), Column("latest against best", True), Column("best at"), Column("latest values"),
    )  # fmt: skip
    rows = tuple(_row({str(key): value for key, value in row.items()}, several) for row in ordered.to_dict("records"))
    says = "The latest value of each series against its best, furthest from it first. Less counts as better."
    shown = Table(columns, rows, name="series", filters=(("current", "retired", "outdated"),))
    yield Section(f"Where every series stands ({len(rows)})", (Paragraph(says, Tone.QUIET), shown), anchor="series")


def _row(row: dict[str, Any], several: list[str]) -> Row:
    unit = "" if pd.isna(row["unit"]) else str(row["unit"])
    benchmark, parameters = str(row["benchmark"]), str(row["parameters"])
    name = f"{benchmark}({parameters})" if parameters else benchmark
    numbers = {key: None if pd.isna(row[key]) else float(str(row[key])) for key in ("latest", "best", "latest_to_best")}
    course = row["course"] if isinstance(row["course"], tuple) else ()
    cells: tuple[Cell, ...] = (
        shortened(name, _LONGEST),
        *(shortened(str(row[part]), _LONGEST) for part in several),
        int(str(row["results"])),
        Quantity(numbers["latest"], unit),
        Quantity(numbers["best"], unit),
        Change(numbers["latest_to_best"]),
        "" if row["best_commit"] is None or pd.isna(row["best_commit"]) else str(row["best_commit"])[:8],
        bars(tuple(float(value) for value in course)),
    )
    return Row(cells, tags=(str(row["state"]),))
