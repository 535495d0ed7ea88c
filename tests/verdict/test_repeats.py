"""How a block's time is divided between its operations."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.verdict.power import blocks_to_settle
from harness.verdict.repeats import FEWEST, MOST, Repeated, RowNoise, allotted, settling_spread

TARGET = settling_spread(6, 0.10)


def operation(within: float, planned: int = 8, seconds: float = 1.0, between: float = 0.0) -> Repeated:
    return Repeated(planned, seconds, [RowNoise(within, between, planned, 0.0, TARGET)])


def test_time_goes_from_what_is_settled_to_what_is_not() -> None:
    chosen = allotted({"noisy": operation(0.5), "quiet": operation(0.01)})
    assert chosen == {"noisy": 12, "quiet": 4}


def test_what_blocks_differ_by_gets_no_repeats() -> None:
    chosen = allotted({"pairs": operation(0.5), "blocks": operation(0.01, between=0.5)})
    assert chosen == {"pairs": 12, "blocks": 4}


def test_of_two_that_are_as_noisy_the_cheaper_gets_the_time() -> None:
    chosen = allotted({"dear": operation(0.5, seconds=4.0), "cheap": operation(0.5), "quiet": operation(0.01)})
    assert chosen["cheap"] > chosen["dear"]


operations = st.dictionaries(
    st.integers(0, 5),
    st.builds(
        operation,
        st.floats(1e-4, 1.0),
        st.integers(1, 12),
        st.floats(1e-3, 60.0),
        st.floats(0.0, 0.5),
    ),
    max_size=6,
)


@given(operations)
def test_a_block_takes_no_more_time_than_planned_unless_half_of_a_plan_is_no_whole_number(
    asked: dict[int, Repeated],
) -> None:
    chosen = allotted(asked)
    assert chosen.keys() == asked.keys()
    for key, each in asked.items():
        assert math.ceil(FEWEST * each.planned) <= chosen[key] <= MOST * each.planned
    spent = sum(chosen[key] * each.seconds for key, each in asked.items())
    assert spent <= sum(each.planned * each.seconds for each in asked.values()) * (1 + 1e-6)


@pytest.mark.parametrize(("blocks", "margin"), [(6, 0.10), (10, 0.05), (20, 0.02)])
def test_the_settling_spread_is_what_the_forecast_of_blocks_says(blocks: int, margin: float) -> None:
    spread = settling_spread(blocks, margin)
    needed = blocks_to_settle(0.0, spread, margin, level=0.05)
    assert needed is not None
    assert needed <= blocks
    more = blocks_to_settle(0.0, 2 * spread, margin, level=0.05)
    assert more is None or more > blocks
