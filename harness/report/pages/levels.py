"""Levels on one axis: how far operations are from their hardware lower bounds, and how much memory they take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from harness.answers.floors import Multiple, multiples
from harness.answers.measured import Measured
from harness.metrics import METRICS, Kind
from harness.report import figures
from harness.report.document import Cell, Figure, Paragraph, Quantity, Section, Tone, table
from harness.report.floors import floor_text, multiple_text
from harness.report.numbers import quantity
from harness.report.wording import Places

_MOST_ROWS = 40


def floors_section(
    measured: Sequence[Measured], floors: Iterable[Mapping[str, Any]], places: Places, made_by: str | None = None
) -> Iterator[Section]:
    """Yield how far saves, loads and calls of each subject are from what the hardware allows."""
    found = multiples(measured, floors)
    if not found:
        return
    subjects = tuple(dict.fromkeys(one.measured.subject for one in found))
    rows: dict[tuple[str, str], dict[str, Multiple]] = {}
    for one in found:
        what = f"{places.title(one.measured.metric)}, {places.place(one.measured)}"
        rows.setdefault((what, floor_text(one)), {})[one.measured.subject] = one
    furthest = sorted(rows.items(), key=lambda row: -max(one.times for one in row[1].values()))
    levels = tuple(
        figures.Level(
            what,
            tuple(some[name].times if name in some else None for name in subjects),
            tuple(_told(some[name]) if name in some else "" for name in subjects),
        )
        for (what, _), some in furthest[:_MOST_ROWS]
    )
    says = "How many times longer an operation takes than moving its bytes, or computing its products, would take here."
    cells = (
        (what, floor, *(multiple_text(some[name]) if name in some else "n/a" for name in subjects))
        for (what, floor), some in furthest
    )
    parts = (
        Paragraph(says, Tone.QUIET),
        Figure("Times the hardware lower bound", figures.Levels(subjects, "x", levels, is_log=True), says),
        Section("The same as a table", (table(("operation", "lower bound"), subjects, cells),), True),
    )
    yield Section("How far from what the hardware allows", parts, anchor="floors", made_by=made_by)


def memory_section(measured: Sequence[Measured], places: Places, made_by: str | None = None) -> Iterator[Section]:
    """Yield the memory of each operation: peaks of the host, need and footprint on a GPU."""
    kinds = (Kind.HOST_MEMORY, Kind.ALLOCATOR)
    wanted = [one for one in measured if one.unit == "bytes" and one.metric in METRICS and one.value is not None]
    wanted = [one for one in wanted if METRICS[one.metric].kind in kinds and "growth" not in one.metric]
    subjects = tuple(dict.fromkeys(one.subject for one in wanted))
    rows: dict[str, dict[str, Measured]] = {}
    for one in wanted:
        rows.setdefault(f"{places.title(one.metric)}, {places.place(one)}", {})[one.subject] = one
    if not rows:
        return
    largest = sorted(rows.items(), key=lambda row: -max(one.value or 0 for one in row[1].values()))
    levels = tuple(
        figures.Level(
            what,
            tuple(some[name].value if name in some else None for name in subjects),
            tuple(f"{name}: {quantity(some[name].value, 'bytes')}" if name in some else "" for name in subjects),
        )
        for what, some in largest[:_MOST_ROWS]
    )
    cells: Iterator[tuple[Cell, ...]] = (
        (what, *(Quantity(some[name].value if name in some else None, "bytes") for name in subjects))
        for what, some in largest
    )
    says = "The most memory that an operation took above what its process held before."
    parts = (
        Paragraph(says, Tone.QUIET),
        Figure("Peak memory", figures.Levels(subjects, "bytes", levels), says),
        Section("The same as a table", (table(("memory",), subjects, cells),), True),
    )
    yield Section("Memory", parts, anchor="memory", made_by=made_by)


def _told(one: Multiple) -> str:
    value = quantity(one.measured.value, one.measured.unit)
    return f"{one.measured.subject}: {value}, {multiple_text(one)} ({quantity(one.floor_s, 'seconds')})"
