"""Variance components and what follows from them, on data whose components are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.verdict.calibration import (
    Noise,
    Rounds,
    Source,
    best_split,
    calls_spread,
    detectable,
    false_alarms,
    noise_of,
    plan_budget,
)
from harness.verdict.power import planned_detectable_ratio


def measured(
    machine: float, process: float, repeat: float, *, blocks: int = 400, repeats: int = 5, seed: int = 1
) -> Rounds:
    """Rounds of a machine that moves by 5 % from one to the next, both sides alike."""
    random = np.random.default_rng(seed)
    pairs = []
    for block in range(blocks):
        sides = random.normal(0, machine) + random.normal(0, process, 2)
        rounds = sides + random.normal(0, 0.05, (repeats, 1)) + random.normal(0, repeat, (repeats, 2))
        pairs += [(block, *values) for values in np.exp(rounds).tolist()]
    return Rounds("load_warm_s", "cpu", "mlp-s", "tf-module/tf-load", 0.05, tuple(pairs))


def noise(process: float, repeat: float, **more: object) -> Noise:
    plain = {"margin": 0.05, "blocks": 10, "repeats": 3, "floor": 0.03, "machine": 0.1, "p": 0.5, **more}
    return Noise("m", "cpu", "mlp-s", "-", process=process, repeat=repeat, **plain)  # type: ignore[arg-type]


def test_components_are_found_again() -> None:
    found = noise_of(measured(0.10, 0.03, 0.06))
    assert found is not None
    assert found.machine == pytest.approx(0.10, rel=0.15)
    assert found.process == pytest.approx(0.03, rel=0.2)
    assert found.repeat == pytest.approx(0.06, rel=0.05)
    assert (found.blocks, found.repeats) == (400, 5)


@pytest.mark.parametrize(("process", "repeat", "repeats"), [(0.03, 0.06, 5), (0.0, 0.05, 3), (0.04, 0.0, 3)])
def test_the_predicted_spread_is_the_measured_one(process: float, repeat: float, repeats: int) -> None:
    found = noise_of(measured(0.2, process, repeat, repeats=repeats))
    assert found is not None
    assert found.spread(repeats) == pytest.approx(found.floor, rel=0.12)


def test_a_single_repeat_leaves_the_components_open() -> None:
    found = noise_of(measured(0.1, 0.03, 0.02, repeats=1))
    assert found is not None
    assert (found.machine, found.process, found.repeat) == (None, None, None)
    assert found.source is Source.NONE
    assert found.spread(7) == found.floor


def test_a_single_block_with_pairs_and_values_without_logarithm() -> None:
    assert noise_of(Rounds("m", "cpu", "-", "-", 0.0, ((0, 1.0, 1.1), (0, 1.0, 1.2)))) is None
    zero = Rounds("m", "cpu", "-", "-", 0.0, tuple((block, 0.0, 0.0) for block in range(3)))
    assert noise_of(zero) is None


def test_the_larger_part_of_the_noise_is_named() -> None:
    assert noise(0.05, 0.02).source is Source.PROCESS
    assert noise(0.01, 0.08).source is Source.REPEAT
    assert noise(0.01, 0.08, repeats=500).source is Source.PROCESS


def test_what_is_detectable_is_what_a_plan_says() -> None:
    row = noise(0.02, 0.03)
    assert detectable(row, 10, 3, 20) == planned_detectable_ratio(row.spread(3), 10, 0.05, 20)
    assert detectable(row, 20, 3) < detectable(row, 10, 3) < detectable(row, 10, 1)  # type: ignore[operator]


def test_noise_between_processes_asks_for_blocks_and_noise_between_repeats_for_repeats() -> None:
    cost = {"budget_s": 1200.0, "block_s": 20.0, "repeat_s": 10.0}
    by_process, by_repeat = best_split([noise(0.05, 0.005)], **cost), best_split([noise(0.005, 0.05)], **cost)
    assert by_process is not None
    assert by_repeat is not None
    assert by_process.repeats == 1
    assert by_repeat.repeats > 1
    assert by_process.blocks == 40
    assert by_repeat.seconds <= 1200


def test_the_presets_own_repeats_stay_unless_others_show_clearly_more() -> None:
    price = {"block_s": 20.0, "repeat_s": 10.0, "at_least": 5, "at_most": 20}
    alike = plan_budget([noise(0.03, 0.03, repeats=3)], budget_s=1000, as_measured_s=50.0, **price)
    assert alike is not None
    assert (alike.blocks, alike.repeats) == (20, None)
    noisy = [noise(0.005, 0.2, repeats=1, floor=0.28)]
    better = plan_budget(noisy, budget_s=1000, as_measured_s=50.0, **price)
    assert better is not None
    assert better.repeats is not None
    assert better.repeats > 1
    assert plan_budget(noisy, budget_s=100, as_measured_s=50.0, **price) is None


def test_a_budget_too_small_for_a_verdict_has_no_split() -> None:
    assert best_split([noise(0.02, 0.02)], budget_s=60, block_s=20, repeat_s=10) is None
    assert best_split([], budget_s=6000, block_s=20, repeat_s=10) is None


def test_a_release_against_itself_differs_by_chance_only() -> None:
    rows = [noise_of(measured(0.1, 0.02, 0.03, blocks=8, repeats=3, seed=seed)) for seed in range(300)]
    alarms, varying = false_alarms([row for row in rows if row is not None])
    assert varying == 300
    assert alarms <= 0.05 * 300 + 3 * math.sqrt(0.05 * 0.95 * 300)
    assert alarms > 0


def test_single_calls_are_judged_by_their_upper_half() -> None:
    assert calls_spread([1.0, 2.0, 4.0], [math.exp(0.12816) * value for value in (1, 2, 4)]) == pytest.approx(
        0.1, rel=1e-3
    )
    assert calls_spread([], []) is None
