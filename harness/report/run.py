"""What a run measured, its subjects side by side, and what qualifies their numbers; nothing is tested for change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from harness.answers.floors import Multiple, multiples
from harness.answers.measured import Measured, WithoutValue
from harness.answers.profiled import Profiled, profiled
from harness.answers.run_facts import RunFacts
from harness.answers.shortfall import EXIT_CODE
from harness.answers.summary import SpawnedRuns
from harness.metrics import METRICS
from harness.report.comparison import failures
from harness.report.document import Document, Note, Paragraph, Part, Report, Section, Tone, items, table
from harness.report.floors import HEADING as FLOORS_HEADING
from harness.report.floors import floor_text, times_text
from harness.report.medians import medians_data, medians_table
from harness.report.notes import notes_text
from harness.report.paths import shown_path
from harness.report.profiled import COLUMNS, LEGEND, profiled_cells
from harness.report.profiled import HEADING as PROFILED_HEADING
from harness.report.wording import Places, left_out_text, title
from harness.store.taints import described

_WITHOUT_VALUE = "No value, because every measurement was disturbed: repeat the run when the machine is idle"
_METRICS = list(METRICS)


def report_run(medians: pd.DataFrame, facts: RunFacts, spawned: Sequence[SpawnedRuns] = ()) -> Report:
    """Return the medians of a run, and below them what qualifies them.

    Args:
        medians: `answers.summary.summary` of this run alone.
        facts: what the run says beside its numbers.
        spawned: that its repeats were spawned, where they were.
    """
    notes = (
        *notes_text(facts.notes),
        *(f"{one.subject}: {left_out_text(one.repeats, one.kinds)}." for one in facts.left_out),
    )
    data = {**medians_data(medians, spawned), **_data(facts)}
    on_top = (*(() if facts.shortfall is None else (facts.shortfall,)), *notes)
    document = Document(None, tuple(_parts(medians, facts, spawned, on_top)))
    code = 0 if facts.shortfall is None else EXIT_CODE
    return Report("run", document, data, code, notes, shortfall=facts.shortfall)


def _parts(
    medians: pd.DataFrame, facts: RunFacts, spawned: Sequence[SpawnedRuns], notes: Sequence[str]
) -> Iterator[Part]:
    places = Places.of([*facts.measured, *facts.without_value])
    yield medians_table(medians)
    yield from (Paragraph(str(one)) for one in spawned)
    yield from map(Note, notes)
    without_value = _without_value_texts(facts.without_value, places)
    subjects, rows = _multiples_by_subject(facts, places)
    calls = _profiled_by_place(facts.measured)
    if places.legend and (without_value or rows or calls):
        yield Paragraph(places.legend, Tone.QUIET)
    if without_value:
        yield Section(_WITHOUT_VALUE, (items(without_value),))
    if rows:
        yield Section(FLOORS_HEADING, (table(("what", "where", "lower bound"), subjects, rows),), True)
    if calls:
        cells = ((places.place(one.place), one.place.subject, *profiled_cells(one)) for one in calls)
        parts = (table(("where", "subject"), COLUMNS, cells), Paragraph(LEGEND))
        yield Section(PROFILED_HEADING, parts, True)
    yield from failures(facts.failures)


def _data(facts: RunFacts) -> dict[str, Any]:
    return {
        "run": None if facts.run_path is None else shown_path(facts.run_path),
        "tainted": [asdict(one) for one in facts.left_out],
        "without_value": [asdict(one) for one in facts.without_value],
        "failures": [asdict(failure) for failure in facts.failures],
        "shortfall": facts.shortfall,
        "floors": [dict(floor) for floor in facts.floors],
        "multiples": [_multiple(found) for found in multiples(facts.measured, facts.floors)],
    }


def _multiple(found: Multiple) -> dict[str, Any]:
    """Return how many times its floor an operation of a subject takes."""
    return {**asdict(found.measured), "floor": found.floor, "floor_s": found.floor_s, "times": found.times}


def _without_value_texts(rows: Sequence[WithoutValue], places: Places) -> list[str]:
    """Return a text for all metrics that the same subjects lack in the same places; what is informational is counted.

    Example: "v2.20.0, v2.21.0 in mlp-s, mlp-m: repeated save; load, warm page cache; and 2 informational (other
    programs used the CPU)".
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
        why = ", ".join(sorted({described(kind) for row in members for kind in row.kinds}))
        what = _titles(list(dict.fromkeys(row.metric for row in members)))
        texts.append(f"{', '.join(subjects)} in {', '.join(where)}: {what} ({why})")
    return texts


def _titles(metrics: Sequence[str]) -> str:
    """Return what metrics are called, those that are informational as a number where others are not."""
    judged = [name for name in metrics if name in METRICS and METRICS[name].judged]
    others = len(metrics) - len(judged) if judged else 0
    named = [title(name) for name in judged or metrics]
    return "; ".join([*named, *([f"and {others} informational"] if others else [])])


def _listed(row: WithoutValue) -> int:
    return _METRICS.index(row.metric) if row.metric in METRICS else len(_METRICS)


def _multiples_by_subject(facts: RunFacts, places: Places) -> tuple[list[str], list[list[str]]]:
    """Return the subjects, and for each operation what, where, its floor and how many times it each subject takes."""
    found: dict[tuple[str, str, str], dict[str, str]] = {}
    for one in multiples(facts.measured, facts.floors):
        what = (title(one.measured.metric), places.place(one.measured), floor_text(one))
        found.setdefault(what, {})[one.measured.subject] = times_text(one)
    subjects = list(dict.fromkeys(one.subject for one in facts.measured))
    return subjects, [[*what, *(times.get(name, "n/a") for name in subjects)] for what, times in found.items()]


def _profiled_by_place(measured: Iterable[Measured]) -> list[Profiled]:
    """Return the calls that were profiled, subject by subject within a place."""
    by_subject: dict[str, list[Measured]] = {}
    for one in measured:
        by_subject.setdefault(one.subject, []).append(one)
    calls = [call for members in by_subject.values() for call in profiled(members)]
    order = list(dict.fromkeys(one.place.key for one in calls))
    return sorted(calls, key=lambda one: order.index(one.place.key))
