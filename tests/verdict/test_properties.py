"""What must hold for any samples whatever."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics import Kind
from harness.verdict import hypotheses, power
from harness.verdict.judge import judge
from harness.verdict.rows import Method, Reason, Row, RowInput, Verdict

any_number = st.floats() | st.sampled_from([0.0, 1.0, 1024.0, math.nan, math.inf, -1.0, 1e-310, 1e308])
usual_number = st.floats(1e-6, 1e6)


def any_side(numbers: st.SearchStrategy[float]) -> st.SearchStrategy[tuple[tuple[int, float], ...]]:
    return st.dictionaries(st.integers(0, 8), numbers, max_size=8).map(lambda side: tuple(side.items()))


def row_inputs(numbers: st.SearchStrategy[float]) -> st.SearchStrategy[RowInput]:
    return st.builds(
        RowInput,
        metric=st.just("m"),
        unit=st.just("seconds"),
        kind=st.sampled_from(Kind),
        device=st.just("cpu"),
        model=st.just("mlp-s"),
        variant=st.just("-"),
        judged=st.booleans(),
        margin=st.sampled_from([0.0, 0.001, 0.1, 0.5]),
        old=any_side(numbers),
        new=any_side(numbers),
        tainted=st.integers(0, 3),
        paired=st.booleans(),
        least_change=st.sampled_from([0.0, 1024.0]),
    )


def numbers_of(row: Row) -> list[float]:
    fields = (row.old, row.new, row.ratio, row.low, row.high, row.p, row.q, row.detectable_ratio, row.spread)
    return [field for field in fields if field is not None]


CALLED = {Verdict.REGRESSION: {Reason.BEYOND_MARGIN, Reason.CHANGED, Reason.APPEARED}}
CALLED[Verdict.IMPROVEMENT] = CALLED[Verdict.REGRESSION] - {Reason.APPEARED} | {Reason.VANISHED}
CALLED[Verdict.SAME] = {Reason.WITHIN_MARGIN, Reason.EQUAL, Reason.CHANGED_WITHIN_MARGIN}
CALLED[Verdict.INCONCLUSIVE] = set(Reason) - set().union(*CALLED.values())


@settings(max_examples=150, deadline=None)
@given(st.lists(row_inputs(any_number), max_size=5))
def test_any_samples_get_a_verdict_with_a_fitting_reason(inputs: Sequence[RowInput]) -> None:
    rows = judge(inputs)
    assert len(rows) == len(inputs)
    for given_row, row in zip(inputs, rows, strict=True):
        assert row.key == (given_row.metric, given_row.device, given_row.model, given_row.variant)
        assert row.reason in CALLED[row.verdict]
        assert not any(math.isnan(number) for number in numbers_of(row))
        assert row.judged == (given_row.judged and row.reason is not Reason.NOT_MEASURED)
        assert row.judged or row.verdict is Verdict.INCONCLUSIVE
        assert row.q is None or (row.p is not None and row.p <= row.q * (1 + 1e-12))


MIRROR = {Verdict.REGRESSION: Verdict.IMPROVEMENT, Verdict.IMPROVEMENT: Verdict.REGRESSION}


@settings(max_examples=150, deadline=None)
@given(row_inputs(usual_number))
def test_swapping_the_sides_mirrors_a_statistical_verdict(row: RowInput) -> None:
    row = dataclasses.replace(row, kind=Kind.TIME)
    swapped = dataclasses.replace(row, old=row.new, new=row.old)
    (forth,), (back,) = judge([row]), judge([swapped])
    assert back.verdict is MIRROR.get(forth.verdict, forth.verdict)
    assert back.reason is forth.reason
    if forth.ratio is not None and back.ratio is not None:
        assert forth.ratio * back.ratio == pytest.approx(1)


@settings(max_examples=60, deadline=None)
@given(row_inputs(usual_number), st.sampled_from([2.0**-10, 2.0**10]))
def test_the_unit_does_not_matter_for_times(row: RowInput, factor: float) -> None:
    row = dataclasses.replace(row, kind=Kind.TIME)
    scaled = dataclasses.replace(
        row,
        old=tuple((block, value * factor) for block, value in row.old),
        new=tuple((block, value * factor) for block, value in row.new),
    )
    (plain,), (other,) = judge([row]), judge([scaled])
    assert other.ratio == (None if plain.ratio is None else pytest.approx(plain.ratio))
    assert (other.low is None) == (plain.low is None)
    assert other.p == (None if plain.p is None else pytest.approx(plain.p, rel=1e-3, abs=1e-9))


@settings(max_examples=60, deadline=None)
@given(st.lists(row_inputs(usual_number), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(inputs: list[RowInput], random: object) -> None:
    order = list(range(len(inputs)))
    random.shuffle(order)  # type: ignore[attr-defined]
    plain, shuffled = judge(inputs), judge([inputs[place] for place in order])
    assert [shuffled[order.index(place)] for place in range(len(inputs))] == list(plain)


@settings(max_examples=60, deadline=None)
@given(st.lists(row_inputs(usual_number), min_size=1, max_size=6))
def test_a_wider_margin_never_makes_a_change_of_time_more_significant(inputs: list[RowInput]) -> None:
    timed = [dataclasses.replace(row, kind=Kind.TIME) for row in inputs]
    narrow = judge([dataclasses.replace(row, margin=0.02) for row in timed])
    wide = judge([dataclasses.replace(row, margin=0.2) for row in timed])
    for before, after in zip(narrow, wide, strict=True):
        assert before.p is None or (after.p is not None and after.p >= before.p)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_adjusted_p_values_are_those_of_the_definition(p_values: list[float]) -> None:
    adjusted = hypotheses.false_discovery_q(p_values)
    total = len(p_values)
    for p, q in zip(p_values, adjusted, strict=True):
        # q_(i) = min over j >= i of p_(j) m / j: Benjamini and Hochberg (1995), written out.
        steps = [other * total / sum(value <= other for value in p_values) for other in p_values if other >= p]
        assert q == pytest.approx(min(1.0, *steps))


@given(st.floats(0.001, 0.3), st.integers(3, 60), st.sampled_from([0.0, 0.02, 0.1]))
def test_more_blocks_detect_smaller_changes(spread: float, blocks: int, margin: float) -> None:
    few = power.detectable_log_change(spread / math.sqrt(blocks), blocks - 1, margin)
    more = power.detectable_log_change(spread / math.sqrt(blocks + 1), blocks, margin)
    assert few is None or (more is not None and math.log1p(margin) < more < few)


@settings(max_examples=60, deadline=None)
@given(row_inputs(usual_number))
def test_calls_of_times_rest_on_an_interval_clear_of_the_margin(row: RowInput) -> None:
    (judged,) = judge([dataclasses.replace(row, kind=Kind.TIME)])
    if judged.verdict is Verdict.REGRESSION:
        assert judged.method in (Method.PAIRED_T, Method.WELCH_T)
        assert judged.low is not None
        assert judged.low > 1 + judged.margin
    if judged.verdict is Verdict.IMPROVEMENT:
        assert judged.high is not None
        assert judged.high < 1 / (1 + judged.margin)
