"""One night of a large fleet, 8 machine types with 300 models each: `python -m tests.speed.fleet_scale`.

Its runs are made of the committed reference run's own records (two releases, all blocks, whole records with phases
and evidence); only names and values are others. The night is copied, file by file and synced, and then merged by
`savedmodel-bench results merge`: the merge should be at least half as fast. Merging it again should be quick.

Then `savedmodel-bench fleet report --nights 30` reads the kept answers of 30 such nights, which are drawn: each has the
rows that `compare` has of the reference run's models, for all models and types. No time ever fails it.
"""

from __future__ import annotations

import argparse
import datetime
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from harness.answers.judging import compare_in_run
from harness.fleet.kept import KeptAnswer, keep
from harness.machine.identity import describe_machine
from harness.store.records import Record
from harness.store.runs import open_run, runs_of

from .report import Target, table, targets_table, write_docs

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "speed.md"
BEGIN = "<!-- numbers: written by `python -m tests.speed.fleet_scale --write-docs`, from here -->"
START = datetime.datetime(2026, 9, 1, tzinfo=datetime.UTC)
TYPES, MODELS, NIGHTS = 8, 300, 30
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Night:
    """What was written: folders of runs, `<machine>/<run>`, and how much."""

    runs: tuple[Path, ...]
    models: int  # of each run
    records: int
    bytes: int

    def __str__(self) -> str:
        share = len(self.runs) * self.models
        return (
            f"{len(self.runs)} types x {self.models} models: {self.records:,} records, {self.bytes / 1e6:,.0f} MB; a "
            f"model has {self.records / share:,.0f} records and {self.bytes / share / 1e3:,.0f} kB"
        )


class Template:
    """The reference run with the most blocks, its two newest releases."""

    def __init__(self) -> None:
        run = max(runs_of(ROOT, reference=True)[0], key=lambda one: (one.facts["kind"] == "run", one.facts["blocks"]))
        self.subjects = run.facts["subjects"][-2:]
        self.facts = run.facts
        names = {subject["name"] for subject in self.subjects}
        records = [one for one in run.records()[0] if one["type"] == "block" or one["subject"] in names]
        self.blocks = sorted({one["block"] for one in records})
        self.models = sorted({one["cell"]["model"] for one in records if one.get("cell")})
        self._parts: dict[tuple[int, str], list[Record]] = {}
        for one in records:
            part = "block" if one["type"] == "block" else (one["cell"] or {}).get("model", "-")
            self._parts.setdefault((one["block"], part), []).append(one)

    def name(self, number: int) -> str:
        """Return what a model is called: the reference run's own in turn, each with a number."""
        return f"{self.models[number % len(self.models)]}-{number:03}"

    def lines(self, models: int, noise: random.Random) -> Iterator[bytes]:
        """Yield the records of a run with so many models, every value multiplied by noise of 3 %."""
        encoder = msgspec.json.Encoder()
        for block in self.blocks:
            for one in self._parts.get((block, "-"), ()):
                yield encoder.encode(_noisy(one, noise)) + b"\n"
            for number in range(models):
                name = self.name(number)
                for one in self._parts.get((block, self.models[number % len(self.models)]), ()):
                    yield encoder.encode({**_noisy(one, noise), "cell": {**one["cell"], "model": name}}) + b"\n"
            for one in self._parts[block, "block"]:
                yield encoder.encode(one) + b"\n"

    def facts_of(self, machine: str, began: datetime.datetime, run: str, models: int) -> dict[str, Any]:
        """Return what run.json holds."""
        groups = [
            {
                **group,
                "cells": [
                    {**cell, "model": self.name(number)}
                    for cell in group["cells"]
                    for number in range(models)
                    if self.models[number % len(self.models)] == cell["model"]
                ],
            }
            for group in self.facts["preset"]["groups"]
        ]
        return {
            **self.facts,
            "run": run,
            "created_at": began.isoformat(),
            "subjects": self.subjects,
            "machine": {**self.facts["machine"], "name": machine},
            "preset": {**self.facts["preset"], "groups": groups},
        }


def _noisy(record: Record, noise: random.Random) -> Record:
    metrics = [{**one, "value": one["value"] * noise.gauss(1, 0.03)} for one in record.get("metrics") or ()]
    return {**record, "metrics": metrics}


def make_night(folder: Path, types: int = TYPES, models: int = MODELS, night: int = 0) -> Night:
    """Write one night of a fleet below `folder`, a run for each type."""
    template = Template()
    runs, records, size = [], 0, 0
    for number in range(types):
        noise = random.Random(f"{night} {number}")
        began = START + datetime.timedelta(days=night, seconds=number)
        run, machine = f"{began:%Y%m%dT%H%M%S}-{night:04x}", f"type{number}-node-24gib"
        path = folder / machine / run
        path.mkdir(parents=True)
        (path / "run.json").write_bytes(msgspec.json.encode(template.facts_of(machine, began, run, models)))
        with (path / "records.jsonl").open("wb", buffering=_MIB) as file:
            for line in template.lines(models, noise):
                records += 1
                size += file.write(line)
        runs.append(path)
    return Night(tuple(runs), models, records, size)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one job took; CPU with what the kernel did for it."""

    job: str
    wall_s: float
    cpu_s: float
    peak_bytes: float | None = None


def measure(folder: Path, night: Night, rounds: int) -> list[list[Cost]]:
    """Copy the night, merge it, and merge it once more, so many times; nothing of it is in memory before each."""
    return [_round(folder, night) for _ in range(rounds)]


def _round(folder: Path, night: Night) -> list[Cost]:
    copies, project = folder / "copies", folder / "project"
    for path in (copies, project):
        shutil.rmtree(path, ignore_errors=True)
    copies.mkdir()
    project.mkdir()
    for name in ("asv.conf.json", "releases.toml"):
        shutil.copy(ROOT / name, project / name)

    def copy() -> float | None:
        for path in night.runs:
            _copy(path / "records.jsonl", copies / path.parent.name)
        return None

    def merge() -> float | None:
        return command(project, "results", "merge", str(night.runs[0].parents[1]))

    costs = [timed("copy, each file synced", copy, night)]
    shutil.rmtree(copies)
    costs.append(timed("merge", merge, night))
    costs.append(timed("merge again", merge, night))
    return costs


def timed(job: str, do: Callable[[], float | None], night: Night) -> Cost:
    """Run one job with a cold page cache."""
    os.sync()
    for path in night.runs:
        with (path / "records.jsonl").open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    before, began = _used_s(), time.perf_counter()
    peak = do()
    return Cost(job, time.perf_counter() - began, _used_s() - before, peak)


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    with target.open("rb+") as file:
        os.fsync(file.fileno())


def command(project: Path, *words: str) -> float:
    """Run a command of ours in a process of its own, and return its peak memory in bytes."""
    code = (
        "import os, resource, sys; from harness.cli import main; os.chdir(sys.argv[1]); code = main(sys.argv[2:])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024); raise SystemExit(code)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code, str(project), *words],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(done.stdout.splitlines()[-1])


def _used_s() -> float:
    found = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in found)


def make_answers(root: Path, nights: int, types: int = TYPES, models: int = MODELS, seed: int = 1) -> tuple[int, int]:
    """Keep the answers of so many nights, and return the rows of one over all types, and the bytes of all.

    One row in a hundred changes in some night on some types, by any size; the others stay as they are.
    """
    random = np.random.default_rng(seed)
    keys = _keys(root / "small", models)
    shape = (len(keys), types)
    names = tuple(f"type{number}" for number in range(types))
    begins = np.where(random.random(shape) < 0.01, random.integers(0, nights, shape), nights)
    shifts, levels = random.normal(0, 0.3, shape), np.exp(random.uniform(-9, 2, shape))
    size = 0
    for night in range(nights):
        began = START + datetime.timedelta(days=night)
        changed = begins <= night
        ratio = np.exp(random.normal(0, 0.01, shape) + shifts * changed)
        verdicts = np.where(changed, np.where(shifts > 0, 0, 1), np.where(random.random(shape) < 0.2, 3, 2))
        columns = {
            "row": np.repeat(np.arange(len(keys), dtype=np.int32), types),
            "on": np.tile(np.arange(types, dtype=np.int16), len(keys)),
            "verdict": verdicts.astype(np.int8).ravel(), "stated": verdicts.astype(np.int8).ravel(),
            "blocks": np.full(len(keys) * types, 10, dtype=np.int32),
            "old": levels.ravel(), "new": (levels * ratio).ravel(), "ratio": ratio.ravel(),
            "low": (ratio * 0.98).ravel(), "high": (ratio * 1.02).ravel(), "p": random.random(shape).ravel(),
        }  # fmt: skip
        kept = KeptAnswer(
            f"{began:%Y%m%dT%H%M%S}-{night:04x}", ("compare", "2.20", "2.21"), "v2.20.0", "v2.21.0",
            dict.fromkeys(names, 1.0), (), keys, random.random(len(keys)), names, columns,
        )  # fmt: skip
        size += keep(root, kept).stat().st_size
    return len(keys) * types, size


def _keys(folder: Path, models: int) -> tuple[tuple[str, ...], ...]:
    """Return the rows of so many models, made of those that `compare` has of the reference run's own models."""
    template = Template()
    small = len(template.models)
    (run,) = make_night(folder, 1, small).runs
    rows = compare_in_run(open_run(run), *(subject["name"] for subject in template.subjects)).rows
    shutil.rmtree(folder)
    by_model: dict[str, list[tuple[str, ...]]] = {}
    for row in rows:
        by_model.setdefault(row.model, []).append((*row.key, row.unit))
    found = list(by_model.pop("-", ()))
    for number in range(models):
        for metric, device, _, variant, unit in by_model[template.name(number % small)]:
            found.append((metric, device, template.name(number), variant, unit))
    return tuple(found)


def measure_report(root: Path, nights: int) -> Cost:
    """Report over the nights that were kept below `root`."""
    before, began = _used_s(), time.perf_counter()
    peak = command(root, "fleet", "report", "--nights", str(nights), "--format", "markdown", "--output", "report.md")
    return Cost(f"report over {nights} nights", time.perf_counter() - began, _used_s() - before, peak)


def shown_report(cost: Cost, rows: int, size: int) -> list[str]:
    """Return the targets of the report over nights, and what it took."""
    peak = cost.peak_bytes or 0.0
    targets = [
        Target("report", "wall time", cost.wall_s, 60, True, "s"),
        Target("report", "peak memory", peak / _MIB, 2048, True, "MiB"),
    ]
    return [
        f"{cost.job}: {rows:,} rows a night over all types, {size / 1e6:,.0f} MB of kept answers, {cost.cpu_s:.1f} s "
        "of CPU time.",
        "",
        *targets_table(targets),
    ]


def shown(night: Night, rounds: list[list[Cost]]) -> list[str]:
    """Return the targets, and what each round took."""
    best = max(copy.wall_s / merge.wall_s for copy, merge, _ in rounds)
    targets = [Target("merge", "speed of a copy", best, 0.5, False, "x")]
    rows = [
        (
            f"{number}", one.job, f"{one.wall_s:.1f}", f"{one.cpu_s:.1f}", f"{night.bytes / one.wall_s / 1e6:,.0f}",
            "" if one.peak_bytes is None else f"{one.peak_bytes / _MIB:.0f}",
        )
        for number, costs in enumerate(rounds, start=1)
        for one in costs
    ]  # fmt: skip
    return [*targets_table(targets), "", *table(("round", "job", "wall s", "CPU s", "MB/s", "peak MiB"), rows)]


def main() -> None:
    """Measure, print, and write the document where that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.speed.fleet_scale", description=__doc__.splitlines()[0])
    parser.add_argument("--types", type=int, default=TYPES, help=f"machine types (default: {TYPES})")
    parser.add_argument("--models", type=int, default=MODELS, help=f"models of each (default: {MODELS})")
    parser.add_argument("--rounds", type=int, default=2, help="how often all is measured (default: 2)")
    parser.add_argument("--nights", type=int, default=NIGHTS, help=f"nights of the report (default: {NIGHTS})")
    parser.add_argument("--folder", type=Path, help="where it is written, twice the size of a night (default: /tmp)")
    parser.add_argument("--write-docs", action="store_true", help="put the tables into docs/speed.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        night = make_night(Path(temporary) / "night", options.types, options.models)
        lines = [f"{night}.", "", *shown(night, measure(Path(temporary), night, options.rounds))]
        rows, size = make_answers(Path(temporary) / "project", options.nights, options.types, options.models)
        lines += ["", *shown_report(measure_report(Path(temporary) / "project", options.nights), rows, size)]
    print("\n".join(lines))
    if options.write_docs:
        machine = describe_machine()
        write_docs(DOCUMENT, [f"On {machine.cpu}, {machine.usable_cpus} CPUs.", "", *lines], BEGIN)


if __name__ == "__main__":
    main()
