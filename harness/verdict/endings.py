"""Courses that have no value any more: what began to fail, and what is no longer measured.

Neither is a matter of statistics, but of what is usual: a course that fails now and then has not begun to fail, and one
that is measured at every tenth place has not been given up after nine.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

FEWEST_MISSED = 3
"""Places at the end of an axis without a value, before a course counts as no longer measured."""


class End(StrEnum):
    """How a course ended."""

    FAILING = "failing"
    NOT_MEASURED = "not-measured"


@dataclass(frozen=True, slots=True)
class Ending:
    """A course without a present value.

    `last` is the place of its last value, `behind` how many places its axis has after that; `since` is the place of the
    first failure after it, None where it does not fail.
    """

    group: tuple[str, ...]
    row: str
    end: End
    last: int
    behind: int
    since: int | None = None


def ending(group: tuple[str, ...], row: str, good: Sequence[int], failed: Sequence[int], newest: int) -> Ending | None:
    """Return how a course ended; None where it has a present value, never had one, or nothing unusual happened.

    Args:
        group, row: as of a course.
        good, failed: places with a value, and with a failure; rising.
        newest: the last place of the axis.
    """
    if not good:
        return None
    last, behind = good[-1], newest - good[-1]
    failures = [place for place in failed if place > last]
    if failures:
        usual = _longest_run(good, [place for place in failed if place < last])
        return Ending(group, row, End.FAILING, last, behind, failures[0]) if len(failures) > usual else None
    gaps = [after - before - 1 for before, after in itertools.pairwise(good)]
    if behind < max(FEWEST_MISSED, 2 * max(gaps, default=0) + 1):
        return None
    return Ending(group, row, End.NOT_MEASURED, last, behind)


def _longest_run(good: Sequence[int], failed: Sequence[int]) -> int:
    """Return the most failures in a row, without a value between them."""
    longest = run = 0
    for _, fails in sorted([*((place, False) for place in good), *((place, True) for place in failed)]):
        run = run + 1 if fails else 0
        longest = max(longest, run)
    return longest
