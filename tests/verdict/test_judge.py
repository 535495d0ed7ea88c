"""Verdicts by example: each question of `judge` in turn."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from harness.metrics import Kind
from harness.verdict import exact
from harness.verdict.judge import judge
from harness.verdict.rows import Method, Reason, Row, RowInput, Verdict


def row_input(
    old: Sequence[float],
    new: Sequence[float],
    *,
    kind: Kind = Kind.TIME,
    margin: float = 0.10,
    judged: bool = True,
    paired: bool = True,
    least_change: float = 0.0,
    metric: str = "load_warm_s",
) -> RowInput:
    return RowInput(
        metric=metric,
        unit="bytes" if least_change else "seconds",
        kind=kind,
        device="cpu",
        model="mlp-s",
        variant="tf-module/tf-load",
        judged=judged,
        margin=margin,
        old=tuple(enumerate(old)),
        new=tuple(enumerate(new)),
        paired=paired,
        least_change=least_change,
    )


def judge_one(row: RowInput) -> Row:
    (judged,) = judge([row])
    return judged


STEADY = (1.00, 1.01, 0.99, 1.00, 1.02)


def scaled(factor: float, noise: Sequence[float] = (1.004, 0.997, 1.0, 1.002, 0.998)) -> tuple[float, ...]:
    return tuple(value * factor * jitter for value, jitter in zip(STEADY, noise, strict=True))


@pytest.mark.parametrize(
    ("factor", "verdict", "reason"),
    [
        (1.30, Verdict.REGRESSION, Reason.BEYOND_MARGIN),
        (0.70, Verdict.IMPROVEMENT, Reason.BEYOND_MARGIN),
        (1.00, Verdict.SAME, Reason.WITHIN_MARGIN),
        (1.05, Verdict.SAME, Reason.WITHIN_MARGIN),
        (1.10, Verdict.INCONCLUSIVE, Reason.NEAR_MARGIN),
        (1 / 1.10, Verdict.INCONCLUSIVE, Reason.NEAR_MARGIN),
    ],
)
def test_a_quiet_timed_row(factor: float, verdict: Verdict, reason: Reason) -> None:
    row = judge_one(row_input(STEADY, scaled(factor)))
    assert (row.verdict, row.reason, row.method) == (verdict, reason, Method.PAIRED_T)
    assert row.low is not None
    assert row.ratio is not None
    assert row.high is not None
    assert row.low < row.ratio < row.high
    assert row.ratio == pytest.approx(factor, rel=0.005)
    assert row.new is not None
    assert row.old is not None
    assert row.new / row.old == pytest.approx(row.ratio)
    assert row.detectable_ratio is not None
    assert 1.10 < row.detectable_ratio < 1.13
    assert row.blocks == 5


def test_a_noisy_timed_row_says_what_it_would_have_shown_and_what_settles_it() -> None:
    row = judge_one(row_input(STEADY, scaled(1.02, (1.2, 0.85, 1.1, 0.9, 1.0))))
    assert (row.verdict, row.reason) == (Verdict.INCONCLUSIVE, Reason.TOO_NOISY)
    assert row.detectable_ratio is not None
    assert row.detectable_ratio > 1.3
    assert row.blocks_needed is not None
    assert 6 <= row.blocks_needed <= 40


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_under_four_blocks_decide_no_timed_row(blocks: int) -> None:
    row = judge_one(row_input(STEADY[:blocks], scaled(2.0)[:blocks]))
    assert (row.verdict, row.reason, row.q) == (Verdict.INCONCLUSIVE, Reason.TOO_FEW_BLOCKS, None)
    assert row.judged
    assert row.ratio == pytest.approx(2.0, rel=0.01)
    assert row.blocks_needed is not None
    assert row.blocks_needed >= 4


def test_a_finding_that_only_holds_alone_is_inconclusive_among_many() -> None:
    weak = row_input(STEADY, scaled(1.25, (1.10, 0.93, 1.05, 0.95, 1.0)))
    assert judge_one(weak).verdict is Verdict.REGRESSION
    calm = [row_input(STEADY, scaled(1.0)) for _ in range(30)]
    among_many = judge([weak, *calm])[0]
    assert (among_many.verdict, among_many.reason) == (Verdict.INCONCLUSIVE, Reason.MULTIPLICITY)
    assert among_many.p is not None
    assert among_many.q is not None
    assert among_many.p <= 0.05 < among_many.q


def test_rows_that_are_shown_only_get_an_interval_and_stay_out_of_the_family() -> None:
    weak = row_input(STEADY, scaled(1.25, (1.10, 0.93, 1.05, 0.95, 1.0)))
    shown = [row_input(STEADY, scaled(3.0), judged=False) for _ in range(30)]
    rows = judge([weak, *shown])
    assert rows[0].verdict is Verdict.REGRESSION
    assert rows[0].q == rows[0].p
    assert {(row.verdict, row.reason, row.q) for row in rows[1:]} == {(Verdict.INCONCLUSIVE, Reason.NOT_JUDGED, None)}
    assert all(row.low is not None for row in rows[1:])


def test_exact_changes_do_not_loosen_the_bar_for_noisy_rows() -> None:
    weak = row_input(STEADY, scaled(1.25, (1.10, 0.93, 1.05, 0.95, 1.0)))
    calm = [row_input(STEADY, scaled(1.0)) for _ in range(30)]
    sure = [row_input((100.0, 100.0), (200.0, 200.0), kind=Kind.EXACT) for _ in range(100)]
    assert judge([weak, *calm, *sure])[0].q == judge([weak, *calm])[0].q


@pytest.mark.parametrize(
    ("old", "new", "least_change", "verdict", "reason"),
    [
        (1e6, 1e6, 1024.0, Verdict.SAME, Reason.EQUAL),
        (1e6, 1e6 + 1023, 1024.0, Verdict.SAME, Reason.CHANGED_WITHIN_MARGIN),
        (1e6, 1e6 + 1024, 1024.0, Verdict.REGRESSION, Reason.CHANGED),
        (1e6, 1e6 - 1024, 1024.0, Verdict.IMPROVEMENT, Reason.CHANGED),
        (1e7, 1e7 + 9_999, 1024.0, Verdict.SAME, Reason.CHANGED_WITHIN_MARGIN),
        (1e7, 1e7 + 10_000, 1024.0, Verdict.REGRESSION, Reason.CHANGED),
        (412, 413, 0.0, Verdict.REGRESSION, Reason.CHANGED),
        (5000, 5004, 0.0, Verdict.SAME, Reason.CHANGED_WITHIN_MARGIN),
        (0, 0, 0.0, Verdict.SAME, Reason.EQUAL),
        (0, 3, 0.0, Verdict.REGRESSION, Reason.CHANGED),
        (3, 0, 0.0, Verdict.IMPROVEMENT, Reason.CHANGED),
        (0, 500, 1024.0, Verdict.SAME, Reason.CHANGED_WITHIN_MARGIN),
    ],
)
@pytest.mark.parametrize("kind", [Kind.EXACT, Kind.ALLOCATOR, Kind.HOST_MEMORY])
def test_what_never_varies_is_compared_exactly(
    old: float, new: float, least_change: float, verdict: Verdict, reason: Reason, kind: Kind
) -> None:
    row = judge_one(row_input((old, old), (new, new), kind=kind, margin=0.0, least_change=least_change))
    assert (row.verdict, row.reason, row.method) == (verdict, reason, Method.EXACT)
    assert (row.old, row.new) == (old, new)
    assert row.ratio == (None if old == 0 else new / old)
    assert (row.p, row.q, row.low, row.high) == (None, None, None, None)


def test_one_block_does_not_verify_determinism() -> None:
    row = judge_one(row_input((100.0,), (200.0,), kind=Kind.EXACT))
    assert (row.verdict, row.reason, row.blocks_needed) == (Verdict.INCONCLUSIVE, Reason.TOO_FEW_BLOCKS, 2)


def test_an_exact_quantity_that_varies_is_judged_by_statistics_within_the_exact_tolerance() -> None:
    old, new = (100_000.0, 100_001.0, 100_000.0, 100_002.0), (100_003.0, 100_001.0, 100_000.0, 100_001.0)
    row = judge_one(row_input(old, new, kind=Kind.EXACT, margin=0.0))
    assert (row.verdict, row.reason, row.method) == (Verdict.SAME, Reason.WITHIN_MARGIN, Method.PAIRED_T)
    assert row.margin == exact.TOLERANCE


def test_small_byte_counts_that_vary_are_not_judged_finer_than_a_kibibyte() -> None:
    old, new = (5000.0, 5001.0, 5000.0, 5003.0, 5000.0), (5500.0, 5501.0, 5502.0, 5500.0, 5499.0)
    assert (
        judge_one(row_input(old, new, kind=Kind.ALLOCATOR, margin=0.001, least_change=1024.0)).verdict is Verdict.SAME
    )
    assert judge_one(row_input(old, new, kind=Kind.ALLOCATOR, margin=0.001)).verdict is Verdict.REGRESSION


@pytest.mark.parametrize(
    ("change", "verdict"), [(-3.9, "same"), (3.9, "same"), (-4.5, "improvement"), (7.0, "regression")]
)
def test_what_is_of_no_interest_is_so_in_both_directions(change: float, verdict: str) -> None:
    old = tuple(15.0 + noise for noise in (0.0, 0.03, -0.02, 0.01, -0.04, 0.02))
    new = tuple(value + change for value in old[::-1])
    row = judge_one(row_input(old, new, kind=Kind.HOST_MEMORY, margin=0.01, least_change=4.0))
    assert row.verdict.value == verdict


def test_values_that_agree_block_by_block_are_equal_though_they_vary() -> None:
    values = (100.0, 110.0, 100.0, 120.0)
    row = judge_one(row_input(values, values, kind=Kind.ALLOCATOR))
    assert (row.verdict, row.reason) == (Verdict.SAME, Reason.EQUAL)


def test_readings_of_a_stuck_clock_are_not_believed() -> None:
    row = judge_one(row_input((1.0,) * 5, (2.0,) * 5))
    assert (row.verdict, row.reason) == (Verdict.INCONCLUSIVE, Reason.ZERO_VARIANCE)


@pytest.mark.parametrize("bad", [0.0, -1.0])
def test_a_time_that_is_not_positive_is_a_fault(bad: float) -> None:
    row = judge_one(row_input(STEADY, (*STEADY[:4], bad)))
    assert (row.verdict, row.reason) == (Verdict.INCONCLUSIVE, Reason.NON_POSITIVE)


def test_a_count_that_appears_in_every_block_is_a_regression_though_it_varies() -> None:
    appeared = judge_one(row_input((0.0,) * 6, (1.0, 2.0, 1.0, 3.0, 1.0, 1.0), kind=Kind.EXACT))
    assert (appeared.verdict, appeared.reason) == (Verdict.REGRESSION, Reason.APPEARED)
    assert appeared.ratio is None
    vanished = judge_one(row_input((1.0, 2.0, 1.0, 3.0, 1.0, 1.0), (0.0,) * 6, kind=Kind.EXACT))
    assert (vanished.verdict, vanished.reason) == (Verdict.IMPROVEMENT, Reason.VANISHED)
    now_and_then = judge_one(row_input((0.0,) * 5, (0.0, 2.0, 0.0, 0.0, 1.0), kind=Kind.EXACT))
    assert (now_and_then.verdict, now_and_then.reason) == (Verdict.INCONCLUSIVE, Reason.NON_POSITIVE)
    # Five paired blocks can be dealt in 32 ways, of which two separate the sides: too few to call.
    five = judge_one(row_input((0.0,) * 5, (1.0, 2.0, 1.0, 3.0, 1.0), kind=Kind.EXACT))
    assert (five.verdict, five.blocks_needed) == (Verdict.INCONCLUSIVE, 6)


def test_bytes_that_differ_by_one_factor_in_every_block_are_no_stuck_clock() -> None:
    row = judge_one(row_input((100.0, 110.0, 120.0), (200.0, 220.0, 240.0), kind=Kind.HOST_MEMORY, margin=0.01))
    assert (row.verdict, row.reason) == (Verdict.REGRESSION, Reason.CHANGED)
    clock = judge_one(row_input((100.0, 110.0, 120.0), (200.0, 220.0, 240.0)))
    assert (clock.verdict, clock.reason) == (Verdict.INCONCLUSIVE, Reason.ZERO_VARIANCE)


def test_an_exact_quantity_has_a_margin_where_one_was_asked_for() -> None:
    row = judge_one(row_input((1e6, 1e6), (1.02e6, 1.02e6), kind=Kind.EXACT, margin=0.05))
    assert (row.verdict, row.reason) == (Verdict.SAME, Reason.CHANGED_WITHIN_MARGIN)


def test_a_missing_side_is_not_judged() -> None:
    for old, new in ((STEADY, ()), ((), STEADY), ((), ()), (STEADY, (math.nan, math.inf))):
        row = judge_one(row_input(old, new))
        assert (row.verdict, row.reason, row.judged) == (Verdict.INCONCLUSIVE, Reason.NOT_MEASURED, False)
        assert (row.old is None) == (not old)


def test_samples_that_are_no_numbers_count_as_absent() -> None:
    row = judge_one(row_input((*STEADY, math.nan), (*scaled(1.0), 1.0)))
    assert (row.verdict, row.blocks) == (Verdict.SAME, 5)


def test_paired_rows_use_common_blocks_only() -> None:
    apart = row_input(STEADY, scaled(1.3))
    shifted = tuple((block + 10, value) for block, value in apart.new)
    row = judge_one(RowInput(**{**_fields(apart), "new": shifted}))
    assert (row.verdict, row.reason) == (Verdict.INCONCLUSIVE, Reason.NO_COMMON_BLOCKS)
    unpaired = judge_one(RowInput(**{**_fields(apart), "new": shifted, "paired": False}))
    assert (unpaired.verdict, unpaired.method) == (Verdict.REGRESSION, Method.WELCH_T)


def _fields(row: RowInput) -> dict[str, object]:
    return {name: getattr(row, name) for name in RowInput.__slots__}


def test_no_rows_no_verdicts() -> None:
    assert judge([]) == ()


def test_the_change_that_would_have_been_seen_counts_the_rows_it_had_to_stand_out_from() -> None:
    rows = [row_input(STEADY, scaled(1.0)) for _ in range(30)]
    alone, among_many = judge(rows[:1])[0].detectable_ratio, judge(rows)[0].detectable_ratio
    assert alone is not None
    assert among_many is not None
    assert among_many > alone
    one_found = judge([*rows, row_input(STEADY, scaled(2.0))])[0].detectable_ratio
    assert one_found is not None
    assert one_found < among_many  # Benjamini-Hochberg asks less of the second call than of the first


def test_blocks_needed_are_not_planned_from_an_estimate_that_may_be_noise() -> None:
    noise = (1.2, 0.85, 1.1, 0.9, 1.0)
    needed = {judge_one(row_input(STEADY, scaled(factor, noise))).blocks_needed for factor in (0.97, 1.0, 1.03, 1.08)}
    assert len(needed) == 1
    assert None not in needed
