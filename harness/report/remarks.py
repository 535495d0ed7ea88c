"""The report of a run that nobody compares: its numbers side by side, and below them what is to be said of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from harness.metrics import METRICS
from harness.remarks import Measured, Remarks, WithoutValue
from harness.report.markdown import write_failures
from harness.report.markdown_writer import MarkdownWriter
from harness.report.medians import Medians, medians_document, render_medians, write_medians
from harness.report.multiples import HEADING as FLOORS_HEADING
from harness.report.multiples import Multiple, floor_text, multiples, times_text
from harness.report.names import one_line
from harness.report.profiled import COLUMNS, Profiled, profiled
from harness.report.profiled import HEADING as PROFILED_HEADING
from harness.report.table import add_row, failures, grid, indented, section, to_text
from harness.report.wording import Places, left_out_text, title

_WITHOUT_VALUE = "Without a value, since every repeat is tainted: repeat the run when the machine is calm"
_METRICS = list(METRICS)


def render_run(
    medians: Medians,
    remarks: Remarks,
    form: str,
    *,
    everything: str | None = None,
    width: int = 100,
    colour: bool = False,
) -> str:
    """Return the whole report.

    Args:
        medians: of the run.
        remarks: what is to be said of the run.
        form: "table", "markdown" or "json", where the remarks are further fields beside those of the medians.
        everything: the command that has what Markdown has no room for.
        width: columns of the terminal; a wider table of medians widens what stands below it.
        colour: whether to write ANSI colours.
    """
    if form == "json":
        return json.dumps({**medians_document(medians), **_document(remarks)}, indent=1)
    if form == "markdown":
        report = MarkdownWriter(everything)
        write_medians(report, medians)
        _write(report, remarks)
        return report.text()
    above = render_medians(medians, "table")
    places = _places(remarks)
    tables = [*_multiples(remarks, places), *_profiled(remarks, places)]
    parts = (
        (_top(remarks, places, with_legend=bool(tables)), width),
        (tables, max(width, *map(len, above.splitlines()))),
        (list(failures(remarks.failures)), width),
    )
    below = "".join(to_text(part, width=columns, colour=colour) for part, columns in parts if part)
    return above + "\n" + below


def told(remarks: Remarks) -> list[str]:
    """Return the notes, and a sentence for each subject whose tainted repeats were left out."""
    return [
        *remarks.notes,
        *(f"{one.subject}: {left_out_text(one.repeats, one.kinds)}." for one in remarks.left_out),
    ]


def _on_top(remarks: Remarks) -> list[str]:
    """Return all sentences that stand before the numbers; a program that reads JSON has the first as a field."""
    return [*([] if remarks.shortfall is None else [remarks.shortfall]), *told(remarks)]


def _top(remarks: Remarks, places: Places, with_legend: bool) -> list[RenderableType]:
    """Return the notes, and what has no value; before it, or `with_legend` without it, what the places leave out."""
    found: list[RenderableType] = [Text(f"Note: {one_line(text)}", style="yellow") for text in _on_top(remarks)]
    without_value = _without_value_texts(remarks.without_value, places)
    if places.legend and (without_value or with_legend):
        found += [*([Text()] if found else []), Text(places.legend, style="dim")]
    if without_value:
        found += [*section(_WITHOUT_VALUE), *map(indented, without_value)]
    return [Text(), *found] if found else []


def _multiples(remarks: Remarks, places: Places) -> Iterator[RenderableType]:
    subjects, rows = _multiples_by_subject(remarks, places)
    if rows:
        table = grid("what", "where", "floor", right=tuple(subjects))
        for row in rows:
            add_row(table, *row)
        yield from section(FLOORS_HEADING, table)


def _profiled(remarks: Remarks, places: Places) -> Iterator[RenderableType]:
    calls = _profiled_by_place(remarks.measured)
    if calls:
        table = grid("where", "subject", right=COLUMNS)
        for one in calls:
            add_row(table, places.place(one.place), one.place.subject, *one.cells())
        yield from section(PROFILED_HEADING, table)


def _write(report: MarkdownWriter, remarks: Remarks) -> None:
    places = _places(remarks)
    for sentence in _on_top(remarks):
        report.note(sentence)
    texts = _without_value_texts(remarks.without_value, places)
    if texts:
        with report.folded(_WITHOUT_VALUE):
            report.paragraph(places.legend)
            report.items(texts)
    subjects, rows = _multiples_by_subject(remarks, places)
    if rows:
        with report.folded(FLOORS_HEADING):
            report.paragraph(places.legend)
            report.table(("what", "where", "floor", *subjects), rows, numbers=range(3, 3 + len(subjects)))
    calls = _profiled_by_place(remarks.measured)
    if calls:
        with report.folded(PROFILED_HEADING):
            report.paragraph(places.legend)
            cells = ((places.place(one.place), one.place.subject, *one.cells()) for one in calls)
            report.table(("where", "subject", *COLUMNS), cells, numbers=range(2, 2 + len(COLUMNS)))
    write_failures(report, remarks.failures)


def _document(remarks: Remarks) -> dict[str, Any]:
    """Return the remarks as fields that the document of the medians does not have."""
    return {
        "run": remarks.run_path,
        "notes": list(remarks.notes),
        "tainted": [asdict(one) for one in remarks.left_out],
        "without_value": [asdict(one) for one in remarks.without_value],
        "failures": [asdict(failure) for failure in remarks.failures],
        "shortfall": remarks.shortfall,
        "floors": [dict(floor) for floor in remarks.floors],
        "multiples": [_multiple(found) for found in multiples(remarks.measured, remarks.floors)],
    }


def _multiple(found: Multiple) -> dict[str, Any]:
    """Return how many times its floor an operation of a subject takes."""
    return {**asdict(found.measured), "floor": found.floor, "floor_s": found.floor_s, "times": found.times}


def _places(remarks: Remarks) -> Places:
    return Places.of([*remarks.measured, *remarks.without_value])


def _without_value_texts(rows: Sequence[WithoutValue], places: Places) -> list[str]:
    """Return a text for all metrics that the same subjects lack in the same places; what is never judged is counted.

    Example: "v2.20.0, v2.21.0 in mlp-s, mlp-m: save, later ones; load, page cache warm; and 2 not judged (steal)".
    """
    by_metric: dict[str, list[WithoutValue]] = {}
    for row in sorted(rows, key=_listed):
        by_metric.setdefault(row.metric, []).append(row)
    grouped: dict[tuple[tuple[str, ...], tuple[str, ...]], list[WithoutValue]] = {}
    for members in by_metric.values():
        subjects = tuple(dict.fromkeys(row.subject for row in members))
        where = tuple(dict.fromkeys(places.place(row) for row in members))
        grouped.setdefault((subjects, where), []).extend(members)
    texts = []
    for (subjects, where), members in grouped.items():
        kinds = ", ".join(sorted({kind for row in members for kind in row.kinds}))
        what = _titles(list(dict.fromkeys(row.metric for row in members)))
        texts.append(f"{', '.join(subjects)} in {', '.join(where)}: {what} ({kinds})")
    return texts


def _titles(metrics: Sequence[str]) -> str:
    """Return what metrics are called, those that are not judged as a number where others are."""
    judged = [name for name in metrics if name in METRICS and METRICS[name].judged]
    others = len(metrics) - len(judged) if judged else 0
    named = [title(name) for name in judged or metrics]
    return "; ".join([*named, *([f"and {others} not judged"] if others else [])])


def _listed(row: WithoutValue) -> int:
    return _METRICS.index(row.metric) if row.metric in METRICS else len(_METRICS)


def _multiples_by_subject(remarks: Remarks, places: Places) -> tuple[list[str], list[list[str]]]:
    """Return the subjects, and for each operation what, where, its floor and how many times it each subject takes."""
    found: dict[tuple[str, str, str], dict[str, str]] = {}
    for one in multiples(remarks.measured, remarks.floors):
        what = (title(one.measured.metric), places.place(one.measured), floor_text(one))
        found.setdefault(what, {})[one.measured.subject] = times_text(one)
    subjects = list(dict.fromkeys(one.subject for one in remarks.measured))
    return subjects, [[*what, *(times.get(name, "n/a") for name in subjects)] for what, times in found.items()]


def _profiled_by_place(measured: Iterable[Measured]) -> list[Profiled]:
    """Return the calls that were profiled, subject by subject within a place."""
    by_subject: dict[str, list[Measured]] = {}
    for one in measured:
        by_subject.setdefault(one.subject, []).append(one)
    calls = [call for members in by_subject.values() for call in profiled(members)]
    order = list(dict.fromkeys(one.place.key for one in calls))
    return sorted(calls, key=lambda one: order.index(one.place.key))
