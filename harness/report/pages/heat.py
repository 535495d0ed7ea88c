"""The heat map: each row over releases, as changes against the release before and against the best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.answers.courses import CoursePoint, RowCourse, Steps
from harness.report.document import Cell, Column, Paragraph, Row, Section, Shade, Table, Tone
from harness.report.numbers import change, count, interval, quantity
from harness.report.pages.stages import ORDER, stage
from harness.report.wording import Places
from harness.verdict.rows import Verdict

_TONES = {Verdict.REGRESSION: Tone.WORSE, Verdict.IMPROVEMENT: Tone.BETTER}
_SAYS = (
    "Each cell is the change against the release before; coloured and signed (▲ worse, ▼ better) where a paired "
    "run found it to be one. A dot (·) means that no run holds both, so the change may be the machine's."
)


def heat_section(courses: Sequence[RowCourse], steps: Steps, made_by: str | None = None) -> Iterator[Section]:
    """Yield the heat map of one machine and environment: rows in which something was found, then the rest, folded."""
    places = Places.of(courses)
    known = [course for course in courses if len(course.points) > 1]
    subjects = _subjects(known)
    if len(subjects) < 2:
        return
    changed = [course for course in known if _is_changed(_row(course, subjects, steps, places))]
    steady = [course for course in known if course not in changed]
    parts: list[Paragraph | Table | Section] = [Paragraph(_SAYS, Tone.QUIET)]
    if changed:
        parts.append(_table(changed, steps, places, "changes by release"))
    else:
        parts.append(Paragraph("No change was found between neighbouring releases."))
    if steady:
        heading = f"No change found: {count(len(steady), 'more row')}"
        rest = _table(steady, steps, places, "rows without a change")
        parts.append(Section(heading, (rest,), True, anchor="heat steady"))
    yield Section("Which release changed what", tuple(parts), anchor="heat", made_by=made_by)


def _table(courses: Sequence[RowCourse], steps: Steps, places: Places, name: str) -> Table:
    subjects = _subjects(courses)
    columns = (Column("measurement"), Column("where"), *(Column(subject, True) for subject in subjects))
    return Table(columns, _grouped([_row(course, subjects, steps, places) for course in courses]), name=name)


def _is_changed(row: Row) -> bool:
    return any(isinstance(cell, Shade) and cell.tone is not Tone.PLAIN for cell in row.cells)


def _subjects(courses: Sequence[RowCourse]) -> list[str]:
    """Return the releases of all courses, oldest first, as the longest course has them."""
    found: list[str] = []
    for course in sorted(courses, key=lambda one: -len(one.points)):
        names = [point.subject for point in course.points]
        for number, name in enumerate(names):
            if name not in found:
                found.insert(next((found.index(one) for one in names[number + 1 :] if one in found), len(found)), name)
    return found


def _row(course: RowCourse, subjects: Sequence[str], steps: Steps, places: Places) -> Row:
    best = min(point.value for point in course.points)
    cells: dict[str, Cell] = {}
    before: CoursePoint | None = None
    for point in course.points:
        cells[point.subject] = _cell(course, before, point, best, steps)
        before = point
    shown = (places.title(course.metric), places.place(course), *(cells.get(name, "") for name in subjects))
    return Row(shown, group=stage(course.metric))


def _cell(course: RowCourse, before: CoursePoint | None, point: CoursePoint, best: float, steps: Steps) -> Cell:
    to_best = point.value / best if best > 0 else None
    told = f"{point.subject}: {quantity(point.value, course.unit)}"
    if before is None:
        return Shade(None, to_best, Tone.PLAIN, told)
    row = steps.row(course, before.subject, point.subject)
    ratio = row.ratio if row is not None and row.ratio else point.value / before.value if before.value > 0 else None
    told += f"; {before.subject}: {quantity(before.value, course.unit)}"
    if row is None:
        return Shade(ratio, to_best, Tone.PLAIN, f"{told}. No paired run of both.", is_unpaired=True)
    bounds = f" ({interval(row.low, row.high)})" if row.low is not None else ""
    told += f". In {count(row.blocks, 'paired block')}: {change(row.ratio)}{bounds}, {row.verdict}"
    tone = _TONES.get(row.verdict, Tone.PLAIN) if row.judged else Tone.PLAIN
    if ratio is None and tone is not Tone.PLAIN:  # from zero
        ratio = float("inf") if tone is Tone.WORSE else 0.0
    return Shade(ratio, to_best, tone, told)


def _grouped(rows: Sequence[Row]) -> tuple[Row, ...]:
    at = {name: place for place, name in enumerate(ORDER)}
    return tuple(sorted(rows, key=lambda row: at.get(row.group, len(at))))
