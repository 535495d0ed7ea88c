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
from harness.report.history_lines import history_lines
from harness.report.history_words import (
    MOST_ROWS,
    PLACES,
    check_text,
    finding_text,
    row_text,
    rows_of,
    sides_text,
    why_unconfirmed,
)
from harness.report.numbers import count, percent
from harness.report.wording import axis_text
from harness.store.worker_versions import OlderRuns
from harness.verdict.confirmation import Standing
from harness.verdict.course import Finding
from harness.verdict.levels import FEWEST_FOR_STEPS

_JUDGING_TWO = {
    "releases": "`savedmodel-bench compare` compares two releases",
    "commits": "`savedmodel-bench compare --results` compares two commits",
    "nights": "each complete run adds one value",
}
MOST_LINES = 22
"""Changes that are shown unless all are asked for, those of all axes together; JSON has all."""


def report_history(
    sections: Sequence[HistorySection],
    older: Sequence[OlderRuns] = (),
    *,
    is_confirmed: bool = False,
    is_whole: bool = False,
) -> Report:
    """Return the findings, and which runs were left out.

    Args:
        sections: what was looked along.
        older: runs of older worker versions, which were not looked at.
        is_whole: whether all findings are shown, with their rows, as they are after measuring again; JSON has all.
        is_confirmed: whether findings were measured again: then the exit code is 1 if anything got worse for sure, else
            3 if a finding could not be measured again.
    """
    shortfalls = dict.fromkeys(check.shortfall for section in sections for check in section.checks if check.shortfall)
    code = 0
    if is_confirmed:
        code = 1 if any(section.is_worse for section in sections) else EXIT_CODE if shortfalls else 0
    return Report(
        "history",
        Document(
            None, (*history_parts(sections, is_whole=is_whole or is_confirmed), *(Paragraph(str(one)) for one in older))
        ),
        history_data(sections, older),
        code,
        shortfall=" ".join(shortfalls) or None if is_confirmed else None,
    )


def history_parts(sections: Sequence[HistorySection], *, is_whole: bool = False) -> Iterator[Part]:
    """Yield a section for each axis that was looked along: a line for each of its largest changes, or all of all."""
    changed = sum(bool(section.history.findings) for section in sections)
    for section in sections:
        history = section.history
        notes = [*([history.order] if history.order else []), *([_too_short(section)] if history.too_short else [])]
        told = tuple(Paragraph(text) for text in (*notes, *map(str, (*section.pythons, *section.models))))
        parts = _everything(section) if is_whole else history_lines(section, MOST_LINES // max(1, changed))
        yield Section(_heading(section), (*told, *parts) if is_whole else (*parts, *told))


def _everything(section: HistorySection) -> Iterator[Part]:
    """Yield all changes, each with its rows and what is known of it."""
    history = section.history
    pairs = list(zip(history.findings, section.checks, strict=True))
    shared = _Shared.of(history, pairs)
    if shared.axis is not None:
        yield Paragraph(f"All series: {axis_text(shared.axis)}.")
    yield from map(Paragraph, shared.reasons.values())
    if pairs:
        yield Items(tuple(_item(history, finding, check, shared) for finding, check in pairs), "change")
    yield from shared.commands.values()
    yield from _untold(section)
    yield from _lapses(section, shared)


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
        reasons = Counter(reason for _, check in pairs if (reason := why_unconfirmed(check)))
        commands = Counter(check.command for _, check in pairs if check.command and check.is_open)
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
                command: Command(command, f"measure {sides_text(history, concerned[command])} again ({number} changes)")
                for command, number in commands.items()
                if number > 1
            },
        )

    def axis_of(self, group: Sequence[str]) -> str:
        """Return what stands after a finding: its machine, environment and release, where not all have the same."""
        return "" if self.axis is not None else f"; {axis_text(group[:-1])}"


def _item(history: History, finding: Finding, check: Check, shared: _Shared) -> Item:
    """Return a finding with its first rows, how many more it has, and what is known of it."""
    common = is_common(finding)
    details: list[str | Command] = [row_text(one, with_what=common) for one in finding.changes[:MOST_ROWS]]
    if len(finding.changes) > MOST_ROWS:
        details.append(f"and {count(len(finding.changes) - MOST_ROWS, 'more row')}")
    if why_unconfirmed(check) not in shared.reasons:
        details.append(check_text(check, finding))
    if check.command is not None and check.command not in shared.commands and check.is_open:
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


def _untold(section: HistorySection) -> Iterator[Part]:
    """Yield what may be changes or noise, which so few values cannot tell."""
    untold = section.history.untold
    if untold:
        why = (
            "Each of these series left its level once. Noise that stays at one of two levels for some values looks the "
            "same: other series do so, or there are too few values to tell. More values will show it; "
            f"{_JUDGING_TWO[section.name]}."
        )
        listed = items([finding_text(section.history, finding) for finding in untold], "row")
        yield Section("Not told from noise", (Paragraph(why), listed))


def _lapses(section: HistorySection, shared: _Shared) -> Iterator[Part]:
    """Yield what began to fail, and what is no longer measured."""
    at, noun = PLACES[section.name]
    failing = [
        f"{rows_of(one.group, one.row)}{shared.axis_of(one.group)}: failing since {one.since} "
        f"(last worked {at} {one.before})"
        for one in section.history.failing
    ]
    if failing:
        yield Section("Failing", (items(failing, "row"),))
    stopped: dict[str, list[str]] = {}
    for one, rows in grouped_stops(section.history.stopped):
        later = f"{count(one.later, f'later {noun}')} {'has' if one.later == 1 else 'have'} no value"
        last = f"Last measured {at} {one.last}; {later}{shared.axis_of(one.group)}"
        stopped.setdefault(last, []).append(rows_of(one.group, one.row if rows == 1 else f"{rows} rows"))
    if stopped:
        texts = [f"{last}: {'; '.join(names)}" for last, names in stopped.items()]
        yield Section("No longer measured", (items(texts, "row"),), is_folded=True)


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
