"""Ten rehearsed nights: at most one in twenty has a call that is not confirmed, and none wakes anybody for nothing."""

from __future__ import annotations

import numpy as np
import pytest

from tests.trust import rehearsals

pytestmark = pytest.mark.slow
SEQUENCES = 20


def rehearse(noise: str, truth: rehearsals.Truth, margin: float = rehearsals.MARGIN) -> rehearsals.Told:
    return rehearsals.rehearse(np.random.default_rng(7), noise, truth, SEQUENCES, margin)


@pytest.mark.parametrize("noise", rehearsals.FAMILIES)
def test_where_nothing_changes_nobody_is_woken(noise: str) -> None:
    told = rehearse(noise, rehearsals.nothing)
    assert told.woken_falsely == 0
    assert told.unconfirmed <= 0.05 * told.nights
    assert told.fired <= 0.05 * told.nights


def test_also_where_no_margin_protects() -> None:
    told = rehearse("log-normal", rehearsals.nothing, 0.0)
    assert told.woken_falsely == 0
    assert told.unconfirmed <= 0.05 * told.nights


def test_a_plant_is_told_once_in_its_first_night_and_closed() -> None:
    told = rehearse("log-normal", rehearsals.planted)
    assert told.found >= 0.95 * told.rows
    assert told.repeated <= 0.05 * told.rows
    assert told.closed >= 0.95 * told.rows
    assert np.mean(told.waited) < 0.5
    assert told.woken_falsely == 0


def test_a_slow_decline_does_not_hide() -> None:
    told = rehearse("log-normal", rehearsals.declining)
    assert told.found >= 0.95 * told.rows
