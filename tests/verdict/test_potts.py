"""The fit of levels: what asv finds for each penalty, whatever was asked before."""

from __future__ import annotations

import numpy as np
import pytest
from asv.step_detect import solve_potts_approx

from harness.verdict.potts import Potts


@pytest.mark.parametrize("decimals", [12, 2])  # with two, many costs are the same
@pytest.mark.parametrize("length", [5, 21, 60, 150])
def test_levels_are_those_of_asv_for_every_penalty(length: int, decimals: int) -> None:
    random = np.random.default_rng(length)
    values = random.normal(0, 0.02, length)
    values[length // 3 :] += 0.1
    values[2 * length // 3 :] -= 0.05
    values = np.round(values, decimals)
    fit = Potts(values.tolist())
    for penalty in random.permutation(np.geomspace(1e-4, 5, 25)).tolist():
        rights, heights, _ = solve_potts_approx(values.tolist(), [1] * length, gamma=penalty)
        assert fit.levels(penalty) == tuple(rights)
        assert fit.heights(rights) == heights
