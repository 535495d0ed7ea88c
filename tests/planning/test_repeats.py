"""The repeats of a run's later blocks follow the noise of its earlier ones; a made-up block writes its records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_blocks import MadeUpBlock, Told, made_up_plan
from stored_runs import project_root

from harness.measure import sitting as sitting_module
from harness.measure.limits import Limits
from harness.measure.passes import PASSES
from harness.measure.plan import Plan
from harness.measure.presets import Cell, Group, Preset
from harness.measure.progress import Silent
from harness.measure.run import measure
from harness.planning.repeats import allot_of

METRIC = {"save": "save_first_s", "cold": "load_cold_s"}
PLANNED = {"save": 4, "cold": 8}
SECONDS = {"save": 2.0, "cold": 1.0}


@pytest.fixture
def repeats_of_blocks(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, int]]:
    """The repeats of each block, as the made-up block saw them: its saves are noisy, its loads are not."""
    seen: list[dict[str, int]] = []

    class Block(MadeUpBlock):
        def samples(self) -> Iterator[dict[str, Any]]:
            (group,) = self.groups
            seen.append(dict(group.repeats))
            for name, count in group.repeats.items():
                for number in range(count):
                    for subject in self.conditions.subjects:
                        value = float(np.exp(self.random.normal(0, 0.4 if name == "save" else 0.01)))
                        yield self.sample(
                            subject.name, group.cells[0], PASSES[name].recorded, METRIC[name], value,
                            page_cache=PASSES[name].page_cache, repeat=number, wall_s=SECONDS[name],
                        )  # fmt: skip

    monkeypatch.setattr(sitting_module, "Block", Block)
    return seen


def plan(seed: int = 1) -> Plan:
    group = Group((Cell("cpu", "mlp-s", "tf-module", "tf-load"),), PLANNED, 0, 0, (), 0.1, None, False)
    return made_up_plan(Preset("mine", "Mine", 0.10, 4, 60, None, (group,)), seed)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return project_root(tmp_path)


def test_noisy_operations_get_the_time_of_quiet_ones(root: Path, repeats_of_blocks: list[dict[str, int]]) -> None:
    told = Told()
    measure(root, plan(), Limits(allot=allot_of(root, told)), told)
    assert repeats_of_blocks[:3] == [PLANNED] * 3
    later = repeats_of_blocks[3:]
    assert later == [{"save": 6, "cold": 4}]
    (line,) = told.lines
    assert line == (
        "By the noise of 3 blocks, the next ones repeat otherwise: mlp-s: 4 loads with a cold page cache (8 planned), "
        "6 saves (4 planned)."
    )


@pytest.mark.slow
def test_the_next_run_of_the_plan_begins_with_what_was_learnt(
    root: Path, repeats_of_blocks: list[dict[str, int]]
) -> None:
    measure(root, plan(), Limits(allot=allot_of(root, Silent())), Silent())
    repeats_of_blocks.clear()
    told = Told()
    measure(root, plan(seed=2), Limits(allot=allot_of(root, told)), told)
    assert repeats_of_blocks[0] == {"save": 6, "cold": 4}
    assert told.lines[0].startswith("By the noise of the run before, the next blocks repeat otherwise: mlp-s: ")


@pytest.mark.slow
def test_blocks_have_the_plans_repeats_where_nobody_divides_their_time(
    root: Path, repeats_of_blocks: list[dict[str, int]]
) -> None:
    measure(root, plan(), Limits(), Silent())
    assert repeats_of_blocks == [PLANNED] * 4
