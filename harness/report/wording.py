"""The words for rows, places and reasons: codes are for machines, sentences for people."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from harness.metrics import CELL_FAILED, METRICS, Kind, split_batch
from harness.report.names import CUT_NOTE, LONGEST, distinct
from harness.report.numbers import chance, change, count, interval, percent, quantity
from harness.store.taints import described
from harness.verdict.findings import Finding
from harness.verdict.rows import Method, Reason, Row, Verdict

_TITLES = {name: metric.title for name, metric in (*METRICS.items(), (CELL_FAILED.name, CELL_FAILED))}


_MOST_FAILED = 6
"""Places that a finding of failures names."""


def title(metric: str) -> str:
    """Return what a metric is called in reports, its name where it is not one of the project's."""
    return _TITLES.get(metric, metric)


def without_asides(text: str) -> str:
    """Return a title without what it adds in parentheses, where there is no room for it."""
    return _ASIDE.sub("", text)


_ASIDE = re.compile(r" \([^)]*\)")
_ENVIRONMENT = re.compile(r"(cpu|cuda|-) (\S+) py(\S+)( spawn)?")


def axis_text(names: Iterable[str]) -> str:
    """Return what a series is about: "desk, cpu wheel, policy today, Python 3.11" of "desk", "cpu today py3.11".

    Names that are no environment of this project's own records stay as they are.
    """
    return ", ".join(_environment_text(name) for name in names)


def _environment_text(name: str) -> str:
    found = _ENVIRONMENT.fullmatch(name)
    if found is None:
        return name
    wheel, policy, python, spawned = found.groups()
    parts = ["externally installed" if wheel == "-" else f"{wheel} wheel"]
    parts += [] if policy == "-" else [f"policy {policy}"]
    parts += [] if python == "-" else [f"Python {python}"]
    parts += ["--isolation spawn"] if spawned else []
    return ", ".join(parts)


class Placed(Protocol):
    """What stands in one place: a row of a comparison, or what was measured of one subject."""

    @property
    def metric(self) -> str:
        """The metric's name."""

    @property
    def device(self) -> str:
        """cpu or gpu, "-" where the metric has none."""

    @property
    def model(self) -> str:
        """Family and size, "-" where the metric has none."""

    @property
    def variant(self) -> str:
        """Writer, reader, way and batch, "-" where the metric has none."""


@dataclass(frozen=True, slots=True)
class Places:
    """Says where a row was measured, leaving out what is the same nearly everywhere (`legend` tells it once)."""

    devices: tuple[str, ...]
    writer: str | None
    reader: str | None
    names: Mapping[str, str] = field(default_factory=dict)
    """What devices, models and metrics that others named are shown as: an asv project's can be very long."""

    @classmethod
    def of(cls, rows: Iterable[Placed]) -> Places:
        """Find the devices, the writer and reader that most rows have, and what to call what has a long name."""
        rows = list(rows)
        parts = [_variant_parts(row.variant) for row in rows]
        devices = dict.fromkeys(row.device for row in rows)
        others = (row.metric for row in rows if row.metric not in _TITLES)
        named = (devices, (row.model for row in rows), others)
        return cls(
            devices=tuple(device for device in devices if device != "-"),
            writer=_most_common(writer for writer, *_ in parts),
            reader=_most_common(reader for _, reader, *_ in parts),
            names={name: short for some in named for name, short in distinct(some, LONGEST).items()},
        )

    def title(self, metric: str) -> str:
        """Return what a metric is called, without what long names have in common."""
        return self.names.get(title(metric), title(metric))

    def row(self, row: Placed) -> str:
        """Return a row's metric and its place: "load, page cache warm: mlp-s"."""
        return ": ".join(part for part in (self.title(row.metric), self.place(row)) if part)

    @property
    def legend(self) -> str:
        """Return what the places leave out: device, writer and reader; and that names are cut, where they are."""
        told = [f"All rows: {_device(self.devices[0])}."] if len(self.devices) == 1 else []
        if self.writer is not None:
            read = f", loaded with {self.reader}" if self.reader else ""
            told.append(f"Saved with {self.writer}{read}, unless a row says otherwise.")
        if any(len(short) < len(name) for name, short in self.names.items()):
            told.append(CUT_NOTE)
        return " ".join(told)

    def place(self, row: Placed) -> str:
        """Return where a row was measured: "mlp-s batch 32", "gpu mlp-m", "mlp-s (keras-export)", "mlp-s (predict)"."""
        writer, reader, way, batch = _variant_parts(row.variant)
        others = [part for part, usual in ((writer, self.writer), (reader, self.reader)) if part and part != usual]
        others += [way] if way else []
        words = [
            self.names.get(row.device, row.device) if len(self.devices) > 1 and row.device != "-" else "",
            self.names.get(row.model, row.model) if row.model != "-" else "",
            f"batch {batch}" if batch else "",
            f"({', '.join(others)})" if others else "",
        ]
        return " ".join(word for word in words if word) or ("all models" if row.metric in _TITLES else "")

    def place_and_blocks(self, row: Row, blocks: int) -> str:
        """Return the place, with the blocks where fewer tell of it than the comparison has: "mlp-s, 5 of 10 blocks"."""
        fewer = row.method in (Method.PAIRED_T, Method.WELCH_T) and row.blocks < blocks
        told = (self.place(row), f"{row.blocks} of {blocks} blocks" if fewer else "", medians_text(row))
        return ", ".join(filter(None, told))


def same_within(rows: Iterable[Row], margin: float) -> str:
    """Return within what rows are the same, for a heading: "10 %", or "10 % unless a row names another margin".

    Args:
        rows: those that are the same.
        margin: the preset's for time.
    """
    others = any(other_margin(row, margin) for row in rows)
    return percent(margin) + (" unless a row names another margin" if others else "")


def other_margin(row: Row, margin: float) -> str:
    """Return a row's margin where it is not the preset's `margin`: "within 32 %"; else ""."""
    return "" if math.isclose(row.margin, margin) else f"within {percent(row.margin)}"


def medians_text(row: Row) -> str:
    """Return the change of the medians shown where it lies outside the interval of the judged one, else ""."""
    return f"medians {change((row.new or 0.0) / (row.old or 1.0))}" if row.medians_disagree else ""


def detail_text(row: Row) -> str:
    """Return why the row has its verdict, and what the medians say where that is something else."""
    medians = "; the medians shown lie outside the interval of the paired change" if row.medians_disagree else ""
    return reason_text(row) + medians


def reason_text(row: Row) -> str:
    """Return why the row has its verdict, for people; says what to do where something can be done."""
    margin = percent(row.margin)
    match row.reason:
        case Reason.BEYOND_MARGIN:
            return f"changed by more than {margin}, corrected for multiple testing"
        case Reason.CHANGED:
            return "a size or count changed"
        case Reason.APPEARED:
            return "now above every earlier value, in every block"
        case Reason.VANISHED:
            return "now below every earlier value, in every block"
        case Reason.WITHIN_MARGIN:
            return f"shown to have changed by less than {margin}"
        case Reason.EQUAL:
            return "equal"
        case Reason.CHANGED_WITHIN_MARGIN:
            return "a size or count changed by too little to count"
        case Reason.MULTIPLICITY:
            return "significant on its own, not after correction for multiple testing"
        case Reason.NEAR_MARGIN:
            return f"changed, but whether by more than the {margin} margin is uncertain"
        case Reason.TOO_NOISY:
            return f"too noisy to tell whether the change is within {margin}"
        case Reason.TOO_FEW_BLOCKS:
            return f"too few blocks ({row.blocks}) for a verdict"
        case Reason.ZERO_VARIANCE:
            return "readings never vary: the clock or counter is too coarse, or stuck"
        case Reason.NON_POSITIVE:
            return "0 or less among the values: no ratio can be formed"
        case Reason.NO_COMMON_BLOCKS:
            return "no block has both releases: repeat the comparison"
        case Reason.ALL_TAINTED:
            return "other load disturbed one of the two releases in every round: repeat this on an idle machine"
        case Reason.NOT_MEASURED:
            side = "neither side" if row.old is None and row.new is None else "old" if row.new is None else "new"
            return f"measured on the {side} side only" if side in ("old", "new") else "measured on neither side"
        case Reason.NOT_JUDGED:
            return "informational, not tested for change"
        case Reason.NO_SAMPLES:
            return "only asv's summary was kept: run asv with --record-samples"
        case Reason.SINGLE_VALUE:
            return "asv keeps one value of such a benchmark, so its noise is not known; see `history`"
        case Reason.TOO_FEW_SAMPLES:
            return f"too few samples ({row.blocks}) for a verdict"
        case Reason.OTHER_VERSION:
            return "the benchmark's version changed: the two results measure different things"
        case Reason.FAILED:
            return f"failed on {'both sides' if row.old == row.new else 'one side'}"
        case Reason.UNKNOWN_DIRECTION:
            return "informational: asv does not say whether less of this unit is better"


def shared_reason_text(rows: Sequence[Row]) -> str:
    """Return why rows of one reason have their verdict, leaving out numbers in which they differ."""
    texts = {reason_text(row) for row in rows}
    return texts.pop() if len(texts) == 1 else _WITHOUT_NUMBERS.get(rows[0].reason, rows[0].reason.value)


_WITHOUT_NUMBERS = {
    Reason.NEAR_MARGIN: "changed, but whether by more than the margin is uncertain",
    Reason.TOO_NOISY: "too noisy to tell whether the change is within the margin",
    Reason.TOO_FEW_BLOCKS: "too few blocks for a verdict",
    Reason.TOO_FEW_SAMPLES: "too few samples for a verdict",
    Reason.FAILED: "failed on one side or on both",
}


def change_text(row: Row) -> str:
    """Return a row's change: "+12.3 %", and "from 0" where it left zero, which no ratio can tell."""
    if row.ratio is None and row.old == 0 and row.new is not None and row.new > 0:
        return "from 0"
    return change(row.ratio)


def finding_text(finding: Finding, places: Places) -> str:
    """Return a finding as a sentence without its full stop.

    Examples: "load, warm page cache: slower in mlp-s, +40.8 % (q <0.001)"; "load, warm page cache: slower in 7
    models, +12.0 .. +40.8 %, most in conv-m (q 0.012)".
    """
    worst, rows, models = finding.worst, len(finding.rows), len(finding.models)
    sure = "deterministic" if finding.q is None else f"q {chance(finding.q)}"
    name, place = places.title(finding.metric), places.place(worst)
    if worst.reason is Reason.FAILED:
        now = "works again" if finding.verdict is Verdict.IMPROVEMENT else "fails now"
        named = ", ".join(filter(None, map(places.place, finding.rows[:_MOST_FAILED])))
        more = f" and {rows - _MOST_FAILED} more" if rows > _MOST_FAILED else ""
        return f"{name}: {now} in {count(rows, 'row')}" + (f" ({named}{more})" if named else "")
    what = f"{name}: {direction(finding)}"
    if rows == 1:
        by = change(worst.ratio)
        if worst.ratio is None:  # there is none from zero, nor between numbers too far apart
            by = f"from {quantity(worst.old, worst.unit)} to {quantity(worst.new, worst.unit)}"
            by = "from 0" if worst.old == 0 else by
        return f"{what}{f' in {place}' if place else ''}, {by} ({sure})"
    # Only this project's rows are of models; those of another asv project are of parameters.
    of_models = finding.metric in _TITLES
    where = count(models, "model") if models == rows and of_models else count(rows, "row")
    where += f" of {count(models, 'model')}" if of_models and models not in (0, rows) else ""
    ratios = [ratio for ratio in (finding.least_ratio, finding.most_ratio) if ratio is not None]
    span = f", {interval(min(ratios), max(ratios))}" if ratios else ""
    most = f", most in {place}" if place else ""
    return f"{what} in {where}{span}{most} ({sure})"


def direction(finding: Finding) -> str:
    """Return "slower" or "faster" for times, "larger" or "smaller" for bytes, "more" or "fewer" for counts."""
    unit = finding.rows[0].unit
    sides = ("slower", "faster") if finding.kind is Kind.TIME else ("more", "fewer")
    if unit in ("bytes", "ratio"):
        sides = ("larger", "smaller")
    return sides[finding.verdict is Verdict.IMPROVEMENT]


def left_out_text(repeats: int, kinds: Mapping[str, int]) -> str:
    """Return how many measurements do not count and why: "7 measurements were discarded: …"."""
    each = ", ".join(f"{described(kind)} ({number})" for kind, number in kinds.items())
    were = "was" if repeats == 1 else "were"
    return f"{count(repeats, 'measurement')} {were} discarded" + (f": {each}" if each else "")


def would_have_shown(row: Row) -> str:
    """Return the smallest change that the run would have reported: ">= +12 %"; "" where it is not known."""
    if row.spread is None:
        return ""
    if row.detectable_ratio is None:
        return "> +900 %"
    return f">= +{percent(row.detectable_ratio - 1)}"


def blocks_text(row: Row) -> str:
    """Return how many blocks would decide a row: "12"; "idle machine" where a side has disturbed ones only."""
    if row.reason is Reason.ALL_TAINTED:
        return "idle machine"
    if row.blocks_needed is not None:
        return str(row.blocks_needed)
    return "over 200" if row.spread is not None else ""


def _variant_parts(variant: str) -> tuple[str | None, str | None, str | None, str | None]:
    """Split "tf-module/tf-load xla b32" into writer, reader, way and batch; None for parts that are not there."""
    if variant == "-":
        return None, None, None, None
    place, batch = split_batch(variant)
    formats, _, way = place.partition(" ")
    writer, _, reader = formats.partition("/")
    return writer or None, reader or None, way or None, None if batch is None else str(batch)


def _most_common(names: Iterable[str | None]) -> str | None:
    counted = Counter(name for name in names if name)
    return counted.most_common(1)[0][0] if counted else None


def _device(device: str) -> str:
    return device.upper() if device in ("cpu", "gpu") else device
