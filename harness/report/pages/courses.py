"""Courses over releases or commits as figures: a panel for each metric, device and variant, a line for each model."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence

from harness.answers.courses import CoursePoint, RowCourse, Steps
from harness.report import figures
from harness.report.document import Figure, Figures, Paragraph, Section, Tone
from harness.report.numbers import change, count, interval, quantity
from harness.report.pages.stages import ORDER, stage
from harness.report.wording import Places, title
from harness.verdict.course import Change, Finding
from harness.verdict.rows import Row, Verdict

_CALLED = (Verdict.REGRESSION, Verdict.IMPROVEMENT)
_MOST_LINES = 8
_MOST_POINTS = 120
"""Points of a line that a small figure can show: more are drawn as the medians of stretches."""
_SAYS = (
    "Over releases, oldest first. ▲ and ▼ mark what paired runs found to be worse or better than the release before."
)


def course_sections(courses: Sequence[RowCourse], steps: Steps, made_by: str | None = None) -> Iterator[Section]:
    """Yield the courses of one machine and environment: those in which something was found, and the rest folded."""
    places = Places.of(courses)
    panels: dict[tuple[str, str, str], list[RowCourse]] = {}
    for course in courses:
        if len(course.points) > 1:
            panels.setdefault((course.metric, course.device, course.variant), []).append(course)
    changed: dict[str, list[Figure]] = {}
    steady: list[Figure] = []
    for members in panels.values():
        for part in range(0, len(members), _MOST_LINES):
            figure, is_changed = _panel(members[part : part + _MOST_LINES], steps, places)
            if is_changed:
                changed.setdefault(stage(members[0].metric), []).append(figure)
            else:
                steady.append(figure)
    if not changed and not steady:
        return
    parts: list[Paragraph | Section | Figures] = [Paragraph(f"{_SAYS} {places.legend}".strip(), Tone.QUIET)]
    for name in (*ORDER, ""):
        if name in changed:
            parts.append(Section(name or "Others", (Figures(tuple(changed[name])),), anchor=f"courses {name}"))
    if steady:
        heading = f"No change found: {count(len(steady), 'more course')}"
        parts.append(Section(heading, (Figures(tuple(steady)),), True, anchor="courses steady"))
    yield Section("The course of every metric", tuple(parts), anchor="courses", made_by=made_by)


def _panel(members: Sequence[RowCourse], steps: Steps, places: Places) -> tuple[Figure, bool]:
    """Return the figure of one metric, and whether anything was found in it."""
    subjects = _in_order([[point.subject for point in course.points] for course in members])
    at = {name: place for place, name in enumerate(subjects)}
    lines, marks = [], []
    for course in members:
        name = course.model if course.model != "-" else ""
        points = tuple(
            figures.Point(at[one.subject], one.value, one.low, one.high, _told(one, course.unit))
            for one in course.points
        )
        lines.append(figures.Line(name, points))
        for old, new in zip(course.points, course.points[1:], strict=False):
            row = steps.row(course, old.subject, new.subject)
            if row is not None and row.judged and row.verdict in _CALLED:
                told = f"{name}\n{_called(row, old.subject, new.subject)}".strip()
                marks.append(figures.Mark(name, at[new.subject], row.verdict is Verdict.REGRESSION, told))
    first = members[0]
    where = places.place(RowCourse("", "", first.metric, "", first.device, "-", first.variant, ()))
    between = " " if where.startswith("(") else ", "
    heading = places.title(first.metric) + (between + where if where and where != "all models" else "")
    says = f"{heading} over {count(len(subjects), 'release')}: {count(len(marks), 'change')} found."
    drawing = figures.Courses(tuple(subjects), first.unit, tuple(lines), tuple(marks))
    return Figure(heading, drawing, says), bool(marks)


def finding_figure(finding: Finding, labels: Sequence[str]) -> Figure:
    """Return the courses of a finding's first rows, with a mark where each changed."""
    shown = finding.changes[:_MOST_LINES]
    used = sorted({place for one in shown for place in _kept(one)})
    at = {place: number for number, place in enumerate(used)}
    lines = tuple(figures.Line(one.course.row, _thinned(one, at, labels)) for one in shown)
    marks = tuple(
        figures.Mark(one.course.row, at[_nearest(one.since, used)], one.ratio > 1, _change(one, labels))
        for one in shown
    )
    what = title(finding.group[-1])
    says = f"{what} over {count(len(labels), 'place')} of its history, with a mark where it changed."
    drawing = figures.Courses(tuple(labels[place] for place in used), shown[0].course.unit, lines, marks)
    return Figure(what, drawing, says)


def _kept(one: Change) -> list[int]:
    """Return the places at which a course is drawn: all, or the last one of each stretch, and the change itself."""
    places = one.course.places
    if len(places) <= _MOST_POINTS:
        return list(places)
    stretches = _stretches(len(places))
    return sorted({*(places[end - 1] for _, end in stretches), one.since, one.previous} & set(places))


def _stretches(length: int) -> list[tuple[int, int]]:
    return [(length * at // _MOST_POINTS, length * (at + 1) // _MOST_POINTS) for at in range(_MOST_POINTS)]


def _thinned(one: Change, at: Mapping[int, int], labels: Sequence[str]) -> tuple[figures.Point, ...]:
    """Return the points of a course; the median of a stretch, from its least to its greatest value, where thinned."""
    kept, places, values = _kept(one), one.course.places, one.course.values
    if len(kept) == len(places):
        return tuple(
            figures.Point(at[place], value, None, None, "") for place, value in zip(places, values, strict=True)
        )
    points, start = [], 0
    for place in kept:
        end = places.index(place) + 1
        some = values[start:end]
        told = f"{labels[places[start]]} to {labels[place]}, median of {len(some)}: "
        told += f"{quantity(statistics.median(some), one.course.unit)}"
        points.append(figures.Point(at[place], statistics.median(some), min(some), max(some), told))
        start = end
    return tuple(points)


def _nearest(place: int, used: Sequence[int]) -> int:
    return min(used, key=lambda one: (abs(one - place), -one))


def _change(one: Change, labels: Sequence[str]) -> str:
    values = f"{quantity(one.before, one.course.unit)} to {quantity(one.after, one.course.unit)}"
    size = f", {change(one.ratio)}" if one.before and one.after else ""
    return f"{one.course.row}\n{labels[one.since]}: {values}{size}".strip()


def _in_order(orders: Sequence[Sequence[str]]) -> list[str]:
    """Return all subjects in an order that agrees with each of these; every one of them is by date."""
    longest = max(orders, key=len)
    found = list(longest)
    for order in orders:
        for number, name in enumerate(order):
            if name not in found:
                before = next((found.index(one) for one in order[number + 1 :] if one in found), len(found))
                found.insert(before, name)
    return found


def _told(one: CoursePoint, unit: str) -> str:
    bounds = f" ({quantity(one.low, unit)} to {quantity(one.high, unit)})" if one.low is not None else ""
    rest = [count(one.blocks, "block")]
    rest += [f"{one.tainted} disturbed, left out"] if one.tainted else []
    rest += [f"Keras {one.keras}"] if one.keras else []
    return f"{one.subject}: {quantity(one.value, unit)}{bounds}\n{', '.join(rest)}"


def _called(row: Row, old: str, new: str) -> str:
    bounds = f" ({interval(row.low, row.high)})" if row.low is not None else ""
    return f"{old} to {new}: {change(row.ratio)}{bounds}, in {count(row.blocks, 'paired block')}"
