"""A comparison's answer in a few sentences: what moved alike is named together, the largest first."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.answers.comparison import Comparison
from harness.metrics import CELL_FAILED, METRICS, Kind
from harness.report.numbers import count, percent, quantity
from harness.report.wording import Places, shared_reason_text
from harness.verdict.rows import Reason, Row, Verdict

_MOST_NAMES = 4
_MOST_COUNTS = 2
_FAMILIES = {
    "import": "importing TensorFlow", "device_init": "device initialisation", "build": "building models",
    "save": "saving", "load": "loading", "first_call": "the first inference", "first_result": "the first result",
    "early_calls": "inference", "infer": "inference", "call": "inference", "artifact": "the SavedModel's size",
    "graph": "the graph",
}  # fmt: skip
_MOVED = {("time", True): "slower", ("time", False): "faster", ("size", True): "larger", ("size", False): "smaller"}


@dataclass(frozen=True, slots=True)
class _Group:
    """Families of metrics that moved the same way: their names, and the least and the largest change (new / old)."""

    names: tuple[str, ...]
    low: float
    high: float


def answer_sentences(comparison: Comparison) -> tuple[str, ...]:
    """Return what was found in at most six sentences, the worst first; where too little was measured, that first."""
    judged = [row for row in comparison.rows if row.judged]
    places = Places.of(comparison.rows)
    worse = _sentences(judged, Verdict.REGRESSION, places)
    better = _sentences(judged, Verdict.IMPROVEMENT, places)
    failed = [row for row in judged if row.reason is Reason.FAILED and row.verdict is Verdict.REGRESSION]
    told = [] if comparison.shortfall is None else [comparison.shortfall]
    told += _failing(judged, comparison)
    if failed:
        told.append(f"{count(len(failed), 'operation')} failed that worked before.")
    told += worse
    if not worse and not failed:
        told.append(_nothing(judged, comparison.margin))
    mended = [row for row in judged if row.reason is Reason.FAILED and row.verdict is Verdict.IMPROVEMENT]
    if mended:
        told.append(f"{count(len(mended), 'operation')} that failed before {'works' if len(mended) == 1 else 'work'}.")
    told += better
    stayed = _unchanged(judged, places)
    if stayed and (worse or better):
        told.append(f"{_listed(stayed)} did not change.")
    return tuple(told)


def _failing(judged: Iterable[Row], comparison: Comparison) -> list[str]:
    """Return which models fail on one side alone, those of the new side first, and what tells what helps."""
    old, new = (side.name.removeprefix("v") for side in (comparison.old, comparison.new))
    told = []
    for verdict, fails, works in ((Verdict.REGRESSION, new, old), (Verdict.IMPROVEMENT, old, new)):
        rows = [row for row in judged if row.metric == CELL_FAILED.name and row.verdict is verdict]
        names = list(dict.fromkeys(row.model for row in rows))
        if names:
            verbs = ("fail", "work") if len(names) > 1 else ("fails", "works")
            told.append(f"{_listed(names)} {verbs[0]} in {fails} and {verbs[1]} in {works}.")
            if verdict is Verdict.REGRESSION and any("@" in name for name in names):
                told[-1] += " `savedmodel-bench check` with the model's path says what helps."
    return told


def family(metric: str, places: Places) -> str:
    """Return what a metric is called in a sentence, together with those like it."""
    known = METRICS.get(metric)
    if known is None:
        return places.title(metric)
    if known.kind in (Kind.HOST_MEMORY, Kind.ALLOCATOR):
        return f"peak memory of {known.operation}"
    start = next((start for start in sorted(_FAMILIES, key=len, reverse=True) if metric.startswith(start)), None)
    return known.title if start is None else _FAMILIES[start]


def _kind(row: Row) -> str:
    """Return what moves in a row: time, a size (of bytes or of a graph), or a count of its own."""
    if row.unit.endswith("seconds"):
        return "time"
    return "size" if row.unit == "bytes" or row.metric.startswith("graph_") else "count"


def _sentences(judged: Iterable[Row], verdict: Verdict, places: Places) -> list[str]:
    """Return a sentence for times, one for sizes and one for counts, the largest change first."""
    by_kind: dict[str, dict[str, list[Row]]] = {}
    for row in judged:
        if row.verdict is verdict and row.reason is not Reason.FAILED and row.metric != CELL_FAILED.name:
            kind = _kind(row)
            by_kind.setdefault(kind, {}).setdefault(family(row.metric, places), []).append(row)
    counts = [_counted(name, rows) for name, rows in by_kind.pop("count", {}).items()]
    groups = {kind: _group(rows) for kind, rows in by_kind.items()}
    ordered = sorted(groups.items(), key=lambda entry: -max(abs(math.log(entry[1].low)), abs(math.log(entry[1].high))))
    times_first = sorted(ordered, key=lambda entry: entry[0] != "time")
    is_worse = verdict is Verdict.REGRESSION
    moved = [_sentence(kind, group, is_worse) for kind, group in times_first]
    return [*moved, *counts[:_MOST_COUNTS]] if is_worse else moved


def _counted(name: str, rows: Sequence[Row]) -> str:
    """Return a count of its own in a sentence: "Outputs not bit-identical to the original model: 1 before, 0 now."."""
    worst = max(rows, key=lambda row: abs((row.new or 0) - (row.old or 0)))
    where = f", in {count(len(rows), 'row')}" if len(rows) > 1 else ""
    return (
        f"{name[:1].upper()}{name[1:]}: {quantity(worst.old, worst.unit)} before, "
        f"{quantity(worst.new, worst.unit)} now{where}."
    )


def _group(rows: dict[str, list[Row]]) -> _Group:
    """Return families by the size of their largest change, and the range of all their changes."""

    def largest(members: Sequence[Row]) -> float:
        return max(abs(math.log(_ratio(row))) for row in members)

    names = sorted(rows, key=lambda name: -largest(rows[name]))
    ratios = [_ratio(row) for members in rows.values() for row in members]
    return _Group(tuple(names), min(ratios), max(ratios))


def _ratio(row: Row) -> float:
    """Return a row's change; from or to zero, where there is none, as much as can be."""
    if row.ratio:
        return min(max(row.ratio, 1e-9), 1e9)
    return 1e-9 if row.verdict is Verdict.IMPROVEMENT else 1e9


def _sentence(kind: str, group: _Group, is_worse: bool) -> str:
    verb = "are" if len(group.names) > 1 else "is"
    return f"{_listed(group.names)} {verb} {_MOVED[kind, is_worse]} by {_range(group, is_worse)}."


def _range(group: _Group, is_worse: bool) -> str:
    """Return "13 to 27 %", "up to 100 %" where the least is tiny, "16 %" where both are the same."""
    least, most = (group.low, group.high) if is_worse else (group.high, group.low)
    if most >= 1e8:
        return "more than can be said in percent: it was 0 before"
    sizes = [abs(ratio - 1) for ratio in (least, most)]
    least_text, most_text = (percent(size).removesuffix(" %") for size in sizes)
    if least_text == most_text:
        return f"{most_text} %"
    return f"up to {most_text} %" if sizes[0] < 0.02 or sizes[0] < sizes[1] / 8 else f"{least_text} to {most_text} %"


def _nothing(judged: Sequence[Row], margin: float) -> str:
    """Return that nothing got worse, of how many comparisons that is known, and how many are open."""
    known = sum(row.verdict is not Verdict.INCONCLUSIVE for row in judged)
    opened = len(judged) - known
    if not judged:
        return "Nothing could be compared."
    if opened > known:
        reason = Counter(row.reason for row in judged if row.verdict is Verdict.INCONCLUSIVE).most_common(1)[0][0]
        why = shared_reason_text([row for row in judged if row.reason is reason])
        rest = f" In the other {known} nothing got slower or larger by more than {percent(margin)}." if known else ""
        return f"{opened} of {count(len(judged), 'comparison')} are inconclusive, most of them because: {why}.{rest}"
    rest = f"; {opened} {'is' if opened == 1 else 'are'} inconclusive" if opened else ""
    return (
        f"Nothing got slower or larger by more than {percent(margin)} in {known} of "
        f"{count(len(judged), 'comparison')}{rest}."
    )


def _unchanged(judged: Sequence[Row], places: Places) -> list[str]:
    """Return the families of times of which every comparison is the same, the first few."""
    verdicts: dict[str, set[Verdict]] = {}
    for row in judged:
        if row.unit.endswith("seconds"):
            verdicts.setdefault(family(row.metric, places), set()).add(row.verdict)
    return [name for name, found in verdicts.items() if found == {Verdict.SAME}]


def _listed(names: Sequence[str]) -> str:
    """Return names as they stand at the beginning of a sentence: "Saving, loading and 2 more"."""
    shown = list(names[:_MOST_NAMES])
    more = len(names) - len(shown)
    if more:
        shown.append(f"{more} more")
    text = shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
    return text if "@" in shown[0] else text[:1].upper() + text[1:]
