"""A wide history of an imaginary asv project, as large as numpy's real one: what `history` and others take.

    python -m tests.speed.wide_history --write-docs

makes 1,400 result files of three environments of one machine, 900 commits, 7,500 series (some 2.7 million values,
240 MiB of JSON), and prints wall time, CPU time and peak memory of `history`, `summary` and `report`, each a process of
its own, and how large the page is. No time ever fails it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.machine.identity import describe_machine

from .report import Target, table, targets_table, write_docs

BEGIN = "<!-- numbers: written by `python -m tests.speed.wide_history --write-docs`, from here -->"
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "speed.md"
HISTORY = "history, nothing cached"
PAGE = "report, nothing cached"
JOBS = {HISTORY: ("history",), "history": ("history",), "summary": ("summary",), PAGE: ("report",)}
_MIB = 2**20

COMMITS, SERIES = 900, 2500  # of the first environment
_MACHINE = "desk"
ENVIRONMENTS = {"virtualenv-py3.9-cython": 0.0, "virtualenv-py3.11-cython": 0.62, "virtualenv-py3.12-cython": 0.82}
"""Environments, and the share of all commits after which each was taken up."""
_COMBINATIONS = (1, 1, 1, 6, 12, 40)
_COLUMNS = [
    "result", "params", "version", "started_at", "duration", "stats_ci_99_a", "stats_ci_99_b", "stats_q_25",
    "stats_q_75", "stats_number", "stats_repeat",
]  # fmt: skip
_START_MS, _APART_MS = 1_300_000_000_000, 28_800_000


def make_wide(folder: Path, commits: int = COMMITS, series: int = SERIES, seed: int = 1) -> Path:
    """Make a result directory and return it.

    Half of the benchmarks are there from the first commit on, the others come later. One series in eight has a step of
    any size, one in twelve two modes, by chance or in streaks; one value in a hundred is an outlier; one in 250 failed.
    The noise is log-normal, 1.2 % in the middle.
    """
    random = np.random.default_rng(seed)
    names: list[tuple[str, int]] = []
    while (so_far := sum(number for _, number in names)) < series:
        combinations = min(_COMBINATIONS[len(names) % len(_COMBINATIONS)], series - so_far)
        names.append((f"bench_{len(names) % 20}.Suite{len(names) % 97}.time_{len(names)}", combinations))
    (folder / _MACHINE).mkdir(parents=True)
    definitions = {
        name: {
            "name": name, "unit": "seconds", "type": "time", "params": _parameters(number), "version": "1", "code": "",
            "param_names": ["size"] if number > 1 else [],
        }
        for name, number in names
    }  # fmt: skip
    (folder / "benchmarks.json").write_text(json.dumps({**definitions, "version": 2}))
    for environment, since in ENVIRONMENTS.items():
        measured = range(int(commits * since), commits)
        values = _values(random, len(measured), series)
        born = [0 if random.random() < 0.5 else int(random.integers(0, 0.9 * len(measured))) for _ in names]
        for row, commit in zip(values, measured, strict=True):
            at = commit - measured.start
            here = [(name, number, since <= at) for (name, number), since in zip(names, born, strict=True)]
            _write(folder, environment, commit, dict(_results(random, row, here)))
    return folder


def _values(random: np.random.Generator, length: int, series: int) -> NDArray[np.float64]:
    spread = np.exp(random.normal(np.log(0.012), 0.6, series))
    logs = random.normal(0, 1, (length, series)) * spread + random.uniform(-14, 0, series)
    logs += (random.random((length, series)) < 0.01) * random.uniform(0.1, 1, (length, series))
    has_modes, share = random.random(series) < 0.08, random.uniform(0.1, 0.5, series)
    apart, stays = random.uniform(0.06, 0.5, series), random.uniform(0, 0.9, series)
    slow = random.random(series) < share
    for row in logs:
        slow = np.where(random.random(series) < stays, slow, random.random(series) < share)
        row += np.where(has_modes & slow, apart, 0)
    for course in np.flatnonzero(random.random(series) < 0.12):
        logs[random.integers(min(3, length - 1), length) :, course] += random.normal(0, 0.3)
    return np.exp(logs)


def _results(
    random: np.random.Generator, row: NDArray[np.float64], benchmarks: list[tuple[str, int, bool]]
) -> Iterator[tuple[str, list[Any]]]:
    at = 0
    for name, number, is_there in benchmarks:
        part, at = row[at : at + number], at + number
        if not is_there:
            continue
        fates = random.random(number)
        values = [
            None if fate < 0.004 else float("nan") if fate < 0.01 else float(value)
            for fate, value in zip(fates, part, strict=True)
        ]
        good = [None if value is None or value != value else value for value in values]
        around = [[None if v is None else float(f"{v * f:.5g}") for v in good] for f in (0.97, 1.03, 0.99, 1.01)]
        counts = [[None if v is None else 10 for v in good]] * 2
        yield name, [values, _parameters(number), "1", _START_MS, 1.5, *around, *counts]


def _write(folder: Path, environment: str, commit: int, results: dict[str, list[Any]]) -> None:
    name = f"{(commit * 2654435761 + 12345) % 2**32:08x}{commit:032x}"
    document = {
        "commit_hash": name, "env_name": environment, "date": _START_MS + commit * _APART_MS, "python": "3.11",
        "params": {"machine": _MACHINE}, "requirements": {}, "env_vars": {}, "result_columns": _COLUMNS,
        "results": results, "durations": {}, "version": 2,
    }  # fmt: skip
    (folder / _MACHINE / f"{name[:8]}-{environment}.json").write_text(json.dumps(document))


def _parameters(combinations: int) -> list[list[str]]:
    return [[str(place * 10 + 7) for place in range(combinations)]] if combinations > 1 else []


def measure(folder: Path, commits: int = COMMITS, series: int = SERIES) -> list[tuple[str, float, float, float, str]]:
    """Make a wide history in `folder`; return (job, wall s, CPU s, peak bytes, what it said) of each command."""
    results = make_wide(folder / "results", commits, series)
    for file in results.rglob("*.json"):
        os.utime(file, ns=(10**18, 10**18))  # what has only just changed is read again each time
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "PYTHONPATH": os.pathsep.join(sys.path)}
    rows = []
    page = folder / "report.html"
    for job, arguments in JOBS.items():
        if job == PAGE:
            shutil.rmtree(folder / "cache", ignore_errors=True)
            arguments = (*arguments, "--output", str(page))
        code = f"from harness.cli import main; raise SystemExit(main({[*arguments, '--results', str(results)]!r}))"
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        said = f"{page.stat().st_size / _MIB:.1f} MiB" if job == PAGE else done.stdout.splitlines()[0]
        rows.append((job, seconds, used, after.ru_maxrss * 1024.0, said))
    return rows


def main() -> None:
    """Measure, print, and write the document where that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.speed.wide_history", description=__doc__.splitlines()[0])
    parser.add_argument("--write-docs", action="store_true", help="put the tables into docs/speed.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        rows = measure(Path(temporary))
    told = {job: (wall, said) for job, wall, _, _, said in rows}
    shown = table(
        ("job", "wall s", "CPU s", "peak MiB", ""),
        [
            (job, f"{wall:.1f}", f"{cpu:.1f}", f"{peak / _MIB:.0f}", said if job != "summary" else "")
            for job, wall, cpu, peak, said in rows
        ],
    )
    targets = [
        Target(HISTORY, "wall time", told[HISTORY][0], 60, True, "s"),
        Target(PAGE, "wall time", told[PAGE][0], 60, True, "s"),
        Target(PAGE, "size", float(told[PAGE][1].split()[0]), 5, True, "MiB"),
    ]
    lines = [*targets_table(targets), "", *shown]
    print("\n".join(lines))
    if options.write_docs:
        machine = describe_machine()
        write_docs(DOCUMENT, [f"On {machine.cpu}, {machine.usable_cpus} CPUs.", "", *lines], BEGIN)


if __name__ == "__main__":
    main()
