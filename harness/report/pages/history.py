"""What changed over releases, nights or commits, as a page: each change with its course."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.answers.common_cause import is_common
from harness.answers.history import Check, HistorySection
from harness.answers.lapses import grouped_stops
from harness.report.cases import history_cases
from harness.report.document import (
    Answer,
    Cell,
    Change,
    Column,
    Command,
    Document,
    Lines,
    Marked,
    Paragraph,
    Part,
    Quantity,
    Report,
    Row,
    Section,
    Table,
    Tally,
    Tone,
    table,
)
from harness.report.history_words import check_text, finding_text
from harness.report.names import shortened
from harness.report.numbers import chance, change, count, percent
from harness.report.pages.courses import finding_figure
from harness.report.wording import title
from harness.verdict.confirmation import Standing
from harness.verdict.course import Finding, Shape

_MOST_DRAWN = 60
"""Changes of an axis that are drawn: the others are in the table."""
_MOST_ROWS = 40
_MOST_LAPSES = 200
_MOST_NAMED = 2
_LONGEST = 70
_NOUNS = {"releases": "release", "nights": "run", "commits": "commit"}
_SIGNS = {
    Standing.CONFIRMED: "✓", Standing.REFUTED: "✗", Standing.UNDECIDED: "?", Standing.UNCONFIRMED: "",
}  # fmt: skip
_HOW_TO_READ = (
    "A series is one row's values, oldest first. A change is listed where a level or a trend moved by more than the "
    "margin, corrected for having looked at all series and places. Single outliers are ignored.",
    "Releases that were measured in different runs can differ because the machine did. A change is confirmed when a "
    "run measured both sides again in the same blocks; until then it is a hint.",
)


def with_history_page(report: Report, sections: Sequence[HistorySection], name: str | None = None) -> Report:
    """Return a history's report with its page and its cases; `name` is what the results are of."""
    return replace(report, page=history_page(sections, name=name), cases=tuple(history_cases(sections)))


def history_page(sections: Sequence[HistorySection], *, rest: Sequence[Part] = (), name: str | None = None) -> Document:
    """Return the findings of each axis, largest first, each with its course where it is opened.

    Args:
        sections: what was looked along.
        rest: more parts, between the findings and how to read them.
        name: what the results are of.
    """
    shown = [section for section in sections if section.history.courses]
    axes = " and ".join(section.name for section in shown) or "releases"
    parts = (*history_top(shown), *history_sections(shown), *rest, how_to_read())
    return Document(f"What changed over {axes}", parts, () if name is None else (name,))


def how_to_read() -> Section:
    """Return what a reader of findings has to know."""
    return Section("How to read this", tuple(map(Paragraph, _HOW_TO_READ)), True, anchor="how-to-read")


def history_top(sections: Sequence[HistorySection]) -> Iterator[Part]:
    """Yield the answer: how many series changed since when, the largest ones, and how many are too short to tell."""
    yield Answer(
        tuple(sentence for section in sections for sentence in _sentences(section)) or ("No series to look at.",)
    )
    for section in sections:
        changes = [one for finding in section.history.findings for one in finding.changes]
        worse = {id(one.course) for one in changes if one.ratio > 1}
        better = {id(one.course) for one in changes} - worse
        same = section.history.courses - section.history.too_short - len(worse) - len(better)
        yield Tally(len(worse), len(better), max(0, same), section.history.too_short, "series")


def _sentences(section: HistorySection) -> Iterator[str]:
    history = section.history
    looked, noun = history.courses - history.too_short, _NOUNS[section.name]
    places = len({label for labels in history.labels.values() for label in labels})
    where = f"over {count(places, noun)}"
    if not history.findings:
        yield f"Nothing changed by more than {percent(history.margin)} {where}, in {count(looked, 'series', 'series')}."
    else:
        of = f"of {count(looked, 'series', 'series')}, {count(len(history.findings), 'change')} {where}"
        yield f"{of[:1].upper()}{of[1:]}."
        for is_worse, word in ((True, "Largest for the worse"), (False, "Largest for the better")):
            some = [one for one in _ordered(section) if (one[0].ratio > 1) is is_worse][:_MOST_NAMED]
            if some:
                yield f"{word}: {'; '.join(_brief(section, one) for one, _ in some)}."
    if history.failing:
        yield f"{count(len(history.failing), 'row')} began to fail."


def _brief(section: HistorySection, finding: Finding) -> str:
    what = shortened(finding.group[-1] if is_common(finding) else title(finding.group[-1]), _LONGEST)
    return f"{what} {_size(finding)} since {section.history.label(finding, finding.since)}"


def _size(finding: Finding) -> str:
    one = finding.changes[0]
    return change(finding.ratio) if one.before and one.after else f"{one.before:g} to {one.after:g}"


def _ordered(section: HistorySection) -> list[tuple[Finding, Check]]:
    """Return the findings with what is known of them: what is for the worse first, the largest first."""
    pairs = zip(section.history.findings, section.checks, strict=True)
    return sorted(pairs, key=lambda pair: (pair[0].ratio <= 1, -max(pair[0].ratio, 1 / pair[0].ratio)))


def history_sections(sections: Sequence[HistorySection]) -> Iterator[Section]:
    """Yield the changes along each axis, what began to fail and what is measured no longer."""
    for section in sections:
        parts = list(_section_parts(section))
        if parts:
            yield Section(f"Changes over {section.name}", tuple(parts), anchor=f"changes over {section.name}")


def _section_parts(section: HistorySection) -> Iterator[Part]:
    history = section.history
    notes = [history.order or "", *map(str, (*section.pythons, *section.models))]
    yield from (Paragraph(note, Tone.QUIET) for note in notes if note)
    if history.findings:
        machines = len({finding.group[:-1] for finding in history.findings}) > 1
        columns = (
            Column("what changed"), Column("change", True), Column("since"), Column("before", True),
            Column("after", True), Column("rows", True), Column("status"), Column("q", True, True),
            Column("machine and environment", False, not machines),
        )  # fmt: skip
        rows = tuple(_row(section, *pair, number) for number, pair in enumerate(_ordered(section)))
        yield Table(columns, rows, filters=(("worse", "better"),), name=f"changes over {section.name}")
        if len(rows) > _MOST_DRAWN:
            yield Paragraph(f"The {_MOST_DRAWN} largest are drawn where they are opened.", Tone.QUIET)
    if history.failing:
        cells = [(_named(one.group, one.row), one.since, one.before) for one in history.failing[:_MOST_LAPSES]]
        failing = table(("what", "failing since", "worked at"), (), cells)
        yield Section(f"Failing: {len(history.failing)}", (failing,), anchor="failing")
    stops = list(grouped_stops(history.stopped))
    if stops:
        lines = [
            (_named(one.group, one.row if rows_ == 1 else f"{rows_} rows"), one.last, one.later)
            for one, rows_ in stops[:_MOST_LAPSES]
        ]
        stopped = table(("what", "last measured at"), (f"{_NOUNS[section.name]}s since",), lines)
        yield Section(f"No longer measured: {len(stops)}", (stopped,), True, anchor="stopped")


def _row(section: HistorySection, finding: Finding, check: Check, number: int) -> Row:
    history, largest = section.history, finding.changes[0]
    is_trend = finding.shape is Shape.TREND
    since = history.label(finding, finding.since)
    previous = history.label(finding, finding.previous)
    what = finding.group[-1] if is_common(finding) else title(finding.group[-1])
    rows = len(finding.changes)
    where = largest.course.row if rows == 1 else f"most in {largest.course.row}" if largest.course.row else ""
    cells: tuple[Cell, ...] = (
        Lines((what, where) if where else (what,)),
        Change(
            finding.ratio if largest.before and largest.after else None,
            None if largest.before and largest.after else _size(finding),
        ),
        f"{since} (steadily)" if is_trend else Lines((since, f"after {previous}")),
        Quantity(largest.before, largest.course.unit),
        Quantity(largest.after, largest.course.unit),
        rows,
        Marked(check.standing.value, Tone.PLAIN, _SIGNS[check.standing]),
        chance(largest.q),
        ", ".join(finding.group[:-1]),
    )
    tone = Tone.WORSE if finding.ratio > 1 else Tone.BETTER
    details = tuple(_details(section, finding, check, number < _MOST_DRAWN))
    anchor = f"{tone.value} {finding.group[-1]} {since}"
    return Row(cells, tone, details, anchor, (tone.value,))


def _details(section: HistorySection, finding: Finding, check: Check, is_drawn: bool) -> Iterator[Part]:
    history = section.history
    yield Paragraph(finding_text(history, finding), Tone.QUIET)
    if is_drawn:
        yield finding_figure(finding, history.labels[finding.group[:-1]])
    yield Paragraph(check_text(check, finding), Tone.QUIET)
    if check.command is not None:
        yield Command(check.command, "Measure both again:")
    if len(finding.changes) > 1:
        cells: list[tuple[Cell, ...]] = [
            (
                one.course.row or title(one.course.group[-1]),
                history.label(finding, one.since),
                Quantity(one.before, one.course.unit),
                Quantity(one.after, one.course.unit),
                Change(one.ratio if one.before else None, None if one.before else "from 0"),
                chance(one.q),
            )
            for one in finding.changes[:_MOST_ROWS]
        ]
        yield table(("row", "since"), ("before", "after", "change", "q"), cells)
        if len(finding.changes) > _MOST_ROWS:
            yield Paragraph(f"and {len(finding.changes) - _MOST_ROWS} more rows: --format json has all.", Tone.QUIET)


def _named(group: Sequence[str], row: str) -> str:
    return f"{title(group[-1])}{f' ({row})' if row else ''}"
