"""All medians of some results or of one run as a page: a table of everything, and the figures that need no verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pandas as pd

from harness.answers.courses import RowCourse, Steps
from harness.answers.measured import Measured, measured_of
from harness.answers.outline import Outline
from harness.answers.run_facts import RunFacts
from harness.report.document import (
    Answer,
    Cell,
    Column,
    Document,
    Note,
    Paragraph,
    Part,
    Quantity,
    Report,
    Row,
    Section,
    Table,
    Tone,
)
from harness.report.numbers import count
from harness.report.outline import outline_section
from harness.report.pages.cold_start import cold_start_section
from harness.report.pages.courses import course_sections
from harness.report.pages.heat import heat_section
from harness.report.pages.levels import floors_section, memory_section
from harness.report.pages.stages import ORDER, quality, stage
from harness.report.pages.steps import steps_top
from harness.report.wording import Places, title

_LONG = 400
"""Rows of a table that nobody reads from top to bottom."""
_KINDS = ("time", "memory", "size", "count")


def with_run_page(report: Report, medians: pd.DataFrame, facts: RunFacts) -> Report:
    """Return the report of a run with its page: what stands around its numbers, then figures and all of them."""
    places = Places.of([*facts.measured, *facts.without_value])
    subjects = [str(name) for name in medians.columns]
    said = f"{count(len(medians), 'number')} of {count(len(subjects), 'release')} ({', '.join(subjects)}), none judged."
    rest = tuple(part for part in report.document.parts if not isinstance(part, Table))
    parts: tuple[Part, ...] = (
        Answer((said,)),
        *(part for part in rest if isinstance(part, Note | Paragraph)),
        *cold_start_section(facts.measured, places),
        *floors_section(facts.measured, facts.floors, places),
        *memory_section(facts.measured, places),
        *(replace(section, is_folded=False) for section in numbers_section(medians)),
        *(part for part in rest if isinstance(part, Section)),
    )
    name = "a run" if facts.run_path is None else facts.run_path.name
    return replace(report, page=Document("What a run measured", parts, (name,)))


def with_summary_page(
    report: Report, medians: pd.DataFrame, outlines: Sequence[Outline], courses: tuple[RowCourse, ...], steps: Steps
) -> Report:
    """Return the report of a summary with its page: its lines, courses by machine and environment, all numbers."""
    measured = main_measured(medians)
    places = Places.of(measured)
    rest = tuple(part for part in report.document.parts if isinstance(part, Section))
    parts: tuple[Part, ...] = (
        *steps_top(steps.comparisons),
        *outline_section(outlines),
        *courses_by_machine(courses, steps),
        *rest,
        *cold_start_section(measured, places),
        *memory_section(measured, places),
        *(replace(section, is_folded=False) for section in numbers_section(medians)),
    )
    machines = tuple(str(name) for name in dict.fromkeys(medians.index.get_level_values("machine")))
    return replace(report, page=Document("Numbers of every release", parts, machines[:2]))


def courses_by_machine(courses: tuple[RowCourse, ...], steps: Steps) -> Iterator[Section]:
    """Yield the heat map and the courses of each machine and environment."""
    groups = list(dict.fromkeys((course.machine, course.environment) for course in courses))
    for machine, environment in groups:
        members = [one for one in courses if (one.machine, one.environment) == (machine, environment)]
        suffix = f"; {machine}, {environment}" if len(groups) > 1 else ""
        for section in (*heat_section(members, steps), *course_sections(members, steps)):
            yield replace(section, title=section.title + suffix)


def main_measured(medians: pd.DataFrame) -> tuple[Measured, ...]:
    """Return the medians of the machine that has most of them: others have levels of their own."""
    if medians.empty:
        return ()
    machines = medians.index.get_level_values("machine")
    return measured_of(medians[machines == machines.value_counts().idxmax()])


def numbers_section(medians: pd.DataFrame, made_by: str | None = None) -> Iterator[Section]:
    """Yield all medians, folded: a row for each metric and place, a column for each subject."""
    if medians.empty:
        return
    machines = medians.index.get_level_values("machine").nunique() > 1
    at = {name: place for place, name in enumerate(ORDER)}
    rows = []
    for key, *values in medians.itertuples(name=None):
        machine, metric, unit, device, model, variant = map(str, key)
        where = " ".join(part for part in (device if device != "cpu" else "", model, variant) if part not in ("-", ""))
        known: tuple[Cell, ...] = tuple("" if pd.isna(value) else Quantity(float(value), unit) for value in values)
        rows.append(Row((title(metric), where, machine, *known), tags=(quality(metric, unit),), group=stage(metric)))
    ordered = sorted(rows, key=lambda row: at.get(row.group, len(at)))
    if len(ordered) > _LONG:  # which is filtered, not read: its rows need no headings
        ordered = [replace(row, group="") for row in ordered]
    columns = (
        Column("measurement"), Column("where"), Column("machine", False, not machines),
        *(Column(str(name), True) for name in medians.columns),
    )  # fmt: skip
    shown = Table(columns, tuple(ordered), filters=(_KINDS,), name="all numbers")
    says = "The median over all blocks of everything that was measured."
    parts = (Paragraph(says, Tone.QUIET), shown)
    yield Section(f"All numbers ({len(rows)} rows)", parts, True, anchor="numbers", made_by=made_by)
