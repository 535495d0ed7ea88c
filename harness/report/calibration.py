"""What `calibrate` says: the noise of each metric, what it lets one see, how to spend a budget, what to do."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.report.numbers import change, count, percent
from harness.report.table import to_text
from harness.report.wording import title
from harness.verdict.calibration import Noise, Source, Split, detectable, false_alarms

BLOCKS = (5, 10, 20)
_LOUD = 0.10


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """A calibration, ready to be rendered.

    `rows` are times that are judged, `memory` peaks and footprints, most of which are shown only; `unknown` counts the
    times that were measured and of whose noise nothing is known, for lack of calm repeats; `calls` is the spread
    of single calls by row key where steady calls were measured; `splits` the best split by budget in seconds, None
    where it is too small; `taints` counts tainted repeats by kind.
    """

    subject: str
    machine: str
    preset: str
    blocks: int
    rows: Sequence[Noise]
    memory: Sequence[Noise]
    unknown: int
    calls: Mapping[str, float]
    called: int
    splits: Mapping[float, Split | None]
    taints: Mapping[str, int]
    shortfall: str | None = None  # why too little was measured to be a calibration


def render_calibration(report: CalibrationReport, *, width: int = 100, colour: bool = False) -> str:
    """Return the report for a terminal `width` columns wide."""
    return to_text(_lines(report), width=width, colour=colour)


def _lines(report: CalibrationReport) -> Iterator[RenderableType]:
    yield Text(f"{report.subject} against itself on {report.machine}", style="bold")
    yield Text(f"preset {report.preset}, {count(report.blocks, 'block')}; medians over the rows of a metric.")
    yield Text()
    yield Text("Noise (standard deviations) and the change that would be called, were it the only row", style="bold")
    yield Padding(_noise(report.rows), (0, 0, 0, 2))
    if report.unknown:
        lacking = f"{report.unknown} of {count(len(report.rows) + report.unknown, 'row')}"
        yield _indented(f"Of {lacking} nothing is known: they lack calm repeats of both sides in two blocks.")
    if report.memory:
        yield Text()
        yield Text("Memory", style="bold")
        yield Padding(_noise(report.memory), (0, 0, 0, 2))
        yield Text()
    for row, spread in report.calls.items():
        yield _indented(f"Single calls of {row}: {percent(spread)}.")
    alarms, varying = false_alarms(report.rows)
    yield Text()
    yield Text("False alarms", style="bold")
    yield _indented(
        f"{alarms} of {count(varying, 'row')} differ at p <= 0.05 against no margin; chance gives about "
        f"{0.05 * varying:.1f}. Judged as a comparison, {count(report.called, 'row')} would have been called."
    )
    yield Text()
    yield Text("Best use of a budget", style="bold")
    for budget_s, split in report.splits.items():
        yield _indented(f"{budget_s / 60:.0f} min: {split_text(split)}.")
    yield Text()
    yield Text("What to do about the noise", style="bold")
    for advice in advise(report):
        yield _indented(advice)


def advise(report: CalibrationReport) -> list[str]:
    """Return what to do about the largest sources of noise, the largest first; never empty."""
    found = [_TAINTS[kind].format(count(number, "repeat")) for kind, number in report.taints.items() if kind in _TAINTS]
    timed = [row for row in report.rows if row.source is not Source.NONE]
    of = {source: [row for row in timed if row.source is source] for source in (Source.PROCESS, Source.REPEAT)}
    for source, rows in sorted(of.items(), key=lambda entry: -len(entry[1])):
        if rows:
            found.append(_SOURCES[source].format(f"{len(rows)} of {count(len(timed), 'row')}"))
    loud = [row for row in timed if row.machine is not None and row.machine > _LOUD]
    if loud:
        found.append(
            f"In {count(len(loud), 'row')} the machine itself moves by more than {percent(_LOUD)} between blocks: "
            "pairing cancels it here, but numbers of different days are not comparable. A fixed clock or a machine of "
            "your own would help."
        )
    return found or ["Nothing stands out; repeats were too few to tell the sources apart."]


_TAINTS = {
    "foreign-load": "{} measured while other programs ran: stop them, or measure at a quieter time.",
    "steal": "{} measured while the host took the processor away: a virtual machine shares it with others.",
    "throttle": "{} measured while the GPU was throttled: see to its cooling and power limit.",
    "not-cold": "{} read pages that could not be evicted: put the results on a local disk.",
}
_SOURCES = {
    Source.PROCESS: "In {} most noise comes with each new process: more blocks help, more repeats hardly.",
    Source.REPEAT: "In {} most noise lies between repeats in a process: more repeats (--repeats) are cheap.",
}


def _noise(rows: Sequence[Noise]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("what")
    for name in (
        "rows",
        "block\ndifference",
        "machine",
        "process",
        "repeat",
        *(f"{blocks}\nblocks" for blocks in BLOCKS),
    ):
        table.add_column(name, justify="right", no_wrap=True)
    by_metric: dict[str, list[Noise]] = {}
    for row in rows:
        by_metric.setdefault(row.metric, []).append(row)
    for metric, members in by_metric.items():
        spreads = [
            _median([row.floor for row in members]),
            *(_median([getattr(row, name) for row in members]) for name in ("machine", "process", "repeat")),
        ]
        shown = [_seen(members, blocks) for blocks in BLOCKS]
        table.add_row(*map(Text, (title(metric), str(len(members)), *spreads, *shown)))
    return table


def _median(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return percent(statistics.median(known)) if known else "n/a"


def _seen(rows: Sequence[Noise], blocks: int) -> str:
    ratios = sorted(detectable(row, blocks, row.repeats) or math.inf for row in rows)
    ratio = ratios[len(ratios) // 2]
    return change(ratio) if math.isfinite(ratio) else "over x10"


def split_text(split: Split | None) -> str:
    """Return a split as "12 blocks of 3 repeats show +6.1 % in a row of typical noise, were it the only one"."""
    if split is None:
        return "too little for the four blocks that a verdict takes"
    shown = "nothing under a tenfold change" if split.detectable is None else change(math.exp(split.detectable))
    repeats = "the preset's repeats" if split.repeats is None else count(split.repeats, "repeat")
    return f"{split.blocks} blocks of {repeats} show {shown} in a row of typical noise, were it the only one"


def _indented(text: str) -> Padding:
    return Padding(Text(text), (0, 0, 0, 2))
