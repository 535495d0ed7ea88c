"""Runs made of the committed run's own noise: what is promised holds there too, and no plant is found later."""

from __future__ import annotations

import numpy as np
import pytest

from tests.trust.estimators import CHOSEN, MEDIANS, usable_runs
from tests.trust.stored import BEFORE, BLOCKS, NOW, Noise, noise_of, rates, runs_of_noise


def test_a_drawn_run_has_the_blocks_of_all_rows_together() -> None:
    random = np.random.default_rng(1)
    logs = random.normal(0, 0.02, (1, 10)) * np.array([[1.0], [2.0]])
    drawn = runs_of_noise(random, Noise({MEDIANS: logs, CHOSEN: -logs}, ("load", "load")), 50, 6)
    assert drawn[MEDIANS].shape == (50, 2, 6)
    assert np.allclose(drawn[MEDIANS][:, 1], 2 * drawn[MEDIANS][:, 0])
    assert np.allclose(drawn[MEDIANS], -drawn[CHOSEN])
    assert {len(set(np.abs(run[0]).tolist())) for run in drawn[MEDIANS]} == {6}


@pytest.mark.slow
@pytest.mark.parametrize("blocks", BLOCKS)
def test_rates_hold_with_noise_as_it_is(blocks: int) -> None:
    noises = [noise for run in usable_runs() if run.is_reference for noise in noise_of(run)]
    before, now = (rates(rule, noises, 500, blocks) for rule in (BEFORE, NOW))
    assert max(now.alarms, now.same_at_margin, now.false_share) <= 0.05
    assert now.found_15 >= before.found_15
    assert now.found_30 >= before.found_30
    assert now.same >= before.same
