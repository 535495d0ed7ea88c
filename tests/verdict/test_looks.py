"""Looks at a run: what is paid, what stays open. Whole runs with cells dropping out are simulated in tests/trust."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from harness.metrics import Kind
from harness.verdict import hypotheses
from harness.verdict.allocation import affordable, allocate
from harness.verdict.compared import Paired
from harness.verdict.judge import judge
from harness.verdict.looks import PLANNED, SHARES, weigh
from harness.verdict.rows import Reason, Row, RowInput, Verdict


def side(*values: float) -> dict[int, float]:
    return dict(enumerate(values))


def noisy(ratio: float, blocks: int, spread: float = 0.02, seed: int = 3) -> tuple[dict[int, float], dict[int, float]]:
    random = np.random.default_rng(seed)
    old = np.exp(random.normal(0, 0.1, blocks))
    return side(*old), side(*(old * ratio * np.exp(random.normal(0, spread, blocks))))


def compared(old: Mapping[int, float], new: Mapping[int, float]) -> Paired:
    """Blocks of one pair each."""
    return Paired({block: math.log(new[block]) - math.log(old[block]) for block in old})


def row_input(
    ratio: float, blocks: int, variant: str = "tf-module/tf-load", model: str = "mlp-s", **more: float
) -> Row:
    old, new = noisy(ratio, blocks, **more)  # type: ignore[arg-type]
    sides = (tuple(old.items()), tuple(new.items()))
    return RowInput("load_warm_s", "seconds", Kind.TIME, "cpu", model, variant, True, 0.1, *sides)  # type: ignore[return-value]


def test_the_shares_are_what_the_spending_function_gives_and_spend_everything() -> None:
    assert sum(SHARES) == pytest.approx(1)
    assert SHARES[0] == pytest.approx((5 / 20) ** 1.5)
    assert SHARES[3] == pytest.approx(1 - (12 / 20) ** 1.5)
    assert all(share > 0 for share in SHARES)


def test_a_single_look_costs_nothing() -> None:
    old, new = noisy(1.2, 8)
    evidence = weigh(compared(old, new), margin=0.1)
    estimate = compared(old, new).estimate()
    assert evidence.beyond == hypotheses.beyond_margin(estimate, 0.1)
    assert evidence.within == hypotheses.within_margin(estimate, 0.1)
    assert evidence.interval == estimate.interval()


def test_each_look_pays_by_its_share_and_the_best_one_counts() -> None:
    old, new = noisy(1.13, 8)
    p = []
    for blocks in (5, 8):
        first = [{block: value for block, value in one.items() if block < blocks} for one in (old, new)]
        p.append(weigh(compared(first[0], first[1]), margin=0.1).beyond)
    paid = weigh(compared(old, new), margin=0.1, looks=(5, 8))
    assert paid.beyond == pytest.approx(min(p[0] / SHARES[0], p[1] / SHARES[1]))
    assert paid.share == SHARES[1]
    low, high = paid.interval
    narrow = paid.estimate.interval()
    assert low < narrow[0] < narrow[1] < high


def test_another_look_never_takes_back_what_was_shown() -> None:
    for seed in range(20):
        old, new = noisy(1.15, 20, seed=seed)
        paid = [weigh(compared(old, new), margin=0.1, looks=PLANNED[: count + 1]).beyond for count in range(4)]
        assert paid == sorted(paid, reverse=True)


def test_blocks_after_the_last_look_wait_for_the_next_one() -> None:
    old, new = noisy(1.0, 8)
    new[5] = new[6] = new[7] = 1e9
    few = weigh(compared(side(*list(old.values())[:5]), side(*list(new.values())[:5])), margin=0.1, looks=(5,))
    assert weigh(compared(old, new), margin=0.1, looks=(5,)) == few


def test_a_cell_that_stopped_is_not_looked_at_again() -> None:
    old, new = noisy(1.13, 5)
    assert weigh(compared(old, new), margin=0.1, looks=(5, 8, 12)) == weigh(compared(old, new), margin=0.1, looks=(5,))


def test_a_fifth_look_cannot_be_paid() -> None:
    with pytest.raises(ValueError, match="5 looks"):
        weigh(compared(*noisy(1.0, 30)), margin=0.1, looks=(5, 8, 12, 20, 25))


def test_judging_by_looks_is_stricter_and_says_so_in_the_row() -> None:
    row = row_input(1.17, 5)
    (once,), (paid,) = judge([row]), judge([row], looks=(5,))  # type: ignore[list-item]
    assert once.p is not None
    assert paid.p == pytest.approx(min(1.0, once.p / SHARES[0]))
    assert paid.low < once.low  # type: ignore[operator]
    assert paid.detectable_ratio > once.detectable_ratio  # type: ignore[operator]


CELLS = [
    ("cpu", "mlp-s", "tf-module", "tf-load"),
    ("cpu", "mlp-s", "tf-module", "keras-load"),
    ("cpu", "mlp-m", "tf-module", "tf-load"),
]


def judged(model: str, variant: str, needed: int | None, device: str = "cpu", **more: object) -> Row:
    (row,) = judge([row_input(1.0, 5, variant, model)])  # type: ignore[list-item]
    plain = {"verdict": Verdict.INCONCLUSIVE, "reason": Reason.TOO_NOISY, "blocks_needed": needed, "device": device}
    return replace(row, **{**plain, **more})  # type: ignore[arg-type]


def test_cells_with_a_row_in_reach_stay_open() -> None:
    rows = [
        judged("mlp-s", "tf-module/tf-load b32", 12),
        judged("mlp-s", "tf-module/tf-load", 7),
        judged("mlp-m", "tf-module/tf-load", 60),
        judged("mlp-m", "tf-module/tf-load", None),
        judged("mlp-m", "tf-module/tf-load b1", 8, judged=False),
        judged("mlp-m", "tf-module/tf-load b32", 8, verdict=Verdict.SAME),
    ]
    found = allocate(rows, CELLS, 20)
    assert found.cells == {CELLS[0]: 7}
    assert (found.imports, found.rows, found.beyond_reach) == (False, 2, 2)


def test_rows_without_a_cell_of_their_own_are_served_by_the_first_that_measures_them() -> None:
    assert allocate([judged("mlp-m", "-", 9)], CELLS, 20).cells == {CELLS[2]: 9}
    assert allocate([judged("-", "-", 9)], CELLS, 20).cells == {CELLS[0]: 9}
    assert allocate([judged("mlp-s", "tf-module", 9)], CELLS, 20).cells == {CELLS[0]: 9}
    assert allocate([judged("mlp-s", "tf-module/tf-load xla b32", 9)], CELLS, 20).cells == {CELLS[0]: 9}
    imports = allocate([judged("-", "-", 9, device="-")], CELLS, 20)
    assert (dict(imports.cells), imports.imports, imports.is_done) == ({}, True, False)
    assert allocate([], CELLS, 20).is_done


def test_where_time_is_short_the_nearest_cells_go_on() -> None:
    needs, cost = {CELLS[0]: 12, CELLS[1]: 7, CELLS[2]: 20}, dict.fromkeys(CELLS, 10.0)
    keep = {"import_s": 5.0, "blocks": 3}
    assert affordable(needs, cost, left_s=1000, **keep) == set(CELLS)  # type: ignore[arg-type]
    assert affordable(needs, cost, left_s=80, **keep) == {CELLS[0], CELLS[1]}  # type: ignore[arg-type]
    assert affordable(needs, cost, left_s=1, **keep) == {CELLS[1]}  # type: ignore[arg-type]
    assert affordable({}, cost, left_s=1, **keep) == frozenset()  # type: ignore[arg-type]
