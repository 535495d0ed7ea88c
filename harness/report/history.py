"""Findings over a history as text: since when, by how much, which rows."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from harness.history import History
from harness.metrics import CELL_FAILED, METRICS
from harness.report.markdown_writer import Item, MarkdownWriter, Text, command_in
from harness.report.names import printable
from harness.report.numbers import chance, change, count, interval, percent, quantity
from harness.report.wording import title
from harness.store.python_changes import PythonChange, ReleasesOfPython
from harness.store.worker_versions import OlderRuns
from harness.verdict.confirmation import Standing
from harness.verdict.course import Change, Finding, Shape
from harness.verdict.endings import End, Ending
from harness.verdict.levels import FEWEST_FOR_STEPS
from harness.verdict.rows import Row, Verdict

_JUDGING_TWO = {
    "releases": "`savedmodel-bench compare` judges two releases",
    "commits": "`savedmodel-bench compare --results` judges two commits",
    "nights": "each complete run is one value",
}
_MOST_ROWS = 6
"""Rows that a finding names; JSON has all."""
_MOST_FINDINGS = 20
"""Findings that are listed unless all are asked for, and endings; JSON has all."""
_PLACES = {"releases": "release", "commits": "commit", "nights": "night"}
_CAUSES = {
    "releases": "how TensorFlow is built, the machine, Python or a library changed",
    "commits": "the machine, Python or a library changed",
    "nights": "the machine, Python or a library changed",
}

_One = TypeVar("_One")

NOT_SEARCHED = "Not searched for changes: `--changes` does that, as does `savedmodel-bench history`."


@dataclass(frozen=True, slots=True)
class Check:
    """What is known of a finding: its rows as a paired run judged them, or what would find out.

    `command` measures it, again or at last; `reason` says why it could not be. `shortfall` says why the run that was
    made just now to settle it measured too little.
    """

    standing: Standing
    rows: tuple[Row, ...] = ()
    blocks: int = 0
    run: str | None = None
    command: str | None = None
    reason: str | None = None
    shortfall: str | None = None


@dataclass(frozen=True, slots=True)
class HistorySection:
    """One axis that was looked along, with the words for it: "over releases", "over nights", "over commits".

    `checks` has one for each finding, in their order; `order` says where the order of the places is from, if that
    needs saying.
    """

    name: str
    history: History
    checks: tuple[Check, ...]
    order: str | None = None
    pythons: tuple[PythonChange | ReleasesOfPython, ...] = ()  # where the Python changed, which no course goes over

    @property
    def is_worse(self) -> bool:
        """Whether a paired run confirmed that something got worse."""
        pairs = zip(self.history.findings, self.checks, strict=True)
        return any(one.standing is Standing.CONFIRMED and finding.ratio > 1 for finding, one in pairs)


def render_history(
    sections: Sequence[HistorySection],
    form: str,
    older: Sequence[OlderRuns] = (),
    everything: str | None = None,
    *,
    in_full: bool = False,
) -> str:
    """Return the findings as "table" (plain text), "markdown" or "json", and which runs were left out.

    The first two list the largest findings only, unless they are asked for `in_full`. `everything` is the command that
    has what Markdown has no room for.
    """
    if form == "json":
        told = [asdict(one) for one in older]
        return json.dumps(
            {"schema": 1, "older_runs": told, "sections": [_plain(section) for section in sections]}, indent=1
        )
    if form == "markdown":
        report = MarkdownWriter(everything)
        write_history(report, sections, older, in_full=in_full)
        return report.text()
    lines = (line for section in sections for line in _lines(section, in_full))
    return "\n".join([*lines, *map(str, older)]).rstrip()


def write_history(
    report: MarkdownWriter,
    sections: Sequence[HistorySection],
    older: Sequence[OlderRuns] = (),
    *,
    in_full: bool = False,
) -> None:
    """Add the findings, and which runs were left out."""
    for section in sections:
        report.heading(_heading(section))
        for note in _notes(section):
            report.paragraph(note)
        report.items(map(str, section.pythons))
        findings, more = _first(_pairs(section), in_full, "smaller finding")
        report.items(
            (
                Item(finding_text(section, finding), tuple(_below(finding, check)), strong=True)
                for finding, check in findings
            ),
            "finding",
        )
        report.paragraph(more)
        endings, more = _first([*ending_texts(section)], in_full, "more like these", "more like these")
        report.items((Item(text, strong=True) for text in endings), "finding")
        report.paragraph(more)
    for one in older:
        report.paragraph(str(one))


def _lines(section: HistorySection, in_full: bool) -> Iterator[str]:
    yield _heading(section)
    yield from map(printable, (*_notes(section), *map(str, section.pythons)))
    yield ""
    findings, more = _first(_pairs(section), in_full, "smaller finding")
    for finding, check in findings:
        yield f"  {printable(finding_text(section, finding))}"
        for text in _below(finding, check):
            yield f"    {printable(text if isinstance(text, str) else ''.join(text))}"
        yield ""
    yield from (more, "") if more else ()
    endings, more = _first([*ending_texts(section)], in_full, "more like these", "more like these")
    for ended in endings:
        yield f"  {printable(ended)}"
    yield from ("",) if endings else ()
    yield from (more, "") if more else ()


def _heading(section: HistorySection) -> str:
    history = section.history
    looked = f"{count(history.courses - history.too_short, 'course')}, changes over {percent(history.margin)}"
    found = count(len(history.findings), "finding") if history.findings else "no finding"
    return f"Over {section.name}: {found} ({looked})."


def _notes(section: HistorySection) -> list[str]:
    """Return where the order of the places is from, and how many courses could not be looked at."""
    return [*filter(None, (section.order, _too_short(section) if section.history.too_short else None))]


def _pairs(section: HistorySection) -> list[tuple[Finding, Check]]:
    return list(zip(section.history.findings, section.checks, strict=True))


def _first(some: list[_One], in_full: bool, one: str, many: str | None = None) -> tuple[list[_One], str]:
    """Return what is listed, and a sentence about the rest; "" where there is none."""
    most = len(some) if in_full else _MOST_FINDINGS
    rest = len(some) - most
    told = f"… and {count(rest, one, many)}: `--all` lists them, `--format json` has them." if rest > 0 else ""
    return some[:most], told


def _below(finding: Finding, check: Check) -> Iterator[Text]:
    """Yield what stands below a finding: its first rows, how many more it has, and what is known of it."""
    yield from (_row(one, finding.of is not None) for one in finding.changes[:_MOST_ROWS])
    if len(finding.changes) > _MOST_ROWS:
        yield f"and {count(len(finding.changes) - _MOST_ROWS, 'more row')}"
    yield command_in(check_text(check, finding), check.command)


def ending_texts(section: HistorySection) -> Iterator[str]:
    """Yield what began to fail, and what is no longer measured: a sentence for all that ended at one place."""
    history = section.history
    together: dict[tuple[tuple[str, ...], End, int | None, int], list[Ending]] = {}
    for one in history.endings:
        together.setdefault((one.group[:-1], one.end, one.since, one.last), []).append(one)
    for (axis, end, since, last), members in together.items():
        labels = history.labels[axis]
        names = [_name(one) for one in members]
        rest = f" and {len(names) - _MOST_ROWS} more" if len(names) > _MOST_ROWS else ""
        ago = f"{count(members[0].behind, _PLACES[section.name])} ago"
        if end is End.FAILING and since is not None:
            said = f"failing since {labels[since]} (last measured at {labels[last]}, {ago})"
        else:
            said = f"no longer measured: last measured at {labels[last]}, {ago}"
        yield f"{', '.join(names[:_MOST_ROWS])}{rest}: {said}; {', '.join(axis)}."


def _name(one: Ending) -> str:
    what = one.group[-1]
    if what not in METRICS and what != CELL_FAILED.name:
        return f"{what}({one.row})" if one.row else what
    return one.row if what == CELL_FAILED.name else f"{title(what)} {one.row}".rstrip()


def age(behind: int, place: str) -> str:
    """Return how old a latest value is: ", 5 commits ago", "" for one of the newest commit."""
    return f", {count(behind, place)} ago" if behind else ""


def _too_short(section: HistorySection) -> str:
    """Return how many courses could not be looked at, and what can be done without more values."""
    number = section.history.too_short
    further = "further " if number < section.history.courses else ""
    has = "course has" if number == 1 else "courses have"
    return (
        f"{number} {further}{has} fewer than the {FEWEST_FOR_STEPS} values that it takes to show a change; "
        f"{_JUDGING_TWO[section.name]}."
    )


def finding_text(section: HistorySection, finding: Finding) -> str:
    """Return a finding in a sentence: "load: +12 % since v2.18.0 (v2.17.1 before) in 7 rows, desk"."""
    history = section.history
    *axis, what = finding.group
    since = history.label(finding, finding.since)
    when = f"since {since} ({history.label(finding, finding.previous)} before)"
    if finding.of is not None:
        number = len(finding.changes)
        many = f"all {number}" if number >= finding.of else f"{number} of {finding.of}"
        return f"{many} {_kind(finding)} about {_about(finding)} {when}: {_CAUSES[section.name]}; {', '.join(axis)}."
    ratios = [one.ratio for one in finding.changes]
    size = _size(finding.ratio)
    if len(ratios) > 1 and max(ratios) < math.inf:
        size = f"{size} ({interval(min(ratios), max(ratios))})"
    rows = "" if len(ratios) == 1 else f" in {len(ratios)} rows"
    if finding.shape is Shape.TREND:
        until = history.label(finding, max(one.until for one in finding.changes))
        when = f"steadily from {since} to {until}"
    return f"{title(what)}: {size} {when}{rows}; {', '.join(axis)}."


def _kind(finding: Finding) -> str:
    """Return what the courses of a shared change are called: benchmarks, or rows of this project's own metrics."""
    named = {one.course.group[-1] for one in finding.changes}
    if named & METRICS.keys():
        return f"rows in {finding.changes[0].course.unit}"
    return "benchmarks" if len(named) == len(finding.changes) else "courses"


def _about(finding: Finding) -> str:
    """Return a size in words: "25 % faster", "30 % larger", "3 times as slow"."""
    ratio, is_time = finding.ratio, finding.changes[0].course.unit.endswith("seconds")
    if ratio >= 2:
        return f"{ratio:.3g} times as {'slow' if is_time else 'large'}"
    more, less = ("slower", "faster") if is_time else ("larger", "smaller")
    return f"{100 * abs(ratio - 1):.0f} % {more if ratio > 1 else less}"


def _size(ratio: float) -> str:
    return "from 0" if ratio == math.inf else change(ratio)


def check_text(check: Check, finding: Finding) -> str:
    """Return what is known of a finding in a sentence: "confirmed side by side in 5 of 7 rows: +11.2 % …"."""
    if check.standing is Standing.UNCONFIRMED:
        why = (check.reason or check.shortfall or "").rstrip(".")
        parts = [check.standing.value, *([why] if why else [])]
        return ": ".join(parts) + (f"; to measure it side by side: {check.command}" if check.command else "") + "."
    wanted = Verdict.REGRESSION if finding.ratio > 1 else Verdict.IMPROVEMENT
    called = [row for row in check.rows if row.verdict is wanted]
    measured = "; ".join(_paired(row) for row in (called or check.rows)[:_MOST_ROWS])
    said = f"{check.standing.value} side by side in {len(called)} of {count(len(check.rows), 'row')}: {measured}"
    more = f"; more time may settle it: {check.command}" if check.standing is Standing.UNDECIDED else ""
    return f"{said} ({count(check.blocks, 'block')}, {check.run}){more}."


def _paired(row: Row) -> str:
    """Return a row of the paired run: "cpu mlp-s tf-module +11.2 % (+9.0 to +13.1 %)"."""
    name = " ".join(part for part in row.key[1:] if part != "-") or title(row.metric)
    size = change(row.ratio) if row.ratio is not None else f"{row.old} to {row.new}"
    bounds = f" ({interval(row.low, row.high)})" if row.low is not None and row.high is not None else ""
    return f"{name} {size}{bounds}, {row.verdict.value}"


def _row(one: Change, of_many: bool) -> str:
    values = f"{quantity(one.before, one.course.unit)} to {quantity(one.after, one.course.unit)}"
    name = one.course.row or title(one.course.group[-1])
    if of_many and one.course.row:
        name = f"{title(one.course.group[-1])} {one.course.row}"
    return f"{name}: {values}, {_size(one.ratio)} (q {chance(one.q)})"


def _plain(section: HistorySection) -> dict[str, Any]:
    history = section.history
    return {
        "axis": section.name,
        "courses": history.courses,
        "courses_too_short": history.too_short,
        "fewest_values": FEWEST_FOR_STEPS,
        "margin": history.margin,
        "order": section.order,
        "pythons": [asdict(told) for told in section.pythons],
        "failing": [_plain_ending(history, one) for one in history.endings if one.end is End.FAILING],
        "not_measured": [_plain_ending(history, one) for one in history.endings if one.end is End.NOT_MEASURED],
        "findings": [
            {
                **dict(zip(history.groups, (*finding.group[:-1], finding.group[-1] or None), strict=True)),
                "shared_by": None if finding.of is None else len(finding.changes),
                "shared_of": finding.of,
                "shape": finding.shape.value,
                "since": history.label(finding, finding.since),
                "previous": history.label(finding, finding.previous),
                "ratio": _finite(finding.ratio),
                "ratio_reason": None if finding.ratio < math.inf else "from-zero",
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
                "rows": [
                    {
                        history.groups[-1]: one.course.group[-1], "row": one.course.row, "unit": one.course.unit,
                        "since": history.label(finding, one.since), "until": history.label(finding, one.until),
                        "before": one.before, "after": one.after, "ratio": _finite(one.ratio), "p": one.p, "q": one.q,
                    }
                    for one in finding.changes
                ],
            }
            for finding, check in zip(history.findings, section.checks, strict=True)
        ],
    }  # fmt: skip


def _plain_ending(history: History, one: Ending) -> dict[str, Any]:
    return {
        **dict(zip(history.groups, one.group, strict=True)),
        "row": one.row,
        "since": None if one.since is None else history.label(one, one.since),
        "last_measured": history.label(one, one.last),
        "places_since": one.behind,
    }


def _finite(ratio: float) -> float | None:
    """Return a ratio as JSON can hold it: null from zero."""
    return ratio if ratio < math.inf else None
