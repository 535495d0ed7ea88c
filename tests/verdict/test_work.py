"""Counts of two sides, held against each other by their ranges."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.verdict.work import Difference, difference, least_calls


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ((1000, 1000), (1021, 1021), Difference.MORE),
        ((1000, 1000), (1019, 1019), Difference.SAME),
        ((1021, 1021), (1000, 1000), Difference.LESS),
        ((1000, 1000), (1000, 1000), Difference.SAME),
        ((990, 1000, 1005), (1040, 1050, 1060), Difference.MORE),
        ((990, 1000, 1005), (1015, 1020, 1060), Difference.OPEN),  # between the margin's two sides
        ((990, 1000, 1030), (960, 1000, 1100), Difference.OPEN),
        ((0, 0), (10, 10), Difference.OPEN),
        ((), (10,), Difference.OPEN),
    ],
)
def test_ranges_that_lie_apart_by_more_than_the_margin_differ(
    old: Sequence[int], new: Sequence[int], found: Difference
) -> None:
    assert difference(old, new, 0.02) is found
    mirrored = {Difference.MORE: Difference.LESS, Difference.LESS: Difference.MORE}
    assert difference(new, old, 0.02) is mirrored.get(found, found)


def test_calls_that_are_worth_less_than_a_hundredth_of_the_time_do_not_count() -> None:
    # 100 calls of a microsecond are a thousandth of 100 ms.
    assert difference([500], [600], 0.02, least_calls(0.1)) is Difference.SAME
    assert difference([500], [600], 0.02, least_calls(0.005)) is Difference.MORE
    assert difference([500], [600], 0.02, least_calls(None)) is Difference.MORE
