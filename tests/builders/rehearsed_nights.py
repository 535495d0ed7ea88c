"""Nights without TensorFlow: everything of a night is real but the measurements, which are drawn as a file says.

`plants.json` in the project holds, by parts of a subject's name, the run's kind and the machine's name with spaces
between, the factor of its loads, `larger.json` that of what it saves. `python -m
tests.builders.rehearsed_nights ARGUMENTS` is `savedmodel-bench ARGUMENTS` with such measurements, for what runs the
command from outside. `killed.json` may name a kind of run that is killed after so many blocks, once; or ["find", 0]
and ["conclude", 0].
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.commands.shared import machine_night
from harness.measure import run as measuring
from harness.measure.limits import Limits
from harness.measure.plan import Plan
from harness.measure.progress import Progress
from harness.measure.sitting import Outcome
from harness.planning import nights
from harness.store.records import Record, complete_blocks
from harness.store.runs import RunDirectory
from tests.builders.stored_runs import block_end, repeat

PRESET = """\
[rehearsed]
title = "Two models"
time_margin = 0.05
blocks = 10
timeout_s = 60

[[rehearsed.groups]]
devices = ["cpu"]
models = ["mlp-s", "conv-s"]
writer = "tf-module"
reader = "tf-load"
save_repeats = 1
warm_repeats = 1
"""
SECONDS = {"mlp-s": 0.1, "conv-s": 0.3}
NOISE = 0.01


class DrawnSitting:
    """A stretch of a run whose blocks are drawn; takes the place of `harness.measure.sitting.Sitting`."""

    def __init__(
        self, root: Path, plan: Plan, limits: Limits, progress: Progress, run: RunDirectory, records: list[Record],
        gpu: Any,
    ) -> None:  # fmt: skip
        self._root, self._plan, self._limits, self._run, self._records = root, plan, limits, run, records

    def measure(self) -> Outcome:
        plan, run = self._plan, self._run
        before = complete_blocks(self._records)
        planned = plan.looks[1] if plan.looks else plan.preset.blocks
        models = list(dict.fromkeys(cell.model for cell in plan.preset.cells))
        with run.writer() as writer:
            for block in range(planned):
                if block in before:
                    continue
                _be_killed(self._root, plan.kind, block)
                for record in _block(self._root, plan, models, block):
                    writer.append(record)
        looks = {"looks": list(plan.looks[:2])} if plan.looks else {}
        run = run.updated(state="complete", blocks=planned, blocks_planned=planned, disturbed=None, **looks)
        return Outcome(run, planned, len(before), planned, False, None)


def _be_killed(root: Path, what: str, block: int = 0) -> None:
    file = root / "killed.json"
    if file.exists() and json.loads(file.read_text()) == [what, block]:
        file.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


def _killing(what: str, real: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that may end the process after it did its work and before anybody wrote down that it did."""

    def function(*arguments: Any, **named: Any) -> Any:
        found = real(*arguments, **named)
        _be_killed(Path.cwd(), what)
        return found

    return function


def _block(root: Path, plan: Plan, models: list[str], block: int) -> list[Record]:
    drawn = random.Random(zlib.crc32(f"{plan.kind} {plan.seed} {block}".encode()))
    records = []
    for model in models:
        day = drawn.gauss(0, 0.1)
        for subject in plan.subjects:
            seconds = SECONDS[model] * factor(root, subject, plan) * (1 + day + drawn.gauss(0, NOISE))
            cell = {"device": "cpu", "model": model, "writer": "tf-module", "reader": "tf-load"}
            records.append(repeat(seconds, subject=subject, block=block, cell=cell, page_cache="warm"))
            size = round(1e6 * factor(root, subject, plan, "larger.json"))
            saved = {"metric": "artifact_bytes", "operation": "save", "cell": {**cell, "reader": None}}
            records.append(repeat(size, subject=subject, block=block, **saved))
    return [*records, block_end(block)]


def factor(root: Path, subject: str, plan: Plan, name: str = "plants.json") -> float:
    """Return by how much longer a subject takes to load, or by how much larger what it saves is."""
    places = (root / name, Path.cwd() / name)  # a job has a root of its own
    file = next((one for one in places if one.exists()), root / name)
    plants: dict[str, float] = json.loads(file.read_text()) if file.exists() else {}
    of, found = f"{subject} {plan.kind} {plan.machine.name}", 1.0
    if subject.endswith("@canary"):
        found = 1.3 if name == "plants.json" else 2.0
    for part, by in plants.items():
        found *= by if all(word in of for word in part.split()) else 1.0
    return found


def rehearse(patch: Any) -> None:
    """Let everything that measures in this process draw; `patch(object, name, value)` sets an attribute."""
    patch(measuring, "Sitting", DrawnSitting)
    patch(measuring, "with_floors", lambda run, kind: run)
    patch(nights, "installed", _killing("find", nights.installed))
    patch(machine_night, "conclude", _killing("conclude", machine_night.conclude))


def make_rehearsed(root: Path) -> None:
    """Put the test plan of rehearsed nights into a project."""
    (root / "rehearsed.toml").write_text(PRESET)


@pytest.fixture
def rehearsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything that measures in this test draw."""
    rehearse(monkeypatch.setattr)


if __name__ == "__main__":
    from harness.cli import main

    rehearse(setattr)
    sys.exit(main(sys.argv[1:]))
