"""Rows that are judged by pairs: which change is judged, what is counted, and what is told beside the medians."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from harness.metrics import Kind
from harness.verdict.differences import ESTIMATOR
from harness.verdict.judge import judge
from harness.verdict.rows import Method, Reason, Row, RowInput, Verdict

Rounds = Sequence[Sequence[tuple[float, float]]]
"""Pairs of old and new, by block."""


def row_input(rounds: Rounds, *, kind: Kind = Kind.TIME, dropped: int = 0, tainted: int = 0) -> RowInput:
    """Return a row whose samples are the medians of these pairs."""

    def side(place: int) -> tuple[tuple[int, float], ...]:
        return tuple((block, float(np.median([pair[place] for pair in pairs]))) for block, pairs in enumerate(rounds))

    pairs = tuple((block, *pair) for block, some in enumerate(rounds) for pair in some)
    return RowInput(
        "load_warm_s", "seconds", kind, "cpu", "mlp-s", "tf-module/tf-load", True, 0.1, side(0), side(1),
        pairs=pairs, pairs_dropped=dropped, tainted=tainted,
    )  # fmt: skip


def judged(row: RowInput) -> Row:
    (found,) = judge([row])
    return found


def restless(change: float, blocks: int = 5, pairs: int = 11, seed: int = 2) -> list[list[tuple[float, float]]]:
    """Rounds of a machine that moves by 30 % from one to the next, both sides alike, the pairs within 1 %."""
    random = np.random.default_rng(seed)
    speeds = np.exp(random.normal(0, 0.3, (blocks, pairs)))
    return [[(speed, speed * change * math.exp(random.normal(0, 0.01))) for speed in some] for some in speeds.tolist()]


def test_what_moves_the_machine_from_round_to_round_does_not_decide() -> None:
    rounds = restless(1.3)
    row = judged(row_input(rounds, dropped=3))
    assert (row.verdict, row.method, row.estimator) == (Verdict.REGRESSION, Method.PAIRED_T, ESTIMATOR)
    assert (row.pairs, row.pairs_dropped, row.blocks) == (55, 3, 5)
    assert row.ratio == pytest.approx(1.3, rel=0.01)
    assert row.spread is not None
    assert row.spread < 0.01
    random = np.random.default_rng(1)
    shuffled = [
        list(zip([old for old, _ in some], random.permutation([new for _, new in some]).tolist(), strict=True))
        for some in rounds
    ]
    apart = judged(row_input(shuffled)).spread
    assert apart is not None
    assert apart > 3 * row.spread


def test_a_block_without_a_whole_pair_does_not_count() -> None:
    row = row_input(restless(1.3, blocks=6))
    kept = tuple(pair for pair in row.pairs or () if pair[0] != 2)
    found = judged(RowInput(**{**{name: getattr(row, name) for name in RowInput.__slots__}, "pairs": kept}))
    assert (found.blocks, found.pairs) == (5, 55)


@pytest.mark.parametrize(("tainted", "reason"), [(4, Reason.ALL_TAINTED), (0, Reason.NO_COMMON_BLOCKS)])
def test_without_any_whole_pair_nothing_is_judged(tainted: int, reason: Reason) -> None:
    row = row_input(restless(1.3), tainted=tainted)
    found = judged(RowInput(**{**{name: getattr(row, name) for name in RowInput.__slots__}, "pairs": ()}))
    assert (found.verdict, found.reason, found.ratio is None) == (Verdict.INCONCLUSIVE, reason, False)
    assert (found.estimator, found.pairs, found.pairs_dropped) == (None, None, None)


def test_a_single_pair_a_block_is_the_ratio_of_its_samples() -> None:
    rounds = restless(1.05, pairs=1)
    row = row_input(rounds)
    plain = RowInput(**{**{name: getattr(row, name) for name in RowInput.__slots__}, "pairs": None})
    one, other = judged(row), judged(plain)
    assert (one.ratio, one.low, one.p, one.verdict) == (other.ratio, other.low, other.p, other.verdict)
    assert (one.estimator, other.estimator) == (ESTIMATOR, None)


def test_rows_without_noise_and_counts_of_zero_are_judged_as_before() -> None:
    exact = judged(row_input([[(100.0, 130.0)] * 3] * 4, kind=Kind.EXACT))
    assert (exact.verdict, exact.method, exact.estimator) == (Verdict.REGRESSION, Method.EXACT, None)
    # A repeat that counted nothing has no logarithm: the samples decide.
    counts = [[(2.0, 3.0), (0.0, 3.0), (2.0, 4.0)], *[[(2.0, 3.0), (3.0, 3.0), (2.0, 4.0)]] * 5]
    found = judged(row_input(counts, kind=Kind.HOST_MEMORY))
    assert (found.estimator, found.pairs) == (None, None)


def test_medians_that_say_something_else_are_told() -> None:
    # In each block a slow spell falls on two rounds of the old side and one of the new.
    spell = [(1.0, 1.1), (1.0, 1.1), (3.0, 1.1), (3.0, 1.1), (3.0, 3.3)]
    rounds = [[(old * wobble, new) for old, new in spell] for wobble in (1.0, 1.01, 0.99, 1.0, 1.005)]
    row = judged(row_input(rounds))
    assert row.medians_disagree == (not (row.low or 0) <= (row.new or 0) / (row.old or 1) <= (row.high or 0))
    assert row.medians_disagree
    assert not judged(row_input(restless(1.3, pairs=1))).medians_disagree
