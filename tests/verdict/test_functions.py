"""The functions behind the verdicts, against their definitions and scipy's own tests."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from harness.errors import UsageError
from harness.metrics import Kind
from harness.verdict import hypotheses, intervals, power
from harness.verdict.margins import margin_table, require_known


def test_welch_agrees_with_scipy() -> None:
    old, new = np.array([1.0, 1.1, 0.9, 1.05]), np.array([1.4, 1.2, 1.5, 1.3, 1.1])
    estimate = intervals.unpaired(old, new)
    reference = stats.ttest_ind(np.log(new), np.log(old), equal_var=False)
    assert estimate.mean / estimate.error == pytest.approx(reference.statistic)
    assert estimate.freedom == pytest.approx(reference.df)
    assert estimate.interval() == pytest.approx(tuple(reference.confidence_interval()))
    assert hypotheses.beyond_margin(estimate, 0.0) == pytest.approx(reference.pvalue)


def test_paired_agrees_with_scipy() -> None:
    old, new = np.array([1.0, 1.1, 0.9, 1.05]), np.array([1.4, 1.2, 1.3, 1.1])
    estimate = intervals.paired(np.log(new) - np.log(old))
    reference = stats.ttest_rel(np.log(new), np.log(old))
    assert estimate.interval() == pytest.approx(tuple(reference.confidence_interval()))
    assert hypotheses.beyond_margin(estimate, 0.0) == pytest.approx(reference.pvalue)


def test_complete_separation_counts_the_orders() -> None:
    assert hypotheses.complete_separation((0, 0, 0, 0), (1, 2, 1, 1), paired=False) == pytest.approx(2 / 70)
    assert hypotheses.complete_separation((0, 0, 0, 0), (1, 2, 1, 1), paired=True) == pytest.approx(2 / 16)
    assert hypotheses.complete_separation((0, 1, 0, 0), (1, 2, 1, 1), paired=True) == 1.0
    assert hypotheses.blocks_to_separate(0.05, paired=True) == 6
    assert hypotheses.blocks_to_separate(0.05, paired=False) == 4


@pytest.mark.parametrize(
    ("spread", "true_change", "expected"),
    [(0.02, 0.05, 0.98), (0.02, 0.03, 0.28), (0.028, 0.05, 0.83), (0.028, 0.03, 0.16)],
)
def test_power_with_ten_blocks_and_two_percent_margin(spread: float, true_change: float, expected: float) -> None:
    found = power.power_beyond(math.log1p(true_change), spread / math.sqrt(10), 9, 0.02)
    assert found == pytest.approx(expected, abs=0.012)


def test_detectable_change_has_the_power_it_promises() -> None:
    for blocks in (4, 5, 10, 40):
        for level in (0.05, 0.002):
            error = 0.03 / math.sqrt(blocks)
            change = power.detectable_log_change(error, blocks - 1, 0.05, level)
            assert change is not None
            assert power.power_beyond(change, error, blocks - 1, 0.05, level) == pytest.approx(power.POWER, abs=1e-5)
    assert power.detectable_log_change(1.0, 2, 0.05, 0.001) is None


def test_detectable_effects_at_five_percent_spread_are_the_simulated_ones() -> None:
    found = [power.detectable_log_change(0.05 / math.sqrt(n), n - 1, 0.02) for n in (4, 5, 10)]
    assert [round(math.expm1(change), 2) for change in found if change] == pytest.approx([0.12, 0.10, 0.07], abs=0.015)


def test_blocks_to_settle_grow_with_noise_and_give_up_at_the_margin() -> None:
    quiet, loud = (power.blocks_to_settle(0.0, spread, 0.05, level=0.05) for spread in (0.03, 0.06))
    assert quiet is not None
    assert loud is not None
    assert quiet < loud
    assert power.blocks_to_settle(math.log(1.05), 0.03, 0.05, level=0.05) is None
    assert power.blocks_to_settle(0.0, 1e-12, 0.05, level=0.05, at_least=4) == 4
    settled = power.blocks_to_settle(math.log(1.12), 0.05, 0.05, level=0.01)
    assert settled is not None
    before, after = (
        power.power_beyond(math.log(1.12), 0.05 / n**0.5, n - 1, 0.05, 0.01) for n in (settled - 1, settled)
    )
    assert before < power.POWER <= after


def test_margins_by_kind_and_pattern() -> None:
    table = margin_table(0.05, {"load_*/cpu/*": 0.2, "load_cold_s/cpu/mlp-s/*": 0.3})
    variant = "tf-module/tf-load"
    assert table.margin(Kind.TIME, "save_first_s", "cpu", "mlp-s", "tf-module") == 0.05
    assert table.margin(Kind.TIME, "load_warm_s", "cpu", "mlp-s", variant) == 0.2
    assert table.margin(Kind.TIME, "load_cold_s", "cpu", "mlp-s", variant) == 0.3
    assert table.margin(Kind.TIME, "load_cold_s", "gpu", "mlp-s", variant) == 0.05
    assert table.margin(Kind.ALLOCATOR, "save_device_need_bytes", "gpu", "mlp-s", "tf-module") == 0.001
    for bad in (-0.1, 1.0, math.nan):
        with pytest.raises(UsageError, match=r"give a fraction"):
            margin_table(bad)


def test_what_a_user_asks_for_goes_before_the_presets_margins() -> None:
    table = margin_table(0.05, {"load_*": 0.2}, [("load_cold_s/cpu/*", 0.01), (None, 0.02)])
    assert table.margin(Kind.TIME, "load_cold_s", "cpu", "mlp-s", "-") == 0.01
    assert table.margin(Kind.TIME, "load_cold_s", "gpu", "mlp-s", "-") == 0.2
    assert table.margin(Kind.TIME, "save_first_s", "cpu", "mlp-s", "-") == 0.02
    # A pattern may end after any part.
    bare = margin_table(0.05, {"load_warm_s": 0.3, "save_*/cpu": 0.4})
    assert bare.margin(Kind.TIME, "load_warm_s", "cpu", "mlp-s", "tf-module/tf-load") == 0.3
    assert bare.margin(Kind.TIME, "save_first_s", "cpu", "mlp-s", "tf-module") == 0.4
    assert bare.margin(Kind.TIME, "save_first_s", "gpu", "mlp-s", "tf-module") == 0.05


def test_a_pattern_that_no_metric_matches_is_refused() -> None:
    require_known("load_*/cpu/*")
    with pytest.raises(UsageError, match="'lod_\\*'"):
        require_known("lod_*")


def test_a_plan_knows_that_more_rows_cost_power() -> None:
    alone, among_forty = (power.planned_detectable_ratio(0.04, 5, 0.10, rows) for rows in (1, 40))
    assert alone is not None
    assert among_forty is not None
    assert 1.10 < alone < among_forty
    assert power.planned_detectable_ratio(0.04, 1, 0.10) is None


@pytest.mark.parametrize("noncentrality", [41.64641861249616, 1e9])
def test_power_has_a_value_where_the_series_of_scipy_has_none(noncentrality: float) -> None:
    assert power.power_beyond(math.log(1.1) + noncentrality, 1.0, 7.3, 0.1) == pytest.approx(1.0, abs=1e-6)


def test_degrees_of_freedom_grow_with_blocks_as_the_method_says() -> None:
    values = np.array([1.0, 1.1, 0.9, 1.05, 1.2])
    pairs = intervals.paired(np.log(values[::-1] * 1.3) - np.log(values))
    assert pairs.freedom == pairs.freedom_per_block * (pairs.blocks - 1)
    alike = intervals.unpaired(values, values * 1.3)
    assert alike.freedom == pytest.approx(alike.freedom_per_block * (alike.blocks - 1))
    assert alike.freedom_per_block == pytest.approx(2.0)
    lopsided = intervals.unpaired(values, np.array([1.0, 1.0001, 1.0002, 1.0001, 1.0]))
    assert lopsided.freedom_per_block == pytest.approx(1.0, abs=0.01)
