"""Verdicts on simulated runs whose truth is known. Seeds are fixed; bounds are three standard errors wide."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from harness.metrics import Kind
from harness.verdict import hypotheses, intervals, power
from harness.verdict.judge import judge
from harness.verdict.rows import Row, RowInput, Verdict

Samples = NDArray[np.float64]


def row_input(old: Samples, new: Samples, margin: float, paired: bool = True) -> RowInput:
    sides = (tuple(enumerate(old.tolist())), tuple(enumerate(new.tolist())))
    return RowInput("m", "seconds", Kind.TIME, "cpu", "mlp-s", "-", True, margin, *sides, paired=paired)


def samples(
    random: np.random.Generator, blocks: int, change: float, difference_spread: float, block_spread: float = 0.10
) -> tuple[Samples, Samples]:
    """One row: blocks differ by `block_spread`, sides within a block by `difference_spread` in all."""
    block = random.normal(0, block_spread, blocks)
    a_side = difference_spread / math.sqrt(2)
    old = np.exp(block + random.normal(0, a_side, blocks))
    new = (1 + change) * np.exp(block + random.normal(0, a_side, blocks))
    return old, new


def differences(old: Samples, new: Samples) -> Samples:
    """Blocks' log ratios."""
    return np.log(new) - np.log(old)


def share(hits: list[bool]) -> float:
    return sum(hits) / len(hits)


def at_most(nominal: float, trials: int) -> float:
    return nominal + 3 * math.sqrt(nominal * (1 - nominal) / trials)


def is_called(row: Row) -> bool:
    return row.verdict in (Verdict.REGRESSION, Verdict.IMPROVEMENT)


def test_runs_without_a_change_hardly_ever_find_one() -> None:
    """Margin 0 is the hardest case: a share of at most 5 % of runs may hold any call at all (BH under the null)."""
    random, runs = np.random.default_rng(11), 120
    alarms = []
    for _ in range(runs):
        rows = [row_input(*samples(random, 5, 0.0, 0.04), margin=0.0) for _ in range(12)]
        alarms.append(any(map(is_called, judge(rows))))
    assert share(alarms) <= at_most(0.05, runs)


def test_with_a_margin_false_calls_vanish() -> None:
    random = np.random.default_rng(12)
    rows = [row_input(*samples(random, 5, 0.0, 0.04), margin=0.10) for _ in range(400)]
    assert sum(map(is_called, judge(rows))) == 0


def test_at_most_five_percent_of_calls_are_false_where_some_rows_changed() -> None:
    """Half of the rows sit exactly at the margin, so that a call there is false, the others well beyond it."""
    random, runs = np.random.default_rng(13), 60
    false_shares, found = [], []
    for _ in range(runs):
        still = [row_input(*samples(random, 8, 0.05, 0.02), margin=0.05) for _ in range(8)]
        moved = [row_input(*samples(random, 8, 0.15, 0.02), margin=0.05) for _ in range(8)]
        calls = [is_called(row) for row in judge([*still, *moved])]
        false_shares.append(sum(calls[:8]) / max(1, sum(calls)))
        found.append(share(calls[8:]))
    assert np.mean(false_shares) <= 0.05
    assert np.mean(found) >= 0.95


def test_power_at_five_percent_with_two_percent_spread_ten_blocks_and_margin_two_percent() -> None:
    random, trials = np.random.default_rng(14), 1500
    called = []
    for _ in range(trials):
        estimate = intervals.paired(differences(*samples(random, 10, 0.05, 0.02)))
        called.append(hypotheses.beyond_margin(estimate, 0.02) <= 0.05 and estimate.mean > 0)
    assert share(called) >= 0.95
    assert abs(share(called) - 0.98) < 0.015  # what the noncentral t says


def test_a_change_at_the_margin_is_rarely_called_the_same_or_a_regression() -> None:
    random, trials = np.random.default_rng(15), 1500
    same, regression = [], []
    for _ in range(trials):
        estimate = intervals.paired(differences(*samples(random, 8, 0.05, 0.02)))
        same.append(hypotheses.within_margin(estimate, 0.05) <= 0.05)
        regression.append(hypotheses.beyond_margin(estimate, 0.05) <= 0.05)
    assert share(same) <= at_most(0.05, trials)
    assert share(regression) <= at_most(0.025, trials)


def test_no_change_is_shown_to_be_the_same_given_blocks_enough() -> None:
    random = np.random.default_rng(16)
    rows = judge([row_input(*samples(random, 10, 0.0, 0.02), margin=0.05) for _ in range(100)])
    assert share([row.verdict is Verdict.SAME for row in rows]) >= 0.95


def test_slow_drift_cancels_where_blocks_are_paired() -> None:
    random, trials = np.random.default_rng(17), 1200
    paired, apart = [], []
    for _ in range(trials):
        drift = np.exp(np.linspace(0, 0.15, 20))
        noise = np.exp(random.normal(0, 0.02, 20))
        walk = drift * noise
        paired.append(
            hypotheses.beyond_margin(intervals.paired(differences(walk[0::2], walk[1::2] / np.exp(0.15 / 19))), 0.0)
            <= 0.05
        )
        apart.append(hypotheses.beyond_margin(intervals.unpaired(walk[:10], walk[10:]), 0.0) <= 0.05)
    assert share(paired) <= at_most(0.05, trials)
    assert share(apart) > 0.5  # all of A and then all of B: the drift is "found"


def test_intervals_cover_the_truth() -> None:
    random, trials = np.random.default_rng(18), 1500
    covered = []
    for _ in range(trials):
        low, high = intervals.paired(differences(*samples(random, 5, 0.08, 0.05))).interval()
        covered.append(low <= math.log(1.08) <= high)
    assert abs(share(covered) - 0.95) < 3 * math.sqrt(0.95 * 0.05 / trials)


def test_the_promised_detectable_change_is_called_as_often_as_promised() -> None:
    """One row of twenty moved, by the change that should be called with 80 % power at the bar BH sets for one row."""
    random, runs, spread, blocks = np.random.default_rng(19), 400, 0.03, 10
    promised = power.detectable_log_change(spread / math.sqrt(blocks), blocks - 1, 0.05, 0.05 / 20)
    assert promised is not None
    called = []
    for _ in range(runs):
        moved = intervals.paired(differences(*samples(random, blocks, math.expm1(promised), spread)))
        called.append(hypotheses.false_discovery_q([hypotheses.beyond_margin(moved, 0.05), *[1.0] * 19])[0] <= 0.05)
    assert abs(share(called) - 0.80) < 3 * math.sqrt(0.8 * 0.2 / runs)
