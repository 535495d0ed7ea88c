"""Findings over a history as text: since when, by how much, which rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from harness.history import History
from harness.report.numbers import chance, change, count, interval, percent, quantity
from harness.report.wording import title
from harness.verdict.course import Change, Finding, Shape

_MOST_ROWS = 6
"""Rows that a finding names; JSON has all."""


@dataclass(frozen=True, slots=True)
class HistorySection:
    """One axis that was looked along, with the words for it: "over releases", "over nights", "over commits"."""

    name: str
    history: History


def render_history(sections: Sequence[HistorySection], form: str) -> str:
    """Return the findings as "table" (plain text), "markdown" or "json"."""
    if form == "json":
        return json.dumps({"schema": 1, "sections": [_plain(section) for section in sections]}, indent=1)
    return "\n".join(line for section in sections for line in _lines(section, form == "markdown")).rstrip()


def _lines(section: HistorySection, markdown: bool) -> Iterator[str]:
    history = section.history
    looked = f"{count(history.courses, 'course')}, changes over {percent(history.margin)}"
    found = count(len(history.findings), "finding") if history.findings else "no finding"
    heading = f"Over {section.name}: {found} ({looked})."
    yield f"## {heading}" if markdown else heading
    yield ""
    for finding in history.findings:
        sentence = finding_text(history, finding)
        yield f"- **{sentence}**" if markdown else f"  {sentence}"
        for one in finding.changes[:_MOST_ROWS]:
            yield f"    {'- ' if markdown else ''}{_row(one)}"
        if len(finding.changes) > _MOST_ROWS:
            yield f"    {'- ' if markdown else ''}and {count(len(finding.changes) - _MOST_ROWS, 'more row')}"
        yield ""


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


def _row(one: Change) -> str:
    values = f"{quantity(one.before, one.course.unit)} to {quantity(one.after, one.course.unit)}"
    return f"{one.course.row or title(one.course.group[-1])}: {values}, {change(one.ratio)} (q {chance(one.q)})"


def _plain(section: HistorySection) -> dict[str, Any]:
    history = section.history
    return {
        "axis": section.name,
        "courses": history.courses,
        "margin": history.margin,
        "findings": [
            {
                **dict(zip(history.groups, finding.group, strict=True)),
                "shape": finding.shape.value,
                "since": history.label(finding, finding.since),
                "previous": history.label(finding, finding.previous),
                "ratio": finding.ratio,
                "rows": [
                    {
                        "row": one.course.row, "unit": one.course.unit, "since": history.label(finding, one.since),
                        "until": history.label(finding, one.until), "before": one.before, "after": one.after,
                        "ratio": one.ratio, "p": one.p, "q": one.q,
                    }
                    for one in finding.changes
                ],
            }
            for finding in history.findings
        ],
    }  # fmt: skip
