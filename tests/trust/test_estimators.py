"""The choice of a block's estimator, on the committed runs: pairs gain, and no family's noise is shown to grow."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.trust.estimators import CHOSEN, ESTIMATORS, MEDIANS, Row, families, relative_spread, rows_of, usable_runs


def test_one_and_two_pairs_leave_nothing_to_choose() -> None:
    old, new = np.array([0.1, 0.5]), np.array([0.3, 0.9])
    assert {round(estimate(old[:1], new[:1]), 9) for estimate in ESTIMATORS.values()} == {0.2}
    of_pairs = [estimate(old, new) for name, estimate in ESTIMATORS.items() if name != MEDIANS]
    assert of_pairs == pytest.approx([0.3] * len(of_pairs))


def test_a_family_whose_noise_grows_is_seen() -> None:
    random = np.random.default_rng(3)
    noise = random.normal(0, 0.02, (8, 20))
    rows = [Row("load_cold_s", 4, tuple(range(20)), {MEDIANS: one, CHOSEN: 1.5 * one}) for one in noise]
    (family,) = families(rows)
    assert family.after / family.before == pytest.approx(1.5)
    assert family.grows
    (alike,) = families(
        [Row(row.metric, 4, row.blocks, {MEDIANS: one, CHOSEN: one}) for row, one in zip(rows, noise, strict=True)]
    )
    assert not alike.grows


@pytest.mark.slow
def test_on_the_committed_runs_pairs_gain_and_no_family_is_shown_to_lose() -> None:
    rows = [row for run in usable_runs() if run.is_reference for row in rows_of(run)]
    assert {row.kind for row in rows} == {"1", "2", "3", "4 or more"}
    assert not [family for family in families(rows) if family.grows]
    many = [row for row in rows if row.kind == "4 or more"]
    both = math.prod(relative_spread(many, CHOSEN, half) for half in (0, 1)) ** 0.5
    assert both < 0.9
