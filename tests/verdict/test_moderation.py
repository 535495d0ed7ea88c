"""What like rows say of a row's noise."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy import special

from harness.metrics import Kind
from harness.verdict import intervals
from harness.verdict.intervals import Estimate
from harness.verdict.judge import judge
from harness.verdict.moderation import ENOUGH, MOST, Prior, moderated, prior_of
from harness.verdict.rows import RowInput


def estimates(spreads: list[float], blocks: int = 5, seed: int = 1) -> list[Estimate]:
    random = np.random.default_rng(seed)
    return [intervals.paired(random.normal(0, spread, blocks)) for spread in spreads]


def test_a_prior_is_found_again() -> None:
    """Variances drawn from Smyth's own model: a scaled inverse chi-square of 6 degrees of freedom around 2 %."""
    random = np.random.default_rng(5)
    spreads = 0.02 / np.sqrt(random.chisquare(6, 4000) / 6)
    found = prior_of(estimates(spreads.tolist(), blocks=9))
    assert found is not None
    # Low ones are pulled in, so the rows seem a little noisier, and more alike, than they are.
    assert 0.02 <= math.sqrt(found.variance) <= 0.023
    assert 6 <= found.freedom <= 18


def test_rows_that_are_alike_narrow_a_few_blocks_and_unlike_ones_say_nothing() -> None:
    alike = prior_of(estimates([0.02] * 40))
    unlike = prior_of(estimates([0.001 * 1.2**place for place in range(40)]))
    assert alike is not None
    assert unlike is not None
    assert alike.weight == pytest.approx(MOST * 39 / 45)
    assert unlike.weight < 0.6 * alike.weight
    assert prior_of(estimates([0.02])) is None
    assert prior_of([]) is None


def test_the_variance_is_the_mean_of_both_by_their_degrees_of_freedom() -> None:
    own = Estimate(mean=0.1, spread=0.01, error=0.005, freedom=3, freedom_per_block=1.0, blocks=4)
    found = moderated(own, Prior(variance=0.03**2, freedom=math.inf, rows=7))
    assert found.borrowed == 1.0
    assert found.freedom == 4.0
    assert found.error == pytest.approx(math.sqrt((0.03**2 + 3 * 0.01**2) / 4 / 4))
    assert (found.spread, found.mean) == (own.spread, own.mean)
    assert found.expected_spread == pytest.approx(2 * found.error)
    enough = dataclasses.replace(own, blocks=ENOUGH, freedom=ENOUGH - 1)
    assert moderated(enough, Prior(0.03**2, math.inf, 7)) == enough
    assert moderated(own, None) == own


def test_a_row_whose_few_blocks_happen_to_agree_is_not_believed() -> None:
    random = np.random.default_rng(2)

    def row(variant: str, logs: list[float], like: str | None) -> RowInput:
        sides = tuple((block, 1.0) for block in range(len(logs))), tuple(enumerate(np.exp(logs).tolist()))
        return RowInput("m", "seconds", Kind.TIME, "cpu", "mlp-s", variant, True, 0.0, *sides, like=like)

    def judged(like: str | None) -> tuple[float, float | None]:
        others = [row(f"b{place}", random.normal(0, 0.05, 4).tolist(), like) for place in range(20)]
        found = judge([row("-", [0.0500, 0.0501, 0.0499, 0.0500], like), *others])[0]
        return found.p or 0.0, found.borrowed_freedom

    alone, with_others = judged(None), judged("load")
    assert alone[0] < 1e-4
    assert alone[1] is None
    assert with_others[0] > 0.01
    assert with_others[1] == pytest.approx(MOST * 20 / 26, rel=0.5)


@pytest.mark.parametrize("value", [1e-4, 0.3, 2.0, 50.0, 1e9])
def test_the_trigamma_function_is_inverted(value: float) -> None:
    from harness.verdict.moderation import _inverse_trigamma

    assert float(special.polygamma(1, _inverse_trigamma(value))) == pytest.approx(value, rel=1e-6)
