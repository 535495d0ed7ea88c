"""Levels on one axis: how far operations are from their hardware lower bounds, and how much memory they take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from harness.answers.floors import Multiple, multiples
from harness.answers.measured import Measured
from harness.answers.memory_timeline import MemoryTimeline
from harness.metrics import METRICS, Kind
from harness.report import figures
from harness.report.document import Cell, Figure, Figures, Paragraph, Quantity, Section, Tone, table
from harness.report.floors import floor_text, multiple_text, times_text
from harness.report.numbers import count, quantity
from harness.report.wording import Places

_MOST_ROWS = 24
"""Rows of one figure: the table has all."""
_WIDE = 30
"""How many times the least the largest is before an axis has to be logarithmic."""


def floors_section(
    measured: Sequence[Measured], floors: Iterable[Mapping[str, Any]], places: Places, made_by: str | None = None
) -> Iterator[Section]:
    """Yield how far saves, loads and calls of each subject are from what the hardware allows."""
    found = multiples(measured, floors)
    if not found:
        return
    rows: dict[tuple[str, str], dict[str, dict[str, Multiple]]] = {}
    for one in found:
        figure = rows.setdefault((one.measured.metric, floor_text(one)), {})
        figure.setdefault(places.place(one.measured), {})[one.measured.subject] = one
    subjects = _subjects(one.measured for one in found)
    ends = (min(1.0, *(one.times for one in found)), max(one.times for one in found))
    drawn = tuple(
        _figure(f"{places.title(metric)}, times {_article(floor)}{floor}", some, subjects, "x", _told_multiple, ends)
        for (metric, floor), some in rows.items()
    )
    cells = (
        (places.title(metric), where, floor, *(times_text(by[name]) if name in by else "n/a" for name in subjects))
        for (metric, floor), some in rows.items()
        for where, by in some.items()
    )
    says = "How many times longer an operation takes than moving its bytes, or computing its products, would take here."
    parts = (
        Paragraph(says, Tone.QUIET),
        Figures(drawn),
        Section("The same as a table", (table(("operation", "where", "lower bound"), subjects, cells),), True),
    )
    yield Section("How far from what the hardware allows", parts, anchor="floors", made_by=made_by)


def memory_section(measured: Sequence[Measured], places: Places, made_by: str | None = None) -> Iterator[Section]:
    """Yield the memory of each operation: peaks of the host, need and footprint on a GPU."""
    wanted = [one for one in measured if one.value is not None and _is_memory(one)]
    if not wanted:
        return
    subjects = _subjects(one for one in measured if one.subject in {known.subject for known in wanted})
    rows: dict[str, dict[str, dict[str, Measured]]] = {}
    for one in wanted:
        rows.setdefault(one.metric, {}).setdefault(places.place(one), {})[one.subject] = one
    drawn = tuple(
        _figure(places.title(metric), some, subjects, "bytes", _told_bytes, None) for metric, some in rows.items()
    )
    cells: Iterator[tuple[Cell, ...]] = (
        (places.title(metric), where, *(Quantity(by[name].value if name in by else None, "bytes") for name in subjects))
        for metric, some in rows.items()
        for where, by in some.items()
    )
    says = "The most memory that an operation took, above what its process held before unless a figure says otherwise."
    parts = (
        Paragraph(says, Tone.QUIET),
        Figures(drawn),
        Section("The same as a table", (table(("memory", "where"), subjects, cells),), True),
    )
    yield Section("Memory", parts, anchor="memory", made_by=made_by)


def timeline_section(timelines: Sequence[MemoryTimeline], made_by: str | None = None) -> Iterator[Section]:
    """Yield what was in use on the GPU over the cycles of the memory pass, a figure for each release and model."""
    drawn = []
    for one in timelines:
        heading = f"{one.subject}, {one.model} ({one.variant})"
        most = max(used for _, used in one.steps)
        cycles = len({start for name, start, _ in one.stretches if name == "load and call"})
        says = f"{heading}: at most {quantity(most, 'bytes')} in use on the GPU over {count(cycles, 'cycle')}."
        drawn.append(Figure(heading, figures.Timeline(one.steps, one.stretches), says))
    if drawn:
        says = "What was in use on the whole GPU while a process loaded, called and released a model again and again."
        parts = (Paragraph(says, Tone.QUIET), Figures(tuple(drawn)))
        yield Section("GPU memory over time", parts, anchor="timeline", made_by=made_by)


def _figure(
    heading: str,
    rows: Mapping[str, Mapping[str, Any]],
    subjects: Sequence[str],
    unit: str,
    told: Callable[[Any], tuple[float, str]],
    ends: tuple[float, float] | None,
) -> Figure:
    """Return one metric's places as rows, the largest first."""
    known = {where: {name: told(one) for name, one in by.items()} for where, by in rows.items()}
    largest = sorted(known.items(), key=lambda row: -max(value for value, _ in row[1].values()))
    levels = tuple(
        figures.Level(
            where,
            tuple(by[name][0] if name in by else None for name in subjects),
            tuple(by[name][1] if name in by else "" for name in subjects),
        )
        for where, by in largest[:_MOST_ROWS]
    )
    values = [value for by in known.values() for value, _ in by.values() if value > 0]
    is_log = ends is not None or (bool(values) and max(values) > _WIDE * min(values))
    left = f" The {_MOST_ROWS} largest of {len(largest)} are drawn." if len(largest) > _MOST_ROWS else ""
    says = f"{heading}: a row for each model, a sign for each release.{left}"
    return Figure(heading, figures.Levels(tuple(subjects), unit, levels, is_log, ends), says)


def _subjects(measured: Iterable[Measured]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.subject for one in measured))


def _is_memory(one: Measured) -> bool:
    metric = METRICS.get(one.metric)
    is_memory = metric is not None and metric.kind in (Kind.HOST_MEMORY, Kind.ALLOCATOR)
    return is_memory and one.unit == "bytes" and "growth" not in one.metric


def _article(floor: str) -> str:
    return "" if floor.startswith("its") else "a "


def _told_multiple(one: Multiple) -> tuple[float, str]:
    value = quantity(one.measured.value, one.measured.unit)
    return one.times, f"{one.measured.subject}: {value}, {multiple_text(one)} ({quantity(one.floor_s, 'seconds')})"


def _told_bytes(one: Measured) -> tuple[float, str]:
    return one.value or 0.0, f"{one.subject}: {quantity(one.value, 'bytes')}"
