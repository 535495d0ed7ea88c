"""The fast part of docs/trust.md, and that its arithmetic on arrays is the judge's own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from asv import _stats
from asv.commands.compare import _is_result_better
from asv_runner.statistics import compute_stats

from harness.metrics import Kind
from harness.verdict.allocation import allocate
from harness.verdict.judge import judge
from harness.verdict.looks import PLANNED
from harness.verdict.rows import RowInput, Verdict
from tests.trust import others, simulation
from tests.trust.noise import FAMILIES, Floats
from tests.trust.vectorised import budgeted, judged_once

pytestmark = pytest.mark.slow

CALLED = (Verdict.REGRESSION, Verdict.IMPROVEMENT)
MARGIN = 0.05


def at_most(nominal: float, trials: int) -> float:
    return nominal + 3 * math.sqrt(nominal * (1 - nominal) / trials)


def row_inputs(run: Floats, blocks: Floats) -> list[RowInput]:
    """One run's rows, row i in the cell of model `i // 4`, with the first `blocks[i]` differences."""
    inputs = []
    for row, (values, count) in enumerate(zip(run, blocks, strict=True)):
        old = tuple((block, 1.0) for block in range(int(count)))
        new = tuple((block, math.exp(values[block])) for block in range(int(count)))
        model, variant = str(row // simulation.ROWS_PER_CELL), f"tf-module/tf-load b{row}"
        inputs.append(RowInput("m", "seconds", Kind.TIME, "cpu", model, variant, True, MARGIN, old, new, like="load"))
    return inputs


def mixed_differences(runs: int, rows: int, seed: int) -> Floats:
    random = np.random.default_rng(seed)
    truth = random.choice([0.0, 0.03, math.log1p(MARGIN), 0.09, -0.12], size=(rows, 1))
    spread = random.choice([0.01, 0.02, 0.04], size=(rows, 1))
    return truth + spread * random.standard_normal((runs, rows, PLANNED[-1]))


def test_whole_runs_through_the_judge_and_the_allocation_are_what_the_simulation_says() -> None:
    noise = mixed_differences(3, 12, 5)
    said = budgeted(noise, MARGIN, simulation.ROWS_PER_CELL)
    cells = [("cpu", str(cell), "tf-module", "tf-load") for cell in range(3)]
    for run, values in enumerate(noise):
        going, counts, rows = list(cells), np.zeros(12), ()
        for look, blocks in enumerate(PLANNED):
            counts[[row for row in range(12) if cells[row // simulation.ROWS_PER_CELL] in going]] = blocks
            rows = judge(row_inputs(values, counts), looks=PLANNED[: look + 1])
            going = list(allocate(rows, going, PLANNED[-1]).cells)
        assert [row.verdict in CALLED for row in rows] == said.called[run].tolist()
        assert [row.verdict is Verdict.SAME for row in rows] == said.same[run].tolist()
        assert counts.tolist() == said.blocks[run].tolist()


def test_runs_of_fixed_length_are_judged_alike_too() -> None:
    noise = mixed_differences(4, 12, 6)[..., :8]
    said = judged_once(noise, MARGIN)
    for run, values in enumerate(noise):
        rows = judge(row_inputs(values, np.full(12, 8)))
        assert [row.verdict in CALLED for row in rows] == said.called[run].tolist()
        assert [row.verdict is Verdict.SAME for row in rows] == said.same[run].tolist()


@pytest.mark.parametrize("family", FAMILIES)
def test_false_findings_stay_at_the_nominal_rate_over_whole_runs(family: str) -> None:
    runs, noise = 400, FAMILIES[family]
    assert simulation.unchanged_runs(np.random.default_rng(1), noise, runs, 10).alarm_rate <= at_most(0.05, runs)
    mixed = simulation.mixed_runs(np.random.default_rng(2), noise, runs, 10)
    assert mixed.false_rate <= at_most(0.05, runs)
    assert mixed.found >= 0.9


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("drop", [True, False])
def test_false_findings_stay_there_with_four_looks_and_cells_dropping_out(family: str, drop: bool) -> None:
    runs, noise = 300, FAMILIES[family]
    for margin in (0.0, 0.05):
        random = np.random.default_rng(3)
        unchanged = simulation.budgeted_runs(random, noise, runs, margin=margin, mixed=False, drop=drop)
        assert unchanged.alarm_rate <= at_most(0.05, runs)
    mixed = simulation.budgeted_runs(np.random.default_rng(4), noise, runs, margin=0.05, mixed=True, drop=drop)
    assert mixed.false_rate <= at_most(0.05, runs)
    assert mixed.found >= 0.9


def test_looks_that_are_not_paid_for_raise_false_alarms() -> None:
    """Else the simulation could not show that paying is needed."""
    free = simulation.budgeted_runs(
        np.random.default_rng(5), FAMILIES["log-normal"], 400, margin=0.0, mixed=False, pay=False, drop=False
    )
    assert free.alarm_rate > 0.08


def test_power_is_what_was_promised() -> None:
    found = simulation.power(np.random.default_rng(6), 4000, spread=0.02, blocks=10, margin=0.02, change=0.05)
    assert found >= 0.95


@pytest.mark.parametrize("family", FAMILIES)
def test_a_change_at_the_margin_is_the_same_at_most_one_time_in_twenty(family: str) -> None:
    for blocks in (5, 10, 20):
        said = simulation.same_at_margin(np.random.default_rng(7), FAMILIES[family], 4000, blocks, 0.05)
        assert said <= at_most(0.05, 4000)
    assert simulation.same_at_margin_budgeted(np.random.default_rng(8), FAMILIES[family], 100, 0.05) <= 0.05


def test_asvs_rule_is_asvs() -> None:
    random = np.random.default_rng(9)
    old = np.exp(random.normal(0, 0.05, (20, 30)))
    new = np.exp(random.normal(0, 0.05, (20, 30)) + np.linspace(-0.3, 0.3, 20)[:, None])
    told = others.asv_compare(old, new)
    for row, (before, after) in enumerate(zip(old.tolist(), new.tolist(), strict=True)):
        sides = [(compute_stats(side, 1)[1], side) for side in (before, after)]
        medians = [float(np.median(side)) for side in (before, after)]
        better = _is_result_better(medians[1], medians[0], sides[1], sides[0], 1.1)
        worse = _is_result_better(medians[0], medians[1], sides[0], sides[1], 1.1)
        assert (better or worse) == told[row], row
    assert told.any()
    assert not told.all()
    assert _stats.is_different  # what `_is_result_better` asks


def test_pooling_repeats_raises_alarms_where_pairing_blocks_does_not() -> None:
    said = {rival.name: rival for rival in simulation.rivals(np.random.default_rng(10), FAMILIES["log-normal"], 20)}
    ours = said["this project, margin 2 %"]
    assert ours.false < 0.01
    assert ours.found_15 > 0.99
    assert said["pyperf compare_to"].false > 0.05


@pytest.mark.parametrize("blocks", [4, 5, 8, 11])
@pytest.mark.parametrize("family", ["log-normal", "a mode a block", "changing from run to run"])
def test_few_blocks_hold_the_rate_by_what_like_rows_say(family: str, blocks: int) -> None:
    runs, noise = 400, FAMILIES[family]
    unchanged = simulation.unchanged_runs(np.random.default_rng(11), noise, runs, blocks)
    assert unchanged.alarm_rate <= at_most(0.05, runs)
    alone, helped = (
        simulation.mixed_runs(np.random.default_rng(12), noise, runs, blocks, moderate=moderate)
        for moderate in (False, True)
    )
    assert helped.false_rate <= at_most(0.05, runs)
    assert helped.found >= alone.found


def test_a_row_by_itself_is_fooled_by_four_blocks_in_one_mode() -> None:
    """Else the simulation could not show that like rows are needed."""
    alone = simulation.unchanged_runs(np.random.default_rng(13), FAMILIES["a mode a block"], 400, 4, moderate=False)
    assert alone.alarm_rate > 0.15


@pytest.mark.parametrize(("share", "noisy"), [(0.025, 10.0), (0.25, 4.0), (0.5, 3.0)])
def test_rows_noisier_than_those_they_are_said_to_be_like_keep_the_rate(share: float, noisy: float) -> None:
    for blocks in (4, 8):
        found = simulation.unlike_runs(np.random.default_rng(14), 400, blocks, noisy, share)
        assert found.alarm_rate <= at_most(0.05, 400)
