"""Repeats that follow the noise leave the rates of errors as they are, and make the noisy row's error smaller."""

from __future__ import annotations

import math

import pytest

from .repeats import FAMILIES, Family, simulate

RUNS = 1500


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_no_more_rows_are_called_than_the_level_allows(family: Family) -> None:
    found = simulate(family, 0.2, follows=True, runs=RUNS)
    allowed = 0.05 + 3 * math.sqrt(0.05 * 0.95 / RUNS)
    assert found.called <= allowed
    assert found.unchanged <= allowed


@pytest.mark.slow
def test_the_noisy_row_gains() -> None:
    planned, following = (simulate(FAMILIES[0], 0.2, follows=follows, runs=RUNS) for follows in (False, True))
    assert following.error < 0.95 * planned.error
