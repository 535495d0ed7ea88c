"""A long history of an imaginary asv project, and how long it takes to read, to search for changes and to publish.

    python -m tests.speed.asv_history --publish --write-docs

makes a git repository with a commit for each result file, the result files as asv 0.6.6 writes them, and prints a
table: wall time and peak memory of each job, each in a process of its own. No time ever fails it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from harness.machine.identity import describe_machine

from .report import Target, table, targets_table, write_docs

BEGIN = "<!-- numbers: written by `python -m tests.speed.asv_history --publish --write-docs`, from here -->"
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "speed.md"

FIRST, SECOND, CHANGES = "reading, first time", "reading, second time", "all change points"

_MACHINE, _ENVIRONMENT = "desk", "virtualenv-py3.11-numpy"
_DAY_S = 86_400
_START_S = 1_300_000_000
_COMBINATIONS = 10  # of the benchmarks that have parameters: half of all series
_COLUMNS = [
    "result", "params", "version", "started_at", "duration", "stats_ci_99_a", "stats_ci_99_b", "stats_q_25",
    "stats_q_75", "stats_number", "stats_repeat", "samples", "profile",
]  # fmt: skip

_READ = "from harness.asv.directory import read_asv_directory as read; history = read(path)\n"
_JOBS = {
    FIRST: _READ + "note = f'{len(history.values)} values'",
    SECOND: _READ + "note = 'nothing is new'",
    "reading, 1 % new files": _READ + "note = ''",
    CHANGES: _READ
    + (
        "from harness.answers.history import find_history, points_of_commits\n"
        "from harness.asv.summary import present_versions\n"
        "points = points_of_commits(present_versions(history, history.values))\n"
        "found = find_history(points, axis=('machine', 'environment'), measured='benchmark')\n"
        "note = f'{found.courses} courses, {len(found.findings)} findings'"
    ),
    "summary": (
        "from harness.asv.summary import asv_summary\n" + _READ + "note = f'{len(asv_summary(history))} series'"
    ),
}
_FRAME = (
    "import resource, sys, time; from pathlib import Path; path = Path(sys.argv[1]); began = time.perf_counter()\n"
    "{job}\nseconds = time.perf_counter() - began\n"
    "print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, note, sep='|')"
)


def make_history(folder: Path, files: int, series: int, samples: int, seed: int = 1) -> Path:
    """Make a project with a history and return its result directory.

    Half of the series are benchmarks without parameters, half belong to benchmarks with ten combinations. One series in
    ten has a step of 30 % half-way; the noise is log-normal, 3 %; one value in fifty is n/a, one in a hundred failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    commits = _make_repository(folder / "repository", files)
    results = folder / "results"
    (results / _MACHINE).mkdir(parents=True)
    grids = series // 2 // _COMBINATIONS
    shapes = [(f"suite.time_grid_{number}", _COMBINATIONS) for number in range(grids)]
    shapes += [(f"suite.time_plain_{number}", 1) for number in range(series - grids * _COMBINATIONS)]
    machine = {"machine": _MACHINE, "os": "Linux", "arch": "x86_64", "cpu": "Some CPU", "num_cpu": "2", "ram": "1"}
    (results / _MACHINE / "machine.json").write_text(json.dumps({**machine, "version": 1}))
    definitions = {name: _definition(name, combinations) for name, combinations in shapes}
    (results / "benchmarks.json").write_text(json.dumps({**definitions, "version": 2}))
    configuration = {
        "version": 1, "project": "imaginary", "repo": "repository", "branches": ["main"], "results_dir": "results",
        "html_dir": "html", "env_dir": "env", "benchmark_dir": "benchmarks", "environment_type": "virtualenv",
        "show_commit_url": "https://example.org/",
    }  # fmt: skip
    (folder / "asv.conf.json").write_text(json.dumps(configuration))
    numbers = random.Random(seed)
    for place, commit in enumerate(commits):
        write_result(results, commit, place, place >= files // 2, shapes, samples, numbers)
    return results


def write_result(
    results: Path,
    commit: str,
    place: int,
    later: bool,
    shapes: list[tuple[str, int]],
    samples: int,
    numbers: random.Random,
) -> None:
    """Write one file as `Results.save` of asv 0.6.6 lays it out."""
    rows: dict[str, list[Any]] = {}
    for which, (name, combinations) in enumerate(shapes):
        level = 1e-3 * (1 + which % 7) * (1.3 if later and which % 10 == 0 else 1.0)
        values: list[float | None] = []
        for _ in range(combinations):
            fate = numbers.random()
            values.append(
                float("nan") if fate < 0.02 else None if fate < 0.03 else level * numbers.lognormvariate(0, 0.03)
            )
        good = [value if value is not None and value == value else None for value in values]
        around = [[None if v is None else round(v * f, 8) for v in good] for f in (0.97, 1.03, 0.99, 1.01)]
        kept = [None if v is None else [v * numbers.lognormvariate(0, 0.01) for _ in range(samples)] for v in good]
        counts = [[None if v is None else n for v in good] for n in (10, 10)]
        row = [values, _parameters(combinations), "1", place, 1.5, *around, *counts, *([kept] if samples else [])]
        rows[name] = row
    document = {
        "commit_hash": commit, "env_name": _ENVIRONMENT, "date": (_START_S + place * _DAY_S) * 1000,
        "params": {"machine": _MACHINE, "python": "3.11"}, "python": "3.11", "requirements": {"numpy": ""},
        "env_vars": {}, "result_columns": _COLUMNS, "results": rows, "durations": {}, "version": 2,
    }  # fmt: skip
    path = results / _MACHINE / f"{commit[:8]}-{_ENVIRONMENT}.json"
    path.write_text(json.dumps(document))


def measure(folder: Path, files: int, series: int, samples: int, publish: bool) -> list[tuple[str, float, float, str]]:
    """Make a history below `folder` and return (job, seconds, peak bytes, note) for each job."""
    began = time.perf_counter()
    results = make_history(folder, files, series, samples)
    size = sum(file.stat().st_size for file in results.rglob("*.json"))
    rows = [("making it", time.perf_counter() - began, float("nan"), f"{size / 2**20:.0f} MiB of JSON")]
    # Files that have only just changed are read again each time (the clock's tick): age them as a history is aged.
    _age(results)
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "PYTHONPATH": os.pathsep.join(sys.path)}
    for job, code in _JOBS.items():
        if job == "reading, 1 % new files":
            for file in sorted((results / _MACHINE).glob("*-*.json"))[: max(1, files // 100)]:
                os.utime(file, ns=(2 * 10**18, 10**18 + 1))
        done = subprocess.run(
            [sys.executable, "-c", _FRAME.format(job=code), str(results)],
            env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        seconds, peak, note = done.stdout.strip().splitlines()[-1].split("|")
        rows.append((job, float(seconds), float(peak), note))
    if publish:
        began = time.perf_counter()
        command = [sys.executable, "-m", "asv", "publish"]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        note = "" if done.returncode == 0 else f"failed: {done.stderr.strip().splitlines()[-1:]}"
        rows.append(("asv publish", time.perf_counter() - began, float("nan"), note))
    return rows


def _age(results: Path) -> None:
    for file in results.rglob("*.json"):
        os.utime(file, ns=(10**18, 10**18))


def _make_repository(path: Path, commits: int) -> list[str]:
    """Make a git repository with a line of commits, a day apart, and return their hashes, oldest first."""
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(path)], check=True)
    stream = []
    for place in range(commits):
        when = f"a <a@example.org> {_START_S + place * _DAY_S} +0000"
        message = f"commit {place}"
        parent = f"from :{place}\n" if place else ""
        stream.append(
            f"commit refs/heads/main\nmark :{place + 1}\nauthor {when}\ncommitter {when}\n"
            f"data {len(message)}\n{message}\n{parent}\n"
        )
    subprocess.run(["git", "-C", str(path), "fast-import", "--quiet"], input="".join(stream), text=True, check=True)
    listed = subprocess.run(
        ["git", "-C", str(path), "rev-list", "--reverse", "main"], capture_output=True, text=True, check=True
    )
    return listed.stdout.split()


def _parameters(combinations: int) -> list[list[str]]:
    return [[str(10**place) for place in range(combinations)]] if combinations > 1 else []


def _definition(name: str, combinations: int) -> dict[str, Any]:
    return {
        "name": name, "params": _parameters(combinations), "unit": "seconds", "version": "1", "type": "time",
        "param_names": ["size"] if combinations > 1 else [], "code": "", "pretty_name": None, "timeout": 60,
    }  # fmt: skip


def targets(rows: list[tuple[str, float, float, str]]) -> list[Target]:
    """Return what 5,000 files of 200 series should take on two cores, beside what these took."""
    found = {job: (seconds, peak) for job, seconds, peak, _ in rows}
    first, second, changes = found[FIRST], found[SECOND], found[CHANGES]
    return [
        Target(FIRST, "wall time", first[0], 10, True, "s"),
        Target(FIRST, "peak memory", first[1] / 2**20, 1536, True, "MiB"),
        Target(SECOND, "of the first reading's wall time", 100 * second[0] / first[0], 50, True, "%"),
        Target(CHANGES, "wall time", changes[0], 60, True, "s"),
    ]


def _shown(rows: list[tuple[str, float, float, str]]) -> list[str]:
    cells = [
        (job, f"{seconds:.2f}", "" if peak != peak else f"{peak / 2**20:.0f}", note)
        for job, seconds, peak, note in rows
    ]
    return table(("job", "wall s", "peak MiB", ""), cells)


def main() -> None:
    """Measure, print, and write the document where that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.speed.asv_history", description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=5000, help="result files, one a commit (default: 5000)")
    parser.add_argument("--series", type=int, default=200, help="series in each file (default: 200)")
    parser.add_argument("--samples", type=int, default=0, help="samples kept of each value (default: 0, as asv run)")
    parser.add_argument("--publish", action="store_true", help="time asv publish on the same directory as well")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="make the history there and leave it")
    parser.add_argument("--write-docs", action="store_true", help="put the tables into docs/speed.md")
    options = parser.parse_args()
    whole = (options.files, options.series, options.samples, options.publish) == (5000, 200, 0, True)
    if options.write_docs and not whole:
        parser.error("--write-docs takes the whole history: leave out --files, --series and --samples, give --publish")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        rows = measure(folder, options.files, options.series, options.samples, options.publish)
    print("\n".join([*_shown(rows), "", *targets_table(targets(rows))]))
    if options.write_docs:
        machine = describe_machine()
        where = (
            f"{options.files:,} files of {options.series} series, on {machine.cpu}, {machine.usable_cpus} CPUs, "
            f"{machine.memory_bytes / 2**30:.0f} GiB."
        )
        write_docs(DOCUMENT, [where, "", *targets_table(targets(rows)), "", *_shown(rows)], BEGIN)


if __name__ == "__main__":
    main()
