"""Blocks that write made-up records at once, in the place of `harness.measure.sitting.Block`, and a plan for them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from stored_runs import MACHINE, NEW, OLD, PROJECT

from harness.machine.identity import describe_machine
from harness.measure.plan import Plan
from harness.measure.presets import Cell, Group, Preset
from harness.measure.progress import Silent
from harness.releases.environments import Environment
from harness.releases.manifest import read_manifest


class Told(Silent):
    """Keeps the sentences that are said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


class MadeUpBlock:
    """A block whose records a test makes up in `samples`; to be put in the place of the real one."""

    def __init__(self, conditions: Any, number: int, attempt: int, writer: Any, *_: object) -> None:
        self.conditions, self.number = conditions, number
        self.random = np.random.default_rng(number)
        self._place, self._writer = {"block": number, "attempt": attempt}, writer

    @property
    def groups(self) -> list[Group]:
        """The groups of the plan that this block measures."""
        return [group for group in self.conditions.preset.groups if group.is_in(self.number)]

    def samples(self) -> Iterator[dict[str, Any]]:
        """Yield what `sample` gives, for each measurement of the block."""
        raise NotImplementedError

    def measure(self) -> list[float]:
        """Write the block and return the seconds of its parts."""
        for sample in self.samples():
            self._writer.append({**self._place, **sample})
        self._writer.append({**self._place, "type": "block", "complete": True, "duration_s": 1.0})
        return [0.0] * (1 + len(self.groups))

    @staticmethod
    def sample(
        subject: str, cell: Cell | None, operation: str, metric: str, value: float, **facts: Any
    ) -> dict[str, Any]:
        """Return the record of one measurement, without its block."""
        return {
            "type": "repeat", "subject": subject, "cell": dataclasses.asdict(cell) if cell else None,
            "operation": operation, "page_cache": None, "repeat": 0, "isolation": "fork", "status": "ok",
            "reason": None, "wall_s": 1.0, "metrics": [{"metric": metric, "value": value}], "absent": [], "taints": [],
            **facts,
        }  # fmt: skip


def made_up_plan(preset: Preset, seed: int = 1, looks: tuple[int, ...] = ()) -> Plan:
    """Return a plan that compares two releases which are installed nowhere."""
    releases = read_manifest(PROJECT / "releases.toml")
    environments = {
        name: Environment(name, releases.find(name), Path("python"), "cpu", "today", "3.11", "sha256:1", "3", True)
        for name in (OLD, NEW)
    }
    return Plan("compare", preset, environments, describe_machine(MACHINE), seed, "fork", looks=looks)
