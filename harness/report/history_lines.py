"""What changed along one axis on a screen: a line a change, the largest first, and in a sentence each what is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from harness.answers.common_cause import is_common
from harness.answers.history import Check, HistorySection
from harness.answers.lapses import grouped_stops
from harness.report.brief_titles import brief_title
from harness.report.document import Cell, Column, Command, Paragraph, Part, Row, Table, Tone
from harness.report.history_words import MOST_FAILING, PLACES, rows_of, sides_text, size_text, why_unconfirmed
from harness.report.names import distinct
from harness.report.numbers import change, count
from harness.report.wording import axis_text
from harness.verdict.confirmation import Standing
from harness.verdict.course import Finding, Shape

_ROOM, _WHERE, _AXIS = 56, 32, 14
"""Columns of all names of a line, of its row and of its machine and environment: with size and release they make 80."""

Pairs = Sequence[tuple[Finding, Check]]


def history_lines(section: HistorySection, most: int) -> Iterator[Part]:
    """Yield at most so many changes, and how many there are of everything else."""
    history = section.history
    pairs = sorted(zip(history.findings, section.checks, strict=True), key=lambda pair: -pair[0].size)
    if pairs:
        yield from _axis(pairs)
        yield _table(section, pairs[:most])
        yield from _standing(section, pairs)
    left = [
        (max(0, len(pairs) - most), "smaller change", "smaller changes"),
        (len(history.untold), "change not told from noise", "changes not told from noise"),
        (len(list(grouped_stops(history.stopped))), "metric no longer measured", "metrics no longer measured"),
    ]
    if history.failing:
        failing = [
            f"{rows_of(one.group, one.row)} since {one.since} (last worked {PLACES[section.name][0]} {one.before})"
            for one in history.failing[:MOST_FAILING]
        ]
        more = len(history.failing) - len(failing)
        yield Paragraph(f"Failing: {'; '.join(failing)}{f'; and {more} more' if more else ''}.", Tone.WORSE)
    told = [count(number, one, many) for number, one, many in left if number]
    if told:
        yield Paragraph(
            f"--verbose adds {', '.join(told)}{', and the rows of each change' if pairs else ''}.", Tone.QUIET
        )


def _axis(pairs: Pairs) -> Iterator[Part]:
    axes = {finding.group[:-1] for finding, _ in pairs}
    if len(axes) == 1:
        yield Paragraph(f"All changes: {axis_text(axes.pop())}.", Tone.QUIET)


def _table(section: HistorySection, pairs: Pairs) -> Table:
    history = section.history
    has_axis = len({finding.group[:-1] for finding, _ in pairs}) > 1
    rows = _rows(pairs)
    what = distinct((_what(finding) for finding, _ in pairs), _ROOM - max(map(len, rows.values())) - has_axis * _AXIS)
    axes = distinct((axis_text(finding.group[:-1]) for finding, _ in pairs), _AXIS)
    has_where = any(rows)
    is_open = all(check.standing is Standing.UNCONFIRMED for _, check in pairs)
    columns = [
        Column("change", True), Column("what"), *([Column("most in")] if has_where else []),
        *([Column("on")] if has_axis else []), Column("since"), *([] if is_open else [Column("status")]),
    ]  # fmt: skip
    lines = []
    for finding, check in pairs:
        more = f" +{len(finding.changes) - 1}" if len(finding.changes) > 1 else ""
        steadily = " on" if finding.shape is Shape.TREND else ""
        cells: list[Cell] = [_size(finding), what[_what(finding)]]
        cells += [rows[finding.changes[0].course.row] + more] if has_where else []
        cells += [axes[axis_text(finding.group[:-1])]] if has_axis else []
        cells += [history.label(finding, finding.since) + steadily, *([] if is_open else [check.standing.value])]
        lines.append(Row(tuple(cells), Tone.WORSE if finding.ratio > 1 else Tone.BETTER))
    return Table(tuple(columns), tuple(lines))


def _rows(pairs: Pairs) -> dict[str, str]:
    """Return what the first row of each change is shown as: without its device, where all have the same."""
    rows = list(dict.fromkeys(finding.changes[0].course.row for finding, _ in pairs))
    devices = {row.partition(" ")[0] for row in rows}
    named = {row: row.removeprefix(f"{device} ") for device in devices for row in rows} if len(devices) == 1 else {}
    shown = distinct((named.get(row, row) for row in rows), _WHERE)
    return {row: shown[named.get(row, row)] for row in rows}


def _what(finding: Finding) -> str:
    return finding.group[-1] if is_common(finding) else brief_title(finding.group[-1])


def _size(finding: Finding) -> str:
    one = finding.changes[0]
    return change(finding.ratio) if one.before and one.after else size_text(one).removeprefix("from ")


def _standing(section: HistorySection, pairs: Pairs) -> Iterator[Part]:
    """Yield why most changes are unconfirmed, and the command that measures most of them again."""
    reasons = Counter(reason for _, check in pairs if (reason := why_unconfirmed(check)))
    unconfirmed = sum(check.standing is Standing.UNCONFIRMED for _, check in pairs)
    if unconfirmed:
        some = "The change is" if len(pairs) == 1 else f"{unconfirmed} of {len(pairs)} changes are"
        some = f"All {unconfirmed} changes are" if unconfirmed == len(pairs) > 1 else some
        why = "".join(
            f" The reason for {'most' if len(pairs) > 1 else 'it'}: {one}." for one, _ in reasons.most_common(1)
        )
        yield Paragraph(f"{some} unconfirmed, that is, not measured again.{why}")
    open_ = [(finding, check.command) for finding, check in pairs if check.is_open and check.command]
    commands = Counter(command for _, command in open_)
    if commands:
        command, times = commands.most_common(1)[0]
        finding = next(finding for finding, one in open_ if one == command)
        what = count(times, "change") if times > 1 or len(pairs) == 1 else "the largest change"
        yield Command(str(command), f"measure {sides_text(section.history, finding)} again ({what})")
