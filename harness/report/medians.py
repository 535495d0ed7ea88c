"""The table of medians, of one run or of all results: metric, device and model down, releases across."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from harness.report.columns import aligned
from harness.report.markdown_writer import MarkdownWriter
from harness.report.numbers import plain
from harness.store.summary import SUMMARY_INDEX, SpawnedRuns
from harness.store.worker_versions import OlderRuns


@dataclass(frozen=True, slots=True)
class Medians:
    """What `store.summary.summary` returned, and told of runs that are not in it."""

    table: pd.DataFrame
    spawned: Sequence[SpawnedRuns] = ()
    older: Sequence[OlderRuns] = ()

    @property
    def notes(self) -> list[str]:
        """A sentence for each machine that has runs which are not in the table."""
        return [*map(str, self.spawned), *map(str, self.older)]

    @property
    def numbers(self) -> range:
        """The places of the columns that hold numbers."""
        return range(len(SUMMARY_INDEX), len(SUMMARY_INDEX) + len(self.table.columns))

    def lines(self) -> Iterator[list[str]]:
        """Yield the headings, then the rows, as texts."""
        flat = self.table.reset_index()
        yield [str(name) for name in flat.columns]
        for row in flat.itertuples(index=False):
            yield [_cell(value) for value in row]


def render_medians(medians: Medians, form: str) -> str:
    """Return the medians as "table" (plain text), "markdown", "json" (a list of rows, missing values null) or "csv".

    CSV has no place for notes.
    """
    if form == "csv":
        return medians.table.reset_index().to_csv(index=False)
    if form == "json":
        return json.dumps(medians_document(medians), indent=1)
    if form == "markdown":
        report = MarkdownWriter()
        write_medians(report, medians)
        return report.text()
    notes = ["", *medians.notes] if medians.notes else []
    return "\n".join([*aligned(list(medians.lines()), medians.numbers), *notes])


def medians_document(medians: Medians) -> dict[str, Any]:
    """Return the medians as plain data, of schema 1."""
    table = medians.table
    rows = [
        {**{name: row[name] for name in SUMMARY_INDEX}, "values": {name: _number(row[name]) for name in table.columns}}
        for row in table.reset_index().to_dict("records")
    ]
    return {
        "schema": 1,
        "subjects": list(table.columns),
        "spawned_runs": [asdict(one) for one in medians.spawned],
        "older_runs": [asdict(one) for one in medians.older],
        "rows": rows,
    }


def write_medians(report: MarkdownWriter, medians: Medians) -> None:
    """Add the table, and what is not in it."""
    headings, *rows = medians.lines()
    report.table(headings, rows, numbers=medians.numbers)
    for note in medians.notes:
        report.paragraph(note)


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "-" if pd.isna(value) else plain(float(value))
