"""What `calibrate` says: the noise of each metric, what it lets one see, how to spend a budget, what to do."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.answers.calibration import BLOCKS, Calibration
from harness.report.document import Document, Paragraph, Part, Report, Section, Table, items, table
from harness.report.numbers import change, count, percent
from harness.report.wording import title
from harness.verdict.calibration import Noise, Source, Split, detectable, false_alarms

_LOUD = 0.10


def report_calibration(found: Calibration, data: Mapping[str, Any]) -> Report:
    """Return the calibration in words and tables; `data` is the document that was kept."""
    title = f"{found.subject} against itself on {found.machine}"
    return Report("calibrate", Document(title, tuple(_parts(found))), data)


def _parts(found: Calibration) -> Iterator[Part]:
    yield Paragraph(
        f"Test plan {found.preset}, {count(found.blocks, 'block')}. Each line has the medians of a metric's rows."
    )
    noise: list[Part] = [_noise(found.rows)]
    if found.unknown:
        lacking = f"{found.unknown} of {count(len(found.rows) + found.unknown, 'row')}"
        noise.append(
            Paragraph(
                f"The noise of {lacking} is not known: fewer than two blocks have undisturbed "
                "measurements of both sides."
            )
        )
    yield Section(
        "Noise (standard deviations), and the minimum detectable change of a single comparison by number of blocks",
        tuple(noise),
    )
    if found.memory:
        yield Section("Memory", (_noise(found.memory),))
    if found.calls:
        yield Section(
            "Spread of single calls", (items(f"{row}: {percent(spread)}." for row, spread in found.calls.items()),)
        )
    alarms, varying = false_alarms(found.rows)
    told = (
        f"Without margins, {alarms} of {count(varying, 'row')} differ with p <= 0.05; chance alone gives about "
        f"{0.05 * varying:.1f}. With margins and correction, as in a comparison, {count(found.called, 'row')} would "
        "have been reported as changed."
    )
    yield Section("False alarms", (Paragraph(told),))
    splits = (f"{budget_s / 60:.0f} min: {split_text(split)}." for budget_s, split in found.splits.items())
    yield Section("Best use of a time limit", (items(splits),))
    yield Section("What to do about the noise", (items(advise(found)),))


def advise(found: Calibration) -> list[str]:
    """Return what to do about the largest sources of noise, the largest first; never empty."""
    advice = [
        _TAINTS[kind].format(count(number, "measurement")) for kind, number in found.taints.items() if kind in _TAINTS
    ]
    timed = [row for row in found.rows if row.source is not Source.NONE]
    of = {source: [row for row in timed if row.source is source] for source in (Source.PROCESS, Source.REPEAT)}
    for source, rows in sorted(of.items(), key=lambda entry: -len(entry[1])):
        if rows:
            advice.append(_SOURCES[source].format(f"{len(rows)} of {count(len(timed), 'row')}"))
    loud = [row for row in timed if row.machine is not None and row.machine > _LOUD]
    if loud:
        advice.append(
            f"In {count(len(loud), 'row')} the speed of the machine itself changes by more than {percent(_LOUD)} from "
            "block to block. Measuring both releases in each block cancels that, but times of different days are not "
            "comparable. A fixed CPU clock or a dedicated machine would help."
        )
    return advice or ["No source stands out: there were too few measurements to tell them apart."]


_TAINTS = {
    "foreign-load": "{} made while other programs ran: stop them, or measure when the machine is idle.",
    "steal": "{} made while the hypervisor took the CPU away: the virtual machine shares it with others.",
    "throttle": "{} made while the GPU was throttled: check its cooling and power limit.",
    "not-cold": "{} read from a page cache that could not be emptied: put the results on a local disk.",
}
_SOURCES = {
    Source.PROCESS: "In {} most noise is between processes: more blocks help, more measurements hardly do.",
    Source.REPEAT: "In {} most noise is within a process: more measurements (--repeats) help and cost little.",
}


def _noise(rows: Sequence[Noise]) -> Table:
    by_metric: dict[str, list[Noise]] = {}
    for row in rows:
        by_metric.setdefault(row.metric, []).append(row)
    cells = []
    for metric, members in by_metric.items():
        spreads = [
            _median([row.floor for row in members]),
            *(_median([getattr(row, name) for row in members]) for name in ("machine", "process", "repeat")),
        ]
        shown = [_seen(members, blocks) for blocks in BLOCKS]
        cells.append((title(metric), str(len(members)), *spreads, *shown))
    numbers = (
        "rows",
        "block difference",
        "machine",
        "process",
        "measurement",
        *(f"{blocks} blocks" for blocks in BLOCKS),
    )
    return table(("what",), numbers, cells)


def _median(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return percent(statistics.median(known)) if known else "n/a"


def _seen(rows: Sequence[Noise], blocks: int) -> str:
    ratios = sorted(detectable(row, blocks, row.repeats) or math.inf for row in rows)
    ratio = ratios[len(ratios) // 2]
    return change(ratio) if math.isfinite(ratio) else "> +900 %"


def split_text(split: Split | None) -> str:
    """Return a split as "12 blocks of 3 measurements detect +6.1 % in a single comparison with typical noise"."""
    if split is None:
        return "too short for the four blocks that a verdict takes"
    shown = "nothing under a tenfold change" if split.detectable is None else change(math.exp(split.detectable))
    repeats = (
        "as many measurements as in the test plan" if split.repeats is None else count(split.repeats, "measurement")
    )
    return f"{split.blocks} blocks of {repeats} detect {shown} in a single comparison with typical noise"
