"""What changed over releases, nights or commits: since when, by how much, in which rows, and what is known of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.answers.common_cause import is_common
from harness.answers.history import Check, History, HistorySection
from harness.answers.lapses import grouped_stops
from harness.answers.shortfall import EXIT_CODE
from harness.report.document import Command, Document, Item, Items, Paragraph, Part, Report, Section, Tone, items
from harness.report.numbers import chance, change, count, interval, percent, quantity
from harness.report.wording import axis_text, title
from harness.store.worker_versions import OlderRuns
from harness.verdict.confirmation import Standing
from harness.verdict.course import Change, Finding, Shape
from harness.verdict.levels import FEWEST_FOR_STEPS
from harness.verdict.rows import Row, Verdict

_JUDGING_TWO = {
    "releases": "`savedmodel-bench compare` compares two releases",
    "commits": "`savedmodel-bench compare --results` compares two commits",
    "nights": "each complete run adds one value",
}
_PLACES = {"releases": ("with", "release"), "nights": ("in", "run"), "commits": ("at", "commit")}
"""How a place of each axis is referred to, and what it is called."""
MOST_FINDINGS = 20
"""Findings that are shown of each axis unless all are asked for; JSON has all."""
_MOST_ROWS = 6
"""Rows that a finding names; JSON has all."""


def report_history(
    sections: Sequence[HistorySection],
    older: Sequence[OlderRuns] = (),
    *,
    is_confirmed: bool = False,
    most: int = MOST_FINDINGS,
) -> Report:
    """Return the findings, and which runs were left out.

    Args:
        sections: what was looked along.
        older: runs of older worker versions, which were not looked at.
        most: findings of each section that are shown; JSON has all.
        is_confirmed: whether findings were measured again: then the exit code is 1 if anything got worse for sure, else
            3 if a finding could not be measured again.
    """
    shortfalls = dict.fromkeys(check.shortfall for section in sections for check in section.checks if check.shortfall)
    code = 0
    if is_confirmed:
        code = 1 if any(section.is_worse for section in sections) else EXIT_CODE if shortfalls else 0
    return Report(
        "history",
        Document(None, (*history_parts(sections, most), *(Paragraph(str(one)) for one in older))),
        history_data(sections, older),
        code,
        shortfall=" ".join(shortfalls) or None if is_confirmed else None,
    )


def history_parts(sections: Sequence[HistorySection], most: int = MOST_FINDINGS) -> Iterator[Part]:
    """Yield a section for each axis that was looked along, with at most so many findings, the largest first."""
    for section in sections:
        history = section.history
        notes = [*([history.order] if history.order else []), *([_too_short(section)] if history.too_short else [])]
        parts: list[Part] = [Paragraph(text) for text in (*notes, *map(str, (*section.pythons, *section.models)))]
        pairs = list(zip(history.findings, section.checks, strict=True))
        shared = _Shared.of(history, pairs[:most])
        if shared.axis is not None:
            parts.append(Paragraph(f"All series: {axis_text(shared.axis)}."))
        parts += map(Paragraph, shared.reasons.values())
        if pairs:
            items_of = tuple(_item(history, finding, check, shared) for finding, check in pairs[:most])
            parts.append(Items(items_of, "change"))
        parts += shared.commands.values()
        if len(pairs) > most:
            parts.append(Paragraph(f"… and {count(len(pairs) - most, 'smaller change')}: --all lists them."))
        yield Section(_heading(section), (*parts, *_untold(section, most), *_lapses(section, most, shared)))


def history_data(sections: Sequence[HistorySection], older: Sequence[OlderRuns] = ()) -> dict[str, Any]:
    """Return the same as plain data."""
    return {
        "older_runs": [asdict(one) for one in older],
        "sections": [section_data(section) for section in sections],
    }


def _heading(section: HistorySection) -> str:
    history = section.history
    searched = count(history.courses - history.too_short, "series", "series")
    found = count(len(history.findings), "change") if history.findings else "no change"
    return f"Over {section.name}: {found} of more than {percent(history.margin)} in {searched}."


@dataclass(frozen=True, slots=True)
class _Shared:
    """What several findings have in common, each said once: why they are unconfirmed, and what measures them again."""

    reasons: Mapping[str, str]
    commands: Mapping[str, Command]
    axis: tuple[str, ...] | None  # of all that is told

    @classmethod
    def of(cls, history: History, pairs: Sequence[tuple[Finding, Check]]) -> _Shared:
        """Find what is the same for more than one finding."""
        reasons = Counter(reason for _, check in pairs if (reason := _why_unconfirmed(check)))
        commands = Counter(check.command for _, check in pairs if check.command and _is_open(check))
        concerned = {check.command: finding for finding, check in reversed(pairs)}
        axes = [one.group[:-1] for one in history.findings]
        axes += [one.group[:-1] for one in history.failing] + [one.group[:-1] for one in history.stopped]
        return cls(
            axis=axes[0] if len(axes) > 1 and len(set(axes)) == 1 else None,
            reasons={
                reason: f"{number if number < len(pairs) else f'All {number}'} changes are unconfirmed. The reason for "
                f"each: {reason}."
                for reason, number in reasons.items()
                if number > 1
            },
            commands={
                command: Command(command, f"to measure {_sides(history, concerned[command])} again ({number} changes)")
                for command, number in commands.items()
                if number > 1
            },
        )

    def axis_of(self, group: Sequence[str]) -> str:
        """Return what stands after a finding: its machine, environment and release, where not all have the same."""
        return "" if self.axis is not None else f"; {axis_text(group[:-1])}"


def _is_open(check: Check) -> bool:
    return check.standing in (Standing.UNCONFIRMED, Standing.UNDECIDED)


def _why_unconfirmed(check: Check) -> str:
    """Return why nothing has confirmed a finding, without a full stop; "" where there is nothing to say."""
    if check.standing is not Standing.UNCONFIRMED:
        return ""
    return (check.reason or check.shortfall or "").rstrip(".")


def _sides(history: History, finding: Finding) -> str:
    """Return the two places that measure a finding again: "v2.15.1 and v2.16.2"."""
    before, after = finding.previous, finding.since
    if finding.shape is Shape.TREND:
        before, after = finding.since, max(one.until for one in finding.changes)
    return f"{history.label(finding, before)} and {history.label(finding, after)}"


def _item(history: History, finding: Finding, check: Check, shared: _Shared) -> Item:
    """Return a finding with its first rows, how many more it has, and what is known of it."""
    common = is_common(finding)
    details: list[str | Command] = [_row(one, with_what=common) for one in finding.changes[:_MOST_ROWS]]
    if len(finding.changes) > _MOST_ROWS:
        details.append(f"and {count(len(finding.changes) - _MOST_ROWS, 'more row')}")
    if _why_unconfirmed(check) not in shared.reasons:
        details.append(check_text(check, finding))
    if check.command is not None and check.command not in shared.commands and _is_open(check):
        more = "measure both again" if check.standing is Standing.UNCONFIRMED else "measure longer"
        details.append(Command(check.command, f"to {more}"))
    return Item(finding_text(history, finding, with_axis=shared.axis is None), tuple(details), Tone.STRONG)


def _too_short(section: HistorySection) -> str:
    """Return how many series were not searched, and what can be done without more values."""
    number = section.history.too_short
    series = (
        f"1 series, which has fewer than {FEWEST_FOR_STEPS} values"
        if number == 1
        else (f"{number} series, which have fewer than {FEWEST_FOR_STEPS} values")
    )
    return f"Not searched: {series} ({_JUDGING_TWO[section.name]})."


def _untold(section: HistorySection, most: int) -> Iterator[Part]:
    """Yield what may be changes or noise, which so few values cannot tell."""
    untold = section.history.untold
    if untold:
        why = (
            "Each of these series left its level once. Noise that stays at one of two levels for some values looks the "
            "same: other series do so, or there are too few values to tell. More values will show it; "
            f"{_JUDGING_TWO[section.name]}."
        )
        listed = _cut([finding_text(section.history, finding) for finding in untold], most)
        yield Section("Not told from noise", (Paragraph(why), listed))


def _lapses(section: HistorySection, most: int, shared: _Shared) -> Iterator[Part]:
    """Yield what began to fail, and what is no longer measured."""
    at, noun = _PLACES[section.name]
    failing = [
        f"{_rows_of(one.group, one.row)}{shared.axis_of(one.group)}: failing since {one.since} "
        f"(last worked {at} {one.before})"
        for one in section.history.failing
    ]
    if failing:
        yield Section("Failing", (_cut(failing, most),))
    stopped: dict[str, list[str]] = {}
    for one, rows in grouped_stops(section.history.stopped):
        later = f"{count(one.later, f'later {noun}')} {'has' if one.later == 1 else 'have'} no value"
        last = f"Last measured {at} {one.last}; {later}{shared.axis_of(one.group)}"
        stopped.setdefault(last, []).append(_rows_of(one.group, one.row if rows == 1 else f"{rows} rows"))
    if stopped:
        texts = [f"{last}: {'; '.join(names)}" for last, names in stopped.items()]
        yield Section("No longer measured", (_cut(texts, most),), is_folded=True)


def _cut(texts: Sequence[str], most: int) -> Items:
    more = len(texts) - most
    return items([*texts[:most], *([f"… and {more} more: --all lists them."] if more > 0 else [])], "row")


def _rows_of(group: Sequence[str], row: str) -> str:
    return f"{title(group[-1])}{f' ({row})' if row else ''}"


def finding_text(history: History, finding: Finding, *, with_axis: bool = True) -> str:
    """Return a finding in a sentence: "load: +12 % since v2.18.0 (v2.17.1 before) in 7 rows; desk, Python 3.11.".

    Without its axis where that is said of all findings together.
    """
    *names, what = finding.group
    axis = f"; {axis_text(names)}" if with_axis else ""
    ratios = [one.ratio for one in finding.changes]
    if len(ratios) == 1 or not any(one.before for one in finding.changes):
        size = _size(finding.changes[0])
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


def _size(one: Change) -> str:
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
    measured = "; ".join(_paired(row) for row in (called or check.rows)[:_MOST_ROWS])
    said = f"{check.standing.value} in {len(called)} of {count(len(check.rows), 'row')}: {measured}"
    return f"{said} ({count(check.blocks, 'block')}, {check.run})."


def _paired(row: Row) -> str:
    """Return a row of the paired run: "cpu mlp-s tf-module +11.2 % (+9.0 to +13.1 %)"."""
    name = " ".join(part for part in row.key[1:] if part != "-") or title(row.metric)
    size = change(row.ratio) if row.ratio is not None else f"{row.old} to {row.new}"
    bounds = f" ({interval(row.low, row.high)})" if row.low is not None and row.high is not None else ""
    return f"{name} {size}{bounds}, {row.verdict.value}"


def _row(one: Change, *, with_what: bool = False) -> str:
    name = one.course.row or title(one.course.group[-1])
    name = f"{title(one.course.group[-1])} {one.course.row}".rstrip() if with_what else name
    values = f"{quantity(one.before, one.course.unit)} to {quantity(one.after, one.course.unit)}"
    size = f", {change(one.ratio)}" if one.before and one.after else ""
    return f"{name}: {values}{size} (q {chance(one.q)})"


def section_data(section: HistorySection) -> dict[str, Any]:
    """Return one section as plain data."""
    history = section.history
    return {
        "axis": section.name,
        "courses": history.courses,
        "courses_too_short": history.too_short,
        "fewest_values": FEWEST_FOR_STEPS,
        "margin": history.margin,
        "order": history.order,
        "failing": [asdict(one) for one in history.failing],
        "stopped": [asdict(one) for one in history.stopped],
        "pythons": [asdict(one) for one in section.pythons],
        "models": [asdict(one) for one in section.models],
        "untold": [_finding_data(history, finding) for finding in history.untold],
        "findings": [
            {
                **_finding_data(history, finding),
                "is_common": is_common(finding),
                "standing": check.standing.value,
                "command": check.command,
                "reason": check.reason or check.shortfall,
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
            }
            for finding, check in zip(history.findings, section.checks, strict=True)
        ],
    }  # fmt: skip


def _finding_data(history: History, finding: Finding) -> dict[str, Any]:
    """Return what a finding says of itself as plain data."""
    return {
        **dict(zip(history.groups, finding.group, strict=True)),
        "shape": finding.shape.value,
        "since": history.label(finding, finding.since),
        "previous": history.label(finding, finding.previous),
        "ratio": finding.ratio if finding.changes[0].before else None,
        "rows": [
            {
                "row": one.course.row, "unit": one.course.unit, "since": history.label(finding, one.since),
                "until": history.label(finding, one.until), "before": one.before, "after": one.after,
                "ratio": one.ratio if one.before else None, "p": one.p, "q": one.q,
                "measured": one.course.group[-1],
            }
            for one in finding.changes
        ],
    }  # fmt: skip
