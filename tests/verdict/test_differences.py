"""A block's difference: the middle half of its pairs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.verdict.differences import block_differences, middle, middle_variance, trimmed


@pytest.mark.parametrize(("pairs", "out"), [(1, 0), (2, 0), (3, 1), (4, 1), (6, 1), (7, 2), (11, 3), (22, 5)])
def test_a_quarter_is_left_out_at_either_end(pairs: int, out: int) -> None:
    assert trimmed(pairs) == out
    values = np.arange(pairs, dtype=np.float64)
    wild = values.copy()
    wild[:out] -= 1e6
    wild[pairs - out :] += 1e6
    assert middle(np.random.default_rng(1).permutation(wild)) == pytest.approx(values.mean())


def test_what_moves_a_round_cancels_and_a_pair_that_was_hit_alone_does_not_count() -> None:
    machine = (1.0, 1.5, 0.7, 1.0, 3.0)  # of each round
    pairs = [(0, speed, 1.1 * speed) for speed in machine]
    pairs[3] = (0, 1.0, 5.0)
    found = block_differences([(2, 1.0, 1.0), *pairs])
    assert list(found) == [0, 2]
    assert found[0] == pytest.approx(math.log(1.1))
    # The medians see another round each.
    assert np.median([new for _, _, new in pairs]) / np.median([old for _, old, _ in pairs]) > 1.5


@pytest.mark.parametrize("pairs", [1, 2, 3, 4, 7, 11, 12, 15, 22])
def test_its_variance_is_the_simulated_one(pairs: int) -> None:
    simulated = middle(np.random.default_rng(pairs).standard_normal((200_000, pairs))).var()
    assert middle_variance(pairs) == pytest.approx(simulated, rel=0.035)
