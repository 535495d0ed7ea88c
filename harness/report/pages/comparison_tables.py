"""The tables of a comparison's page: what changed, every row, and what was measured beside."""

from __future__ import annotations

from collections.abc import Sequence

from harness.answers.comparison import Comparison
from harness.report.document import (
    Cell,
    Chance,
    Change,
    Column,
    Difference,
    Interval,
    Lines,
    Quantity,
    Row,
    Table,
    table,
)
from harness.report.numbers import change, count
from harness.report.pages.evidence import TONES, effect, evidence, tone
from harness.report.pages.stages import ORDER, quality, stage
from harness.report.wording import Places, blocks_text, change_text, reason_text, would_have_shown
from harness.verdict.findings import Finding
from harness.verdict.rows import Reason, Verdict
from harness.verdict.rows import Row as Judged

VERDICT_WORDS = {
    Verdict.REGRESSION: "worse",
    Verdict.IMPROVEMENT: "better",
    Verdict.SAME: "unchanged",
    Verdict.INCONCLUSIVE: "inconclusive",
}
MOST_EVIDENCE = 400
"""Rows of a table that can be opened; any asv project may have thousands."""


def findings_table(found: Sequence[Finding], comparison: Comparison, places: Places) -> Table:
    """Return what changed, a row for each metric and direction, the largest first; its blocks where it is opened."""
    old, new = comparison.old.name, comparison.new.name
    columns = (
        Column("what changed"), Column("change", True), Column(old, True), Column(new, True),
        Column("change, interval and margin"),
    )  # fmt: skip
    ordered = sorted(found, key=lambda one: (one.verdict is Verdict.IMPROVEMENT, -_size(one)))
    rows = tuple(_finding(one, comparison, places, at < MOST_EVIDENCE) for at, one in enumerate(ordered))
    return Table(columns, rows, name="what changed")


def _finding(finding: Finding, comparison: Comparison, places: Places, has_evidence: bool) -> Row:
    worst, more = finding.worst, len(finding.rows) - 1
    where = places.place(worst)
    where = f"{where}{f', and {more} more' if more else ''}" if where else count(more + 1, "row")
    ratios = [ratio for ratio in (finding.least_ratio, finding.most_ratio) if ratio is not None]
    span = Change(worst.ratio, _span(ratios, worst))
    cells: tuple[Cell, ...] = (
        Lines((places.title(finding.metric), where)),
        span,
        Quantity(worst.old, worst.unit),
        Quantity(worst.new, worst.unit),
        effect(worst),
    )
    details = list(evidence(worst, comparison, places)) if has_evidence else []
    if more and has_evidence:
        details.append(rows_table(finding.rows[:MOST_EVIDENCE], comparison, places, is_brief=True))
    word = VERDICT_WORDS[finding.verdict]
    return Row(cells, TONES[finding.verdict], tuple(details), f"{word} {finding.metric}", (word,), word.capitalize())


def _size(finding: Finding) -> float:
    ratio = finding.worst.ratio
    if not ratio:
        return float("inf")
    return max(ratio, 1 / ratio)


def _span(ratios: Sequence[float], worst: Judged) -> str:
    """Return the changes of a finding: "+12.4 to +64.2 %", one where they are alike, "from 0" where it left zero."""
    if worst.reason is Reason.FAILED:
        return "works again" if worst.verdict is Verdict.IMPROVEMENT else "fails now"
    if worst.ratio is None or len({change(ratio) for ratio in ratios}) < 2:
        return change_text(worst)
    low, high = (change(ratio) for ratio in sorted(ratios, key=lambda ratio: abs(ratio - 1)))
    return f"{low.removesuffix(' %')} to {high}" if low.endswith(" %") and high.endswith(" %") else f"{low} to {high}"


def rows_table(rows: Sequence[Judged], comparison: Comparison, places: Places, *, is_brief: bool = False) -> Table:
    """Return all rows, grouped by what a user does; what stands behind each where it is opened."""
    columns = (
        Column("measurement"), Column("where"), Column(comparison.old.name, True), Column(comparison.new.name, True),
        Column("change", True), Column("difference", True, is_extra=is_brief), Column("change, interval and margin"),
        Column("95 % interval", True, True), Column("q", True, True), Column("blocks", True, True),
        Column("min. detectable", True, True), Column("blocks needed", True, True), Column("verdict", False, True),
    )  # fmt: skip
    groups = {} if is_brief else {row.key: stage(row.metric) for row in rows}
    at = {name: place for place, name in enumerate(ORDER)}
    ordered = sorted(rows, key=lambda row: at.get(groups.get(row.key, ""), len(at)))
    filters = () if is_brief else (tuple(VERDICT_WORDS.values()), _qualities(rows))
    # A table that nobody reads from top to bottom has its evidence where rows changed: among the findings.
    is_bare = is_brief or len(ordered) > MOST_EVIDENCE
    told = (_row(row, comparison, places, groups.get(row.key, ""), is_bare) for row in ordered)
    return Table(columns, tuple(told), filters=filters, name="the rows of this finding" if is_brief else "comparisons")


def _qualities(rows: Sequence[Judged]) -> tuple[str, ...]:
    found = {quality(row.metric, row.unit) for row in rows}
    return tuple(name for name in ("time", "memory", "size", "count") if name in found) if len(found) > 1 else ()


def _row(row: Judged, comparison: Comparison, places: Places, group: str, is_bare: bool) -> Row:
    difference = None if row.old is None or row.new is None else row.new - row.old
    cells: tuple[Cell, ...] = (
        places.title(row.metric),
        places.place_and_blocks(row, comparison.blocks - comparison.further),
        Quantity(row.old, row.unit),
        Quantity(row.new, row.unit),
        Change(row.ratio, "0 %" if difference == 0 else change_text(row)),
        Difference(difference, row.unit),
        effect(row),
        Interval(row.low, row.high),
        Chance(row.q),
        row.blocks,
        would_have_shown(row),
        blocks_text(row),
        f"{VERDICT_WORDS[row.verdict]}: {reason_text(row)}",
    )
    details = () if is_bare else tuple(evidence(row, comparison, places))
    tags = (VERDICT_WORDS[row.verdict], quality(row.metric, row.unit))
    return Row(cells, tone(row), details, None if is_bare else " ".join(row.key), tags, group)


def shown_table(rows: Sequence[Judged], comparison: Comparison, places: Places) -> Table:
    """Return what was measured without being tested for change."""
    numbers = (comparison.old.name, comparison.new.name, "change")
    cells = (
        (
            places.title(row.metric),
            places.place(row),
            Quantity(row.old, row.unit),
            Quantity(row.new, row.unit),
            Change(row.ratio, change_text(row)),
        )
        for row in rows
    )
    return table(("measurement", "where"), numbers, cells)
