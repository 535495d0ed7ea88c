"""A budgeted run from its first block to its verdicts, with a block that writes made-up records at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_blocks import MadeUpBlock, Told, made_up_plan
from stored_runs import NEW, OLD, project_root

from harness.answers import judging
from harness.answers.notes import Looked
from harness.measure import sitting as sitting_module
from harness.measure.limits import Limits
from harness.measure.narrowing import narrow
from harness.measure.plan import Plan
from harness.measure.preset_files import read_preset
from harness.measure.presets import Preset
from harness.measure.progress import Silent
from harness.measure.run import measure
from harness.measure.sitting import Outcome
from harness.planning.review import block_seconds, review_of
from harness.report.notes import notes_text
from harness.verdict.looks import PLANNED
from harness.verdict.rows import Verdict

QUIET, NEAR, HOPELESS = "mlp-s", "mlp-m", "conv-s"
RATIOS = {QUIET: 1.0, NEAR: 1.0, HOPELESS: 1.0}
SPREADS = {QUIET: 0.005, NEAR: 0.08, HOPELESS: 0.6}


@pytest.fixture
def measured_cells(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The models of each block, as the made-up block saw them."""
    seen: list[tuple[str, ...]] = []

    class Block(MadeUpBlock):
        def samples(self) -> Iterator[dict[str, Any]]:
            cells = [cell for group in self.groups for cell in group.cells]
            seen.append(tuple(cell.model for cell in cells))
            for subject in self.conditions.subjects:
                import_s = 4 * float(np.exp(self.random.normal(0, 0.01)))
                yield self.sample(subject.name, None, "import", "import_s", import_s)
                for cell in cells:
                    ratio = RATIOS[cell.model] if subject.name == NEW else 1.0
                    noise = self.random.normal(0, SPREADS[cell.model] / np.sqrt(2))
                    yield self.sample(subject.name, cell, "load", "load_warm_s", 0.1 * ratio * float(np.exp(noise)))

    monkeypatch.setattr(sitting_module, "Block", Block)
    return seen


def plan(looks: tuple[int, ...] = PLANNED) -> Plan:
    return made_up_plan(preset(), looks=looks)


def preset() -> Preset:
    whole = dataclasses.replace(narrow(read_preset("quick"), devices=["cpu"]), work=False)
    return whole.with_cells([dataclasses.asdict(cell) for cell in whole.cells if cell.model in RATIOS][:3])


Measured = Callable[..., Outcome]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return project_root(tmp_path)


@pytest.mark.slow
def test_settled_and_hopeless_cells_stop_and_near_ones_get_blocks(
    root: Path, measured_cells: list[tuple[str, ...]]
) -> None:
    told = Told()
    outcome = measure(root, plan(), Limits(budget_s=3600, review=review_of(None, told)), told)
    assert set(measured_cells[0]) == set(RATIOS)
    assert measured_cells[5] == (NEAR,)
    looks = outcome.run.facts["looks"]
    assert looks == list(PLANNED[: len(looks)])
    assert outcome.blocks == looks[-1] == len(measured_cells)
    assert outcome.run.facts["state"] == "complete"
    assert told.lines[0].startswith(
        "After 5 blocks, 1 comparison is inconclusive: 1 of 3 test cases are measured further"
    )
    rows = {row.model: row for row in judging.compare_in_run(outcome.run, OLD, NEW).rows}
    assert rows[QUIET].verdict is Verdict.SAME
    assert rows[HOPELESS].verdict is Verdict.INCONCLUSIVE
    assert rows[HOPELESS].blocks_needed is None or rows[HOPELESS].blocks_needed > PLANNED[-1]
    assert rows[QUIET].blocks == rows[HOPELESS].blocks == 5
    assert rows[NEAR].blocks == outcome.blocks > 5


@pytest.mark.slow
def test_the_end_of_the_budget_takes_the_place_of_the_next_look(
    root: Path, measured_cells: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sitting_module.Sitting,
        "_cannot_end_in_time",
        lambda self, number, preset: "the budget is spent" if number == 6 else None,
    )
    outcome = measure(root, plan(), Limits(budget_s=60, review=review_of(None, Silent())), Silent())
    assert outcome.run.facts["looks"] == [5, 6]
    assert (outcome.blocks, outcome.stopped_by, len(measured_cells)) == (6, "the budget is spent", 6)
    notes = notes_text(judging.compare_in_run(outcome.run, OLD, NEW).notes)
    assert any("tested after 5 and 6 blocks" in note for note in notes)


@pytest.mark.slow
def test_an_interrupted_run_goes_on_with_the_cells_that_were_open(
    root: Path, measured_cells: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(self: Any, number: int, preset: Preset) -> str | None:
        if number == 6:
            raise KeyboardInterrupt
        return None

    with monkeypatch.context() as patch:
        patch.setattr(sitting_module.Sitting, "_cannot_end_in_time", interrupt)
        first = measure(root, plan(), Limits(budget_s=60, review=review_of(None, Silent())), Silent())
    assert (first.interrupted, first.run.facts["looks"]) == (True, [5])
    second = measure(root, plan(), Limits(budget_s=60, review=review_of(None, Silent())), Silent())
    assert second.run.run == first.run.run
    assert second.blocks_before == 6
    assert measured_cells[6] == (NEAR,)
    assert second.run.facts["looks"][:2] == [5, 8]


@pytest.mark.slow
def test_without_looks_nothing_is_judged_on_the_way_and_no_cell_stops(
    root: Path, measured_cells: list[tuple[str, ...]]
) -> None:
    outcome = measure(root, plan(looks=()), Limits(), Silent())
    assert "looks" not in outcome.run.facts
    assert outcome.blocks == preset().blocks
    assert len(set(measured_cells)) == 1
    assert not any(isinstance(note, Looked) for note in judging.compare_in_run(outcome.run, OLD, NEW).notes)


def test_the_price_of_a_block_is_read_from_its_records() -> None:
    cell = {"device": "cpu", "model": "mlp-s", "writer": "tf-module", "reader": "tf-load"}
    records = [{"cell": None, "wall_s": 8.0}, {"cell": cell, "wall_s": 1.5}, {"cell": cell, "wall_s": 2.0}]
    assert block_seconds(records) == (8.0, {("cpu", "mlp-s", "tf-module", "tf-load"): 3.5})
