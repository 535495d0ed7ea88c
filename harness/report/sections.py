"""A comparison in the order in which it is read: what is sure first, what is inconclusive last."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.answers.comparison import Comparison
from harness.answers.measured import Failure
from harness.metrics import METRICS
from harness.report.numbers import count, percent
from harness.report.wording import Places, left_out_text
from harness.verdict.findings import Finding, findings
from harness.verdict.rows import Reason, Row, Verdict

_EXACT = (Reason.CHANGED, Reason.CHANGED_WITHIN_MARGIN, Reason.EQUAL)
_OPEN_ORDER = (
    Reason.MULTIPLICITY,
    Reason.NEAR_MARGIN,
    Reason.TOO_NOISY,
    Reason.TOO_FEW_BLOCKS,
    Reason.NON_POSITIVE,
    Reason.ZERO_VARIANCE,
    Reason.NO_COMMON_BLOCKS,
    Reason.ALL_TAINTED,
    Reason.FAILED,
    Reason.OTHER_VERSION,
    Reason.TOO_FEW_SAMPLES,
    Reason.NO_SAMPLES,
    Reason.SINGLE_VALUE,
)


@dataclass(frozen=True, slots=True)
class Sections:
    """The rows by what is to be said of them; within a section they keep the comparison's order."""

    findings: tuple[Finding, ...]
    changed_exactly: tuple[Row, ...]
    changed_within: tuple[Row, ...]
    equal: tuple[Row, ...]
    regressions: tuple[Row, ...]
    improvements: tuple[Row, ...]
    same: tuple[Row, ...]
    open: Mapping[Reason, tuple[Row, ...]]
    one_sided: tuple[Row, ...]
    shown: tuple[Row, ...]
    places: Places

    @property
    def open_rows(self) -> tuple[Row, ...]:
        """All undecided rows."""
        return tuple(row for rows in self.open.values() for row in rows)


def sections(comparison: Comparison) -> Sections:
    """Sort a comparison's rows into sections."""
    judged = [row for row in comparison.rows if row.judged]
    statistical = [row for row in judged if row.reason not in _EXACT]
    open_rows = [row for row in judged if row.verdict is Verdict.INCONCLUSIVE]
    return Sections(
        findings=findings(comparison.rows),
        changed_exactly=_with(judged, Reason.CHANGED),
        changed_within=_with(judged, Reason.CHANGED_WITHIN_MARGIN),
        equal=_with(judged, Reason.EQUAL),
        regressions=tuple(row for row in statistical if row.verdict is Verdict.REGRESSION),
        improvements=tuple(row for row in statistical if row.verdict is Verdict.IMPROVEMENT),
        same=tuple(row for row in statistical if row.verdict is Verdict.SAME),
        open={reason: rows for reason in _OPEN_ORDER if (rows := _with(open_rows, reason))},
        one_sided=tuple(row for row in _with(comparison.rows, Reason.NOT_MEASURED) if _is_one_sided(row)),
        shown=tuple(row for row in comparison.rows if row.reason in (Reason.NOT_JUDGED, Reason.UNKNOWN_DIRECTION)),
        places=Places.of(comparison.rows),
    )


def by_metric(rows: Iterable[Row]) -> dict[str, tuple[Row, ...]]:
    """Group rows by metric, in order of first appearance."""
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row.metric, []).append(row)
    return {metric: tuple(members) for metric, members in grouped.items()}


def lost(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Return the one-sided rows that the new side does not have."""
    return tuple(row for row in rows if row.new is None)


def gained(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Return the one-sided rows that only the new side has."""
    return tuple(row for row in rows if row.new is not None)


def origin(comparison: Comparison) -> str:
    """Return how it was measured: test plan, margin, blocks, machine, and what was discarded."""
    both = ", each with both releases" if comparison.paired else ", not paired"
    blocks = f"{count(comparison.blocks, 'block')}{both}"
    further = f" ({count(comparison.further, 'replacement block')} included)" if comparison.further else ""
    tainted = f" {left_out_text(comparison.tainted, comparison.taint_kinds)}." if comparison.tainted else ""
    common = comparison.old.python if comparison.old.python == comparison.new.python else None
    python = f"; Python {common}" if common else ""
    return (
        f"Test plan {comparison.preset}; changes in time up to {percent(comparison.margin)} are ignored; "
        f"{blocks}{further}; machine {comparison.machine.get('name', 'unknown')}{python}.{tainted}"
    )


_MOST_CELLS = 6


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """The failures of one side's operation that have the same reason, in one cell or in several.

    `example` is one of them, with the repeats of all; `cells` are their places. Where the failures of a cell
    differ in what they said, the reason that was seen most often stands for the cell, and `others` counts the rest.
    """

    example: Failure
    cells: tuple[str, ...]
    others: int


def failure_groups(failures: Iterable[Failure]) -> tuple[FailureGroup, ...]:
    """Group failures by cell, then cells by all but their places, in order of first appearance."""
    by_cell: dict[Failure, list[Failure]] = {}
    for failure in failures:
        by_cell.setdefault(replace(failure, reason="", count=0), []).append(failure)
    alike: dict[tuple[str, ...], list[list[Failure]]] = {}
    for members in by_cell.values():
        example = _most_often(members)
        key = (example.subject, example.operation, example.status, example.reason)
        alike.setdefault(key, []).append(members)
    return tuple(_failure_group(cells) for cells in alike.values())


def failure_text(group: FailureGroup) -> str:
    """Return one group of failures.

    Example: "v2.21.0, save on cpu mlp-s keras-export: ValueError: ... (4 measurements, and 1 other reason)".
    """
    failure = group.example
    cells = [cell for cell in group.cells[:_MOST_CELLS] if cell]
    more = f" and {len(group.cells) - _MOST_CELLS} more places" if len(group.cells) > _MOST_CELLS else ""
    where = f"{failure.operation} on {', '.join(cells)}{more}" if cells else failure.operation
    reason = failure.reason or failure.status
    others = f", and {count(group.others, 'other reason')}" if group.others else ""
    measurements = f"{count(failure.count, 'measurement')}{others}"
    return f"{failure.subject}, {where}: {reason.removeprefix(f'{failure.status}: ')} ({measurements})"


def blocks_to_ask_for(rows: Iterable[Row]) -> tuple[int, int] | None:
    """Return (blocks in all, rows they decide) for most inconclusive rows; None where blocks decide none.

    The smallest number that decides four in five of the rows that blocks can decide: the last few may need many times
    more, and each row says its own number. Rows without an undisturbed measurement are not counted: how many blocks
    they need is not known.
    """
    needed = sorted(
        row.blocks_needed for row in rows if row.blocks_needed is not None and row.reason is not Reason.ALL_TAINTED
    )
    if not needed:
        return None
    blocks = needed[math.ceil(0.8 * len(needed)) - 1]
    return blocks, sum(number <= blocks for number in needed)


def _with(rows: Iterable[Row], reason: Reason) -> tuple[Row, ...]:
    return tuple(row for row in rows if row.reason is reason)


def _is_one_sided(row: Row) -> bool:
    """Whether a row that was not measured is worth telling: one side has it, and it would be judged if both had."""
    metric = METRICS.get(row.metric)
    return (row.old is None) != (row.new is None) and (metric is None or metric.judged)


def _most_often(failures: Sequence[Failure]) -> Failure:
    return max(failures, key=lambda failure: failure.count)


def _failure_group(cells: Sequence[Sequence[Failure]]) -> FailureGroup:
    everything = [failure for members in cells for failure in members]
    return FailureGroup(
        replace(_most_often(everything), count=sum(failure.count for failure in everything)),
        tuple(_cell(members[0]) for members in cells),
        others=len({failure.reason for failure in everything}) - 1,
    )


def _cell(failure: Failure) -> str:
    return " ".join(part for part in (failure.device, failure.model, failure.variant) if part != "-")
