"""Counted work in words: what the clock and the counter say of a row, side by side.

A count tells of work, never of time: it is "more work" or "less work". Whether work is why something is slower only a
profile can tell, so a change in work "goes with" a change in time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from harness.answers.comparison import Comparison
from harness.answers.work import ModuleWork, Work, packages
from harness.report.document import Cell, Change, Paragraph, Part, Quantity, Section, items, table
from harness.report.numbers import change, count, interval, percent
from harness.report.wording import Places
from harness.verdict.rows import Row, Verdict
from harness.verdict.work import Difference

HEADING = "Work: Python calls, counted in processes that were not timed"
_ALL = "All counts of work"
_MOST_MODULES = 20
"""Modules of a row in JSON."""
_NAMED = 3
"""Packages that a sentence names where none has most of the change."""
_OTHERS = (
    ("graph_operations", "graph operations", ""),
    ("functions", "functions", ""),
    ("modules_imported", "modules imported", ""),
    ("bytes_read", "bytes read", "bytes"),
    ("bytes_written", "bytes written", "bytes"),
    ("reads", "reads", ""),
    ("writes", "writes", ""),
)
_LEAST_CHANGE = 0.02
_ELSEWHERE = "native code, files, the machine, or {} work within the same calls"

_Pair = tuple[Row, Work]


def work_data(work: Work | None) -> dict[str, Any] | None:
    """Return a row's work as plain data, None where none was counted; the 20 modules that changed most."""
    if work is None:
        return None
    return {
        "says": work.says,
        "old": work.old,
        "new": work.new,
        "by_module": [asdict(one) for one in work.by_module[:_MOST_MODULES]],
        "reason": work.reason,
        "difference": None if work.difference is None else work.difference.value,
        "others": {name: {"old": old, "new": new} for name, (old, new) in work.others.items()},
    }


def work_sections(comparison: Comparison, places: Places) -> Iterator[Section]:
    """Yield what was counted beside the clock, nothing where nothing was."""
    pairs = [(row, comparison.work[row.key]) for row in comparison.rows if row.key in comparison.work]
    if not pairs:
        return
    told = [*_changed(pairs, places), *_same_but_for_time(pairs, places)]
    parts: list[Part] = [items(told, "change in work")] if told else []
    parts += map(Paragraph, (*_same(pairs), *_not_compared(pairs)))
    parts.append(Section(_ALL, (_table(pairs, places),), True))
    yield Section(HEADING, tuple(parts))


def failing_work(comparison: Comparison, places: Places) -> tuple[str, ...]:
    """Return a sentence for each metric whose work made the exit code 1, since its time is not judged."""
    pairs = [
        (row, work) for row in comparison.rows if (work := comparison.work.get(row.key)) is not None and work.fails
    ]
    return tuple(_changed(pairs, places))


def more_work_text(comparison: Comparison) -> str:
    """Return what made the exit code 1 where times are not judged; "" where nothing did."""
    failing = sum(work.fails for work in comparison.work.values())
    if not failing:
        return ""
    return f"{count(failing, 'row')} whose time is not judged {'does' if failing == 1 else 'do'} more work; see Work."


def _changed(pairs: Sequence[_Pair], places: Places) -> Iterator[str]:
    """Yield a sentence for the rows of one metric whose work changed alike and of which the clock says the same."""
    groups: dict[tuple[object, ...], list[_Pair]] = {}
    for row, work in pairs:
        if work.difference in (Difference.MORE, Difference.LESS):
            groups.setdefault((row.metric, work.difference, row.judged, row.verdict), []).append((row, work))
    for members in groups.values():
        row, work = max(members, key=lambda pair: abs((pair[1].ratio or 1.0) - 1.0))
        yield _sentence(places, row, work, members)


def _sentence(places: Places, row: Row, work: Work, members: Sequence[_Pair]) -> str:
    more = work.difference is Difference.MORE
    name, place = _named(places, row), places.place(row)
    calls = f"{calls_text(work)}{_modules(work, more)}"
    if len(members) > 1:
        ratios = [other.ratio for _, other in members if other.ratio is not None]
        work_said = f"{'more' if more else 'less'} work in {len(members)} rows, {interval(min(ratios), max(ratios))}"
        clock = {Verdict.REGRESSION: "slower", Verdict.IMPROVEMENT: "faster"}.get(row.verdict) if row.judged else None
        said = f"; all are {clock}" if clock else f"; {_clock(row)}"
        return f"{places.title(row.metric)}: {work_said}, most in {place}: {calls}{said}."
    if not row.judged or row.verdict not in (Verdict.REGRESSION, Verdict.IMPROVEMENT):
        return f"{name}: {'more' if more else 'less'} work: {calls}; {_clock(row)}."
    agrees = more == (row.verdict is Verdict.REGRESSION)
    return f"{name}: {_clock(row)}{'; goes with ' if agrees else ', and yet with '}{calls}."


def _named(places: Places, row: Row) -> str:
    """Return what a row is called: "import TensorFlow", "first save (with tracing), mlp-s"."""
    return places.title(row.metric) + ("" if row.model == "-" else f", {places.place(row)}")


def calls_text(work: Work) -> str:
    """Return how the calls changed: "11.1 % more Python calls (1,198,353 to 1,331,938)"."""
    ratio = work.ratio or 1.0
    share = (
        f"{ratio:.2f} times the" if ratio >= 2 else f"{change(ratio).lstrip('+-')} {'more' if ratio > 1 else 'fewer'}"
    )
    return f"{share} Python calls ({work.old:,} to {work.new:,})"


def _modules(work: Work, more: bool) -> str:
    """Return where the change is: ", most of them in typing (+180,176)"."""
    net = (work.new or 0) - (work.old or 0)
    found = [one for one in packages(work.by_module) if (one.change > 0) == more]
    if not found:
        return ""
    if abs(found[0].change) >= abs(net) / 2:
        return f", most of them in {_module(found[0])}"
    return f", in {', '.join(map(_module, found[:_NAMED]))} and others" if len(found) > 1 else ""


def _module(one: ModuleWork) -> str:
    return f"{one.module} ({one.change:+,})"


def _clock(row: Row) -> str:
    """Return what the clock says of a row."""
    if not row.judged:
        return "its time is not judged"
    match row.verdict:
        case Verdict.REGRESSION:
            ratio = row.ratio or 1.0
            return f"{percent(ratio - 1)} slower" if ratio < 2 else f"{ratio:.1f} times as slow"
        case Verdict.IMPROVEMENT:
            return f"{percent(1 - (row.ratio or 1.0))} faster"
        case Verdict.SAME:
            return f"the time is unchanged within {percent(row.margin)}"
        case Verdict.INCONCLUSIVE:
            return "the clock is inconclusive"


def _same_but_for_time(pairs: Sequence[_Pair], places: Places) -> Iterator[str]:
    for row, work in pairs:
        if work.difference is not Difference.SAME or work.says != "both" or row.verdict is Verdict.SAME:
            continue
        slower = row.verdict is Verdict.REGRESSION
        went = "the time went into " if slower else "the time was saved in "
        yield (
            f"{_named(places, row)}: {_clock(row)} with {_same_calls(work)}: "
            f"{went}{_ELSEWHERE.format('more' if slower else 'less')}."
        )


def _same_calls(work: Work) -> str:
    if work.old == work.new:
        return f"the same number of Python calls ({work.old:,})"
    return f"about the same number of Python calls ({work.old:,} and {work.new:,})"


def _same(pairs: Iterable[_Pair]) -> Iterator[str]:
    same = [row for row, work in pairs if work.difference is Difference.SAME]
    unchanged = sum(row.judged and row.verdict is Verdict.SAME for row in same)
    still_open = sum(not row.judged or row.verdict is Verdict.INCONCLUSIVE for row in same)
    if unchanged:
        yield f"Neither time nor work changed in {count(unchanged, 'row')}."
    if still_open:
        verb = "has" if still_open == 1 else "have"
        yield f"{count(still_open, 'row')} without a verdict on time {verb} the same work."


def _not_compared(pairs: Iterable[_Pair]) -> Iterator[str]:
    reasons: dict[str, int] = {}
    for _, work in pairs:
        if work.reason is not None and not work.reason.startswith("not-judged"):
            reasons[work.reason] = reasons.get(work.reason, 0) + 1
    for reason, number in reasons.items():
        yield f"Work could not be compared in {count(number, 'row')}: {_reason(reason)}."


def _reason(reason: str) -> str:
    code, _, said = reason.partition(": ")
    if code == "other-python":
        return f"the sides ran under different Pythons ({said}), which count calls differently"
    return {
        "ranges": "its counts vary too much from process to process",
        "not-counted": f"nothing was counted {said}",
    }.get(code, reason)


def _table(pairs: Sequence[_Pair], places: Places) -> Part:
    rows: list[tuple[Cell, ...]] = [
        (
            places.title(row.metric),
            places.place(row),
            _others(work),
            Quantity(work.old, ""),
            Quantity(work.new, ""),
            Change(work.ratio),
        )
        for row, work in pairs
    ]
    return table(("what", "where", "what else changed"), ("calls, old", "calls, new", "change"), rows)


def _others(work: Work) -> str:
    """Return what else differs by 2 % or more: "graph operations 184 to 234"."""
    told = []
    for name, what, unit in _OTHERS:
        old, new = work.others.get(name, (None, None))
        if old is not None and new is not None and abs(new - old) > _LEAST_CHANGE * max(old, new):
            told.append(f"{what} {Quantity(old, unit)} to {Quantity(new, unit)}")
    return ", ".join(told)
