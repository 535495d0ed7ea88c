"""The list of comparisons of planted releases with the clean one, and of a release with itself, kept run by run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle, islice, zip_longest
from pathlib import Path

from harness.errors import UsageError
from harness.measure.preset_files import read_preset
from harness.store.records import Problem
from harness.store.runs import load_run, runs_of
from tests.builders.faulty_releases import PROJECT, add_release, make_project

from .plants import PLANTS, Plant
from .scores import RunScore, score_run

PRESET = Path(__file__).with_name("planted.toml")
CLEAN, AGAIN = "clean", "clean-again"
PLANT = {plant.name: plant for plant in PLANTS}


@dataclass(frozen=True, slots=True)
class Planned:
    """One comparison to be made: the `number`th of its plant, or of the release with itself where there is none."""

    number: int
    planted: str = ""

    @property
    def new(self) -> str:
        """The name of the release on the new side."""
        return self.planted or AGAIN

    @property
    def blocks(self) -> int:
        """How many blocks it takes."""
        plant = PLANT.get(self.planted)
        return read_preset(str(PRESET)).blocks if plant is None or plant.blocks is None else plant.blocks


@dataclass(frozen=True, slots=True)
class Finished:
    """A comparison that ended: its run directory's name, what the command took and how it ended."""

    number: int
    planted: str
    run: str
    wall_s: float
    exit_code: int


def plan(plants: Sequence[Plant], runs: int, same: int) -> list[Planned]:
    """Return `runs` comparisons that take the plants in turn, between them `same` without a plant.

    Args:
        plants: what can be planted on this machine.
        runs: comparisons with a plant.
        same: comparisons of the clean release with itself.
    """
    planted = [Planned(number, plant.name) for number, plant in enumerate(islice(cycle(plants), runs), 1)]
    alike = [Planned(number) for number in range(1, same + 1)]
    return [one for pair in zip_longest(planted, alike) for one in pair if one is not None]


class PlantedRuns:
    """Such comparisons in a folder: `project/` is a project's root with the releases, and keeps what has ended.

    Args:
        folder: made where it is missing; one that was begun with other plants or another preset is refused.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder.resolve() / "project"
        if self.root.is_relative_to(PROJECT):
            raise UsageError(f"{folder} lies in the repository: give a folder outside of it, which can be deleted.")
        stamp = self.root / "plants.json"
        if not stamp.exists():
            self._make()
            stamp.write_text(json.dumps(_digests(), indent=1) + "\n")
        elif json.loads(stamp.read_text()) != _digests():
            raise UsageError(f"{folder} holds runs of other plants or of another preset: give a new folder.")

    def finished(self) -> list[Finished]:
        """Return what has ended, in that order."""
        file = self.root / "finished.jsonl"
        return [Finished(**json.loads(line)) for line in file.read_text().splitlines()] if file.exists() else []

    def open(self, planned: Sequence[Planned]) -> list[Planned]:
        """Return what of a list has not ended yet."""
        done = {(one.planted, one.number) for one in self.finished()}
        return [one for one in planned if (one.planted, one.number) not in done]

    def measure(self, planned: Planned) -> Finished:
        """Make one comparison by the project's own command, which resumes it where it was interrupted.

        Raises:
            UsageError: the command failed; what it said is in the sentence, and the comparison stays open.
            KeyboardInterrupt: it was interrupted; its complete blocks are kept.
        """
        before = {run.run for run in runs_of(self.root)[0]}
        # Its own seed makes it a run of its own, which only the same comparison resumes.
        seed = 1000 * (1 + [*PLANT, ""].index(planned.planted)) + planned.number
        command = [
            *(sys.executable, "-m", "harness.cli", "compare", CLEAN, planned.new),
            *("--preset", str(PRESET), "--blocks", str(planned.blocks), "--seed", str(seed), "--format", "json"),
        ]
        environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
        started = time.monotonic()
        done = subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, check=False)
        wall_s = time.monotonic() - started
        if done.returncode == 130:
            raise KeyboardInterrupt
        if done.returncode not in (0, 1):
            said = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
            raise UsageError(f"Comparing {CLEAN} with {planned.new} failed with {done.returncode}: {said[0]}")
        run = self.root / json.loads(done.stdout)["run"]
        if run.name in before:
            wall_s = sum(record["duration_s"] for record in _blocks(run))  # resumed: the last sitting is not all
        finished = Finished(planned.number, planned.planted, run.name, round(wall_s, 1), done.returncode)
        with (self.root / "finished.jsonl").open("a") as file:
            file.write(json.dumps(asdict(finished)) + "\n")
        return finished

    def scores(self) -> Iterator[RunScore]:
        """Yield what each comparison that has ended found, computed anew from its records."""
        paths = {run.run: run for run in runs_of(self.root)[0]}
        for one in self.finished():
            if one.run not in paths:
                raise UsageError(f"{self.root} has lost run {one.run}: take its line out of finished.jsonl.")
            planned = Planned(one.number, one.planted)
            yield score_run(
                paths[one.run], PLANT.get(one.planted), CLEAN, planned.new,
                number=one.number, wall_s=one.wall_s, exit_code=one.exit_code,
            )  # fmt: skip

    def _make(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)  # without its stamp it was begun and never measured
        make_project(self.root)
        add_release(self.root, CLEAN)
        add_release(self.root, AGAIN, python=self.root / "wrappers" / CLEAN / "python")
        for plant in PLANTS:
            add_release(self.root, plant.name, patch=plant.patch)


def _blocks(path: Path) -> list[dict[str, float]]:
    run = load_run(path)
    if isinstance(run, Problem):
        raise UsageError(str(run))
    return [record for record in run.records()[0] if record["type"] == "block"]


def _digests() -> dict[str, str]:
    """Return what comparisons that belong together share; what a plant may move is asked when they are scored."""
    texts = {plant.name: f"{plant.patch} {plant.blocks}" for plant in PLANTS} | {"preset": PRESET.read_text()}
    return {name: hashlib.sha256(text.encode()).hexdigest()[:16] for name, text in texts.items()}
