"""All questions that results answer, on one page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.answers.comparison import Comparison
from harness.answers.overview import Overview
from harness.report.document import (
    Document,
    Paragraph,
    Report,
    Section,
)
from harness.report.numbers import count
from harness.report.pages.cold_start import cold_start_section
from harness.report.pages.comparison import how_to_read as how_to_read_rows
from harness.report.pages.history import history_sections
from harness.report.pages.history import how_to_read as how_to_read_series
from harness.report.pages.levels import floors_section, memory_section
from harness.report.pages.numbers import courses_by_machine, main_measured, numbers_section
from harness.report.pages.promises import promises_page
from harness.report.pages.ratios import ratios_page
from harness.report.pages.scaling import scaling_page
from harness.report.pages.steps import steps_top
from harness.report.wording import Places


def report_overview(overview: Overview, program: str) -> Report:
    """Return the page of all questions; `program` is how the user calls this command.

    Its data is what each question's own command gives as JSON; here it names those commands.
    """
    data = {"commands": [command for _, command in _commands(program)]}
    machines = list(dict.fromkeys(course.machine for course in overview.courses))
    notes = tuple(dict.fromkeys([*map(str, overview.spawned), *map(str, overview.older)]))
    parts = (
        *steps_top(overview.steps.comparisons),
        *map(Paragraph, notes),
        *_sections(overview, dict(_commands(program))),
    )
    subjects = list(dict.fromkeys(point.subject for course in overview.courses for point in course.points))
    origin = (*machines[:2], count(len(subjects), "release"), count(len(overview.courses), "series", "series"))
    document = Document("SavedModel over TensorFlow releases", parts, origin)
    return Report("report", document, data)


def _commands(program: str) -> Iterator[tuple[str, str]]:
    for question in ("history", "summary", "scaling", "ratios", "promises"):
        yield question, f"{program} {question}"


def _sections(overview: Overview, commands: dict[str, str]) -> Iterator[Section]:
    yield from courses_by_machine(overview.courses, overview.steps)
    yield from (replace(one, made_by=commands["history"]) for one in history_sections(overview.changes))
    measured = main_measured(overview.medians)
    places = Places.of(measured)
    yield from cold_start_section(measured, places)
    yield from _floors(overview.steps.comparisons)
    yield from memory_section(measured, places)
    for heading, document, question in (
        ("Growth with the size of a model", scaling_page(overview.scaling), "scaling"),
        ("Ratios within a release", ratios_page(overview.ratios), "ratios"),
        ("What SavedModel promises", promises_page(overview.promises), "promises"),
    ):
        yield Section(heading, document.parts, question != "scaling", anchor=question, made_by=commands[question])
    yield from numbers_section(overview.medians, commands["summary"])
    yield replace(how_to_read_rows(), title="How to read a comparison", anchor="how-to-read-rows")
    yield replace(how_to_read_series(), title="How to read changes over time", anchor="how-to-read-series")


def _floors(comparisons: Sequence[Comparison]) -> Iterator[Section]:
    """Yield the distances from the floors of the run with most blocks: floors are a run's own."""
    best = max((one for one in comparisons if one.floors), key=lambda one: one.blocks, default=None)
    if best is None:
        return
    run = [one for one in comparisons if one.run_path == best.run_path]
    measured = dict.fromkeys(one for comparison in run for side in comparison.measured for one in side)
    by_place = {(one.subject, one.key): one for one in measured}
    yield from floors_section(tuple(by_place.values()), best.floors, Places.of(measured))
