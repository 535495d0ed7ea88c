"""Whether a finding of a history holds when both its sides are measured again, side by side.

A course's values were measured on many days: whatever else changed between two of them (the kernel, a neighbour, the
room's temperature) looks like a change of what was measured. Blocks that hold both sides share all that. The paired
run is judged by itself, all its rows together (`harness.verdict.judge`), so at most 5 % of what it calls is false; a
finding is confirmed by its own rows only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from harness.verdict.rows import Row, Verdict

RowKey = tuple[str, str, str, str]
"""Metric, device, model, variant."""


class Standing(StrEnum):
    """What is known of a finding."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    UNDECIDED = "undecided"
    UNCONFIRMED = "unconfirmed"  # not measured again yet


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A finding's standing, and its rows as the paired run judged them."""

    standing: Standing
    rows: tuple[Row, ...]


def confirm(keys: Collection[RowKey], rising: bool, rows: Iterable[Row]) -> Confirmation:
    """Hold a finding against a paired run of its two sides.

    Args:
        keys: the finding's rows.
        rising: whether its values rose, which is worse for every metric.
        rows: the judged run.

    Returns:
        Confirmed where any row of the finding was called in its direction; refuted where each was called the same or
        the other way; undecided otherwise, and where the run judged none of its rows.
    """
    concerned = tuple(row for row in rows if row.judged and row.key in keys)
    wanted = Verdict.REGRESSION if rising else Verdict.IMPROVEMENT
    verdicts = {row.verdict for row in concerned}
    if wanted in verdicts:
        standing = Standing.CONFIRMED
    elif verdicts and Verdict.INCONCLUSIVE not in verdicts:
        standing = Standing.REFUTED
    else:
        standing = Standing.UNDECIDED
    return Confirmation(standing, concerned)
