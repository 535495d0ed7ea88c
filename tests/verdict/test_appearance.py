"""What was zero and is not: exact series that rose, fell, or only showed once."""

from __future__ import annotations

import pytest

from harness.verdict.appearance import find_appearances
from harness.verdict.course import Course


def course(values: list[float]) -> Course:
    return Course(("desk", "bytes"), "row", "bytes", tuple(range(len(values))), tuple(values), is_exact=True)


@pytest.mark.parametrize("values", [[0, 0, 0, 300_000, 0], [0, 5, 0], [0, 5, 5, 0, 0], [5, 0, 5, 0]])
def test_what_rose_and_fell_again_is_no_crash(values: list[float]) -> None:
    assert all(change.before != change.after for change in find_appearances([course(values)]))


def test_what_rose_once_for_one_value_is_no_change() -> None:
    assert find_appearances([course([0, 0, 0, 300_000, 0])]) == ()


@pytest.mark.parametrize(("values", "before", "after"), [([0, 0, 7, 7], 0.0, 7.0), ([7, 7, 0, 0], 7.0, 0.0)])
def test_what_stays_is_one(values: list[float], before: float, after: float) -> None:
    (change,) = find_appearances([course(values)])
    assert (change.before, change.after, change.since) == (before, after, 2)
