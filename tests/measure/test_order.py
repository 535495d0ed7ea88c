"""The order of the subjects: random, and balanced within a block."""

from __future__ import annotations

from itertools import combinations

import pytest

from harness.measure.order import Orders


@pytest.mark.parametrize("rounds", [0, 1, 2, 3, 11])
@pytest.mark.parametrize("subjects", ["A", "AB", "ABC", "ABCD"])
def test_each_subject_goes_before_each_other_as_often_as_after_it(subjects: str, rounds: int) -> None:
    drawn = [Orders(1, block).draw(subjects, rounds) for block in (4, 5)]
    for orders in drawn:
        assert all(sorted(order) == list(subjects) for order in orders)
        for one, other in combinations(subjects, 2):
            first = sum(order.index(one) < order.index(other) for order in orders)
            assert first in (rounds // 2, rounds - rounds // 2)
    # What is odd in one block has its reverse in the next.
    for one, other in combinations(subjects, 2):
        assert sum(order.index(one) < order.index(other) for orders in drawn for order in orders) == rounds


def test_orders_are_random_and_the_same_for_the_same_seed_and_block() -> None:
    def drawn(seed: int, block: int) -> str:
        return " ".join("".join(order) for order in Orders(seed, block).draw("AB", 10))

    assert drawn(1, 3) == drawn(1, 3)
    assert len({drawn(seed, block) for seed in range(3) for block in range(4)}) > 8
    assert {drawn(seed, 0)[:2] for seed in range(20)} == {"AB", "BA"}
