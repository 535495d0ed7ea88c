"""The words for what changed over releases, nights or commits: a finding, its size, and what is known of it."""

from __future__ import annotations

from collections.abc import Sequence

from harness.answers.common_cause import is_common
from harness.answers.history import Check, History
from harness.report.numbers import chance, change, count, interval, quantity
from harness.report.wording import axis_text, title
from harness.verdict.confirmation import Standing
from harness.verdict.course import Change, Finding, Shape
from harness.verdict.rows import Row, Verdict

MOST_ROWS = 6
"""Rows that a finding names; JSON has all."""
MOST_FAILING = 3
"""What began to fail and is named where there is little room."""
PLACES = {"releases": ("with", "release"), "nights": ("in", "run"), "commits": ("at", "commit")}
"""How a place of each axis is referred to, and what it is called."""


def rows_of(group: Sequence[str], row: str) -> str:
    """Return what was measured, and in which row."""
    return f"{title(group[-1])}{f' ({row})' if row else ''}"


def finding_text(history: History, finding: Finding, *, with_axis: bool = True) -> str:
    """Return a finding in a sentence: "load: +12 % since v2.18.0 (v2.17.1 before) in 7 rows; desk, Python 3.11.".

    Without its axis where that is said of all findings together.
    """
    *names, what = finding.group
    axis = f"; {axis_text(names)}" if with_axis else ""
    ratios = [one.ratio for one in finding.changes]
    if len(ratios) == 1 or not any(one.before for one in finding.changes):
        size = size_text(finding.changes[0])
    else:
        size = f"{change(finding.ratio)} ({interval(min(ratios), max(ratios))})"
    rows = "" if len(ratios) == 1 else f" in {len(ratios)} rows"
    since = history.label(finding, finding.since)
    if finding.shape is Shape.TREND:
        until = history.label(finding, max(one.until for one in finding.changes))
        when = f"steadily from {since} to {until}"
    else:
        when = f"since {since} ({history.label(finding, finding.previous)} before)"
    if is_common(finding):
        return (
            f"{what} changed by about {change(finding.ratio)} {when}{axis}. One cause is likely: the "
            "machine, Python or a library changed."
        )
    return f"{title(what)}: {size} {when}{rows}{axis}."


def size_text(one: Change) -> str:
    """Return a change, "from 0 to 3" where it left zero, which no ratio can tell."""
    if one.before and one.after:
        return change(one.ratio)
    return f"from {quantity(one.before, one.course.unit)} to {quantity(one.after, one.course.unit)}"


def check_text(check: Check, finding: Finding) -> str:
    """Return what is known of a finding in a sentence: "confirmed in 5 of 7 rows: +11.2 % …"."""
    if check.standing is Standing.UNCONFIRMED:
        why = (check.reason or check.shortfall or "").rstrip(".")
        return ": ".join([check.standing.value, *([why] if why else [])]) + "."
    wanted = Verdict.REGRESSION if finding.ratio > 1 else Verdict.IMPROVEMENT
    called = [row for row in check.rows if row.verdict is wanted]
    measured = "; ".join(_paired(row) for row in (called or check.rows)[:MOST_ROWS])
    said = f"{check.standing.value} in {len(called)} of {count(len(check.rows), 'row')}: {measured}"
    return f"{said} ({count(check.blocks, 'block')}, {check.run})."


def _paired(row: Row) -> str:
    """Return a row of the paired run: "cpu mlp-s tf-module +11.2 % (+9.0 to +13.1 %)"."""
    name = " ".join(part for part in row.key[1:] if part != "-") or title(row.metric)
    size = change(row.ratio) if row.ratio is not None else f"{row.old} to {row.new}"
    bounds = f" ({interval(row.low, row.high)})" if row.low is not None and row.high is not None else ""
    return f"{name} {size}{bounds}, {row.verdict.value}"


def row_text(one: Change, *, with_what: bool = False) -> str:
    """Return one row of a finding: "cpu mlp-s: 120 ms to 150 ms, +25.0 % (q 0.010)"."""
    name = one.course.row or title(one.course.group[-1])
    name = f"{title(one.course.group[-1])} {one.course.row}".rstrip() if with_what else name
    values = f"{quantity(one.before, one.course.unit)} to {quantity(one.after, one.course.unit)}"
    size = f", {change(one.ratio)}" if one.before and one.after else ""
    return f"{name}: {values}{size} (q {chance(one.q)})"


def why_unconfirmed(check: Check) -> str:
    """Return why nothing has confirmed a finding, without a full stop; "" where there is nothing to say."""
    if check.standing is not Standing.UNCONFIRMED:
        return ""
    return (check.reason or check.shortfall or "").rstrip(".")


def sides_text(history: History, finding: Finding) -> str:
    """Return the two places that measure a finding again: "v2.15.1 and v2.16.2"."""
    before, after = finding.previous, finding.since
    if finding.shape is Shape.TREND:
        before, after = finding.since, max(one.until for one in finding.changes)
    return f"{history.label(finding, before)} and {history.label(finding, after)}"
