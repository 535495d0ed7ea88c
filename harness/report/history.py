"""Findings over a history as text: since when, by how much, which rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.history import History
from harness.report.numbers import chance, change, count, interval, percent, quantity
from harness.report.wording import title
from harness.store.worker_versions import OlderRuns
from harness.verdict.confirmation import Standing
from harness.verdict.course import Change, Finding, Shape
from harness.verdict.levels import FEWEST_FOR_STEPS
from harness.verdict.rows import Row, Verdict

_JUDGING_TWO = {
    "releases": "`savedmodel-bench compare` judges two releases",
    "commits": "`savedmodel-bench compare --results` judges two commits",
    "nights": "each complete run is one value",
}
_MOST_ROWS = 6
"""Rows that a finding names; JSON has all."""


@dataclass(frozen=True, slots=True)
class Check:
    """What is known of a finding: its rows as a paired run judged them, or what would find out.

    `command` measures it, again or at last; `reason` says why it could not be.
    """

    standing: Standing
    rows: tuple[Row, ...] = ()
    blocks: int = 0
    run: str | None = None
    command: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class HistorySection:
    """One axis that was looked along, with the words for it: "over releases", "over nights", "over commits".

    `checks` has one for each finding, in their order.
    """

    name: str
    history: History
    checks: tuple[Check, ...]

    @property
    def is_worse(self) -> bool:
        """Whether a paired run confirmed that something got worse."""
        pairs = zip(self.history.findings, self.checks, strict=True)
        return any(one.standing is Standing.CONFIRMED and finding.ratio > 1 for finding, one in pairs)


def render_history(sections: Sequence[HistorySection], form: str, older: Sequence[OlderRuns] = ()) -> str:
    """Return the findings as "table" (plain text), "markdown" or "json", and which runs were left out."""
    if form == "json":
        told = [asdict(one) for one in older]
        return json.dumps(
            {"schema": 1, "older_runs": told, "sections": [_plain(section) for section in sections]}, indent=1
        )
    lines = (line for section in sections for line in _lines(section, form == "markdown"))
    return "\n".join([*lines, *map(str, older)]).rstrip()


def _lines(section: HistorySection, markdown: bool) -> Iterator[str]:
    history = section.history
    looked = f"{count(history.courses - history.too_short, 'course')}, changes over {percent(history.margin)}"
    found = count(len(history.findings), "finding") if history.findings else "no finding"
    heading = f"Over {section.name}: {found} ({looked})."
    yield f"## {heading}" if markdown else heading
    if history.too_short:
        if markdown:
            yield ""
        yield _too_short(section)
    yield ""
    for finding, check in zip(history.findings, section.checks, strict=True):
        sentence = finding_text(history, finding)
        yield f"- **{sentence}**" if markdown else f"  {sentence}"
        for one in finding.changes[:_MOST_ROWS]:
            yield f"    {'- ' if markdown else ''}{_row(one)}"
        if len(finding.changes) > _MOST_ROWS:
            yield f"    {'- ' if markdown else ''}and {count(len(finding.changes) - _MOST_ROWS, 'more row')}"
        yield f"    {'- ' if markdown else ''}{check_text(check, finding, markdown)}"
        yield ""


def _too_short(section: HistorySection) -> str:
    """Return how many courses could not be looked at, and what can be done without more values."""
    number = section.history.too_short
    further = "further " if number < section.history.courses else ""
    has = "course has" if number == 1 else "courses have"
    return (
        f"{number} {further}{has} fewer than the {FEWEST_FOR_STEPS} values that it takes to show a change; "
        f"{_JUDGING_TWO[section.name]}."
    )


def finding_text(history: History, finding: Finding) -> str:
    """Return a finding in a sentence: "load: +12 % since v2.18.0 (v2.17.1 before) in 7 rows, desk"."""
    *axis, what = finding.group
    ratios = [one.ratio for one in finding.changes]
    size = change(ratios[0]) if len(ratios) == 1 else f"{change(finding.ratio)} ({interval(min(ratios), max(ratios))})"
    rows = "" if len(ratios) == 1 else f" in {len(ratios)} rows"
    since = history.label(finding, finding.since)
    if finding.shape is Shape.TREND:
        until = history.label(finding, max(one.until for one in finding.changes))
        when = f"steadily from {since} to {until}"
    else:
        when = f"since {since} ({history.label(finding, finding.previous)} before)"
    return f"{title(what)}: {size} {when}{rows}; {', '.join(axis)}."


def check_text(check: Check, finding: Finding, markdown: bool = False) -> str:
    """Return what is known of a finding in a sentence: "confirmed side by side in 5 of 7 rows: +11.2 % …"."""
    command = f"`{check.command}`" if markdown else check.command
    if check.standing is Standing.UNCONFIRMED:
        parts = [check.standing.value, *([check.reason] if check.reason else [])]
        return ": ".join(parts) + (f"; to measure it side by side: {command}" if command else "") + "."
    wanted = Verdict.REGRESSION if finding.ratio > 1 else Verdict.IMPROVEMENT
    called = [row for row in check.rows if row.verdict is wanted]
    measured = "; ".join(_paired(row) for row in (called or check.rows)[:_MOST_ROWS])
    said = f"{check.standing.value} side by side in {len(called)} of {count(len(check.rows), 'row')}: {measured}"
    more = f"; more time may settle it: {command}" if check.standing is Standing.UNDECIDED else ""
    return f"{said} ({count(check.blocks, 'block')}, {check.run}){more}."


def _paired(row: Row) -> str:
    """Return a row of the paired run: "cpu mlp-s tf-module +11.2 % (+9.0 to +13.1 %)"."""
    name = " ".join(part for part in row.key[1:] if part != "-") or title(row.metric)
    size = change(row.ratio) if row.ratio is not None else f"{row.old} to {row.new}"
    bounds = f" ({interval(row.low, row.high)})" if row.low is not None and row.high is not None else ""
    return f"{name} {size}{bounds}, {row.verdict.value}"


def _row(one: Change) -> str:
    values = f"{quantity(one.before, one.course.unit)} to {quantity(one.after, one.course.unit)}"
    return f"{one.course.row or title(one.course.group[-1])}: {values}, {change(one.ratio)} (q {chance(one.q)})"


def _plain(section: HistorySection) -> dict[str, Any]:
    history = section.history
    return {
        "axis": section.name,
        "courses": history.courses,
        "courses_too_short": history.too_short,
        "fewest_values": FEWEST_FOR_STEPS,
        "margin": history.margin,
        "findings": [
            {
                **dict(zip(history.groups, finding.group, strict=True)),
                "shape": finding.shape.value,
                "since": history.label(finding, finding.since),
                "previous": history.label(finding, finding.previous),
                "ratio": finding.ratio,
                "standing": check.standing.value,
                "command": check.command,
                "reason": check.reason,
                "paired_run": check.run,
                "paired_blocks": check.blocks,
                "paired_rows": [
                    {
                        "metric": row.metric, "device": row.device, "model": row.model, "variant": row.variant,
                        "ratio": row.ratio, "low": row.low, "high": row.high, "p": row.p, "q": row.q,
                        "verdict": row.verdict.value, "row_reason": row.reason.value,
                    }
                    for row in check.rows
                ],
                "rows": [
                    {
                        "row": one.course.row, "unit": one.course.unit, "since": history.label(finding, one.since),
                        "until": history.label(finding, one.until), "before": one.before, "after": one.after,
                        "ratio": one.ratio, "p": one.p, "q": one.q,
                    }
                    for one in finding.changes
                ],
            }
            for finding, check in zip(history.findings, section.checks, strict=True)
        ],
    }  # fmt: skip
