"""Whether one side does more work than the other: counts of Python calls, held against each other by their ranges.

Counts have next to no noise, so a few processes a side show all that there is: where the ranges of both sides lie apart
by more than the margin, the work differs. It is work that differs then, not time, of which a count cannot tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

CALL_S = 0.6e-6
"""Seconds that a Python call of TensorFlow is worth, with what the interpreter does in it: measured 0.4 to 1.0 us in
imports, saves and loads of 2.21.0 (docs/methodology.md, "Work")."""

LEAST_SHARE = 0.01
"""Fewer calls than are worth this share of a row's time concern nobody."""


class Difference(StrEnum):
    """How the work of the new side differs from the old one's."""

    MORE = "more"
    LESS = "less"
    SAME = "same"
    OPEN = "open"  # the ranges allow several of these


def least_calls(time_s: float | None) -> float:
    """Return how many calls a change must have to count in a row that takes so many seconds; 0 where no time is known.

    Args:
        time_s: the row's time on the old side.
    """
    return 0.0 if time_s is None else LEAST_SHARE * time_s / CALL_S


def difference(old: Sequence[int], new: Sequence[int], margin: float, least: float = 0.0) -> Difference:
    """Return how the counts of two sides differ.

    Args:
        old: the counts of the old side, one a process.
        new: those of the new side.
        margin: a change up to this fraction does not count.
        least: a change by fewer calls than these does not count.

    Returns:
        MORE or LESS where each count of one side exceeds each of the other by more than the margin and by `least`;
        SAME where none does; OPEN between the two, or where a side has no positive counts.
    """
    if not old or not new or min(old) <= 0 or min(new) <= 0:
        return Difference.OPEN
    changes = {
        _change(before, after, margin, least) for before in (min(old), max(old)) for after in (min(new), max(new))
    }
    return changes.pop() if len(changes) == 1 else Difference.OPEN


def _change(old: int, new: int, margin: float, least: float) -> Difference:
    if abs(new - old) < least or max(old, new) <= (1 + margin) * min(old, new):
        return Difference.SAME
    return Difference.MORE if new > old else Difference.LESS
