"""The statement over machine types: its words, and by simulation that false calls stay under its level."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.verdict.rows import Verdict
from harness.verdict.types import OnType, Statement, simes, state

WORSE, BETTER, SAME, OPEN = Verdict.REGRESSION, Verdict.IMPROVEMENT, Verdict.SAME, Verdict.INCONCLUSIVE


def on(verdict: Verdict, p: float | None, is_larger: bool | None = True) -> OnType:
    return OnType(verdict, p, is_larger)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"a": on(WORSE, 1e-6), "b": on(WORSE, 1e-6)}, "regression everywhere"),
        ({"a": on(WORSE, 1e-6), "b": on(SAME, 0.9)}, "regression only on a"),
        ({"a": on(WORSE, 1e-6), "b": on(OPEN, 0.2)}, "regression on a, undecided on b"),
        ({"a": on(WORSE, 1e-6)}, "regression on a, undecided on b"),
        ({"a": on(WORSE, 1e-6), "b": on(BETTER, 1e-6, False)}, "regression on a, improvement on b"),
        ({"a": on(SAME, 0.8), "b": on(SAME, 0.9)}, "same"),
        ({"a": on(SAME, 0.8), "b": on(OPEN, 0.9)}, "inconclusive"),
        ({"a": on(WORSE, None, None), "b": on(SAME, None, None)}, "regression only on a"),
    ],
)
def test_what_is_said_of_a_row(row: dict[str, OnType], said: str) -> None:
    (statement,) = state([row], ["a", "b"])
    assert statement.verdict == said


def test_simes_of_one_is_itself_and_of_equal_ones_too() -> None:
    assert simes([0.03]) == 0.03
    assert simes([0.03, 0.03, 0.03]) == pytest.approx(0.03)
    assert simes([0.01, 0.9, 0.9]) == pytest.approx(0.03)


def simulated(seed: int, shifts: np.ndarray, correlation: float) -> list[Statement]:
    """Judge rows (first axis) on types (second) whose z values share a part within a type, as rows of a node do."""
    generator = np.random.default_rng(seed)
    rows, types = shifts.shape
    shared = generator.standard_normal((1, types))
    z = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * generator.standard_normal((rows, types)) + shifts
    p = 2 * stats.norm.sf(np.abs(z))
    names = [f"t{number}" for number in range(types)]
    table = [
        {name: on(OPEN, float(p[row, place]), bool(z[row, place] > 0)) for place, name in enumerate(names)}
        for row in range(rows)
    ]
    return state(table, names)


@pytest.mark.parametrize("correlation", [0.0, 0.5])
@pytest.mark.parametrize("has_changed_type", [False, True])
def test_false_calls_stay_under_the_level(correlation: float, has_changed_type: bool) -> None:
    """Also with correlated rows of a node, and with a type on which half of the rows changed."""
    shifts = np.zeros((60, 4))
    if has_changed_type:
        shifts[:30, 0] = 5.0
    false_rows, false_types, found = [], [], []
    for seed in range(80):
        statements = simulated(seed, shifts, correlation)
        called = [(row, name) for row, one in enumerate(statements) for name in one.called]
        rows = {row for row, _ in called}
        false_rows.append(sum(not shifts[row].any() for row in rows) / max(1, len(rows)))
        wrong = [(row, name) for row, name in called if not shifts[row, int(name[1:])]]
        false_types.append(len(wrong) / max(1, len(called)))
        found.append(len({row for row in rows if shifts[row].any()}))
    assert np.mean(false_rows) <= 0.05 + 0.025  # and the simulation's own error
    assert np.mean(false_types) <= 0.05 + 0.025
    if has_changed_type:
        assert np.mean(found) > 25


def test_no_rows_no_statements() -> None:
    assert state([], ["a"]) == []
