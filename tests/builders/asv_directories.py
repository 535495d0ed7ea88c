"""Writes result directories of imaginary asv projects by asv's own doors; layout 1, no longer written, by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from asv.machine import Machine
from asv.results import Results
from asv.runner import BenchmarkResult
from asv.util import write_json

from harness.asv.directory import AsvHistory

MACHINE, ENVIRONMENT = "desk", "virtualenv-py3.11-numpy"
DAY_MS = 86_400_000
START_MS = 1_700_000_000_000


def commit(number: int) -> str:
    """Return the hash of the number-th commit; hashes begin differently."""
    return f"{(number * 2654435761 + 12345) % 2**32:08x}" + f"{number:032x}"


def benchmark(
    name: str, parameters: Sequence[Sequence[Any]] = (), *, unit: str | None = None, version: str = "1"
) -> dict[str, Any]:
    """Return a benchmark as asv keeps it in benchmarks.json."""
    own = name.rpartition(".")[2]
    units = {"time": "seconds", "mem": "bytes", "peakmem": "bytes"}
    return {
        "name": name,
        "params": [[repr(value) for value in values] for values in parameters],
        "param_names": [f"param{place}" for place in range(1, len(parameters) + 1)],
        "unit": unit or units.get(own.partition("_")[0], "unit"),
        "version": version,
        "type": own.partition("_")[0],
        "code": "",
        "pretty_name": None,
        "timeout": 60,
    }


TIME = benchmark("suite.time_solve")
GRID = benchmark("suite.Grid.time_fill", [[10, 20]])
PLANE = benchmark("suite.Grid.time_fill", [[10, 20], ["csr", "csc"]])
MEMORY = benchmark("suite.peakmem_solve")
TRACK = benchmark("suite.track_score", unit="points")


def results_of(folder: Path, monkeypatch: pytest.MonkeyPatch, *benchmarks: Mapping[str, Any]) -> Path:
    """Return a result directory with these benchmarks and no results, its cache in the same folder.

    The folder is what commands are started in, so that no project of ours is near.
    """
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.chdir(folder)
    write_benchmarks(folder / "results", *benchmarks)
    return folder / "results"


def rows(history: AsvHistory, *columns: str) -> list[tuple[object, ...]]:
    """Return these columns of what was read."""
    return [tuple(row) for row in history.values[list(columns)].astype(object).itertuples(index=False)]


def samples(history: AsvHistory, name: str, parameters: str = "") -> list[list[float]]:
    """Return the samples of a benchmark that were read, commit by commit."""
    values = history.values
    chosen = values[(values["benchmark"] == name) & (values["parameters"] == parameters)]
    return [list(history.samples[a : a + n]) for a, n in chosen[["first", "count"]].itertuples(index=False)]


def write_benchmarks(path: Path, *benchmarks: Mapping[str, Any]) -> None:
    path.mkdir(parents=True, exist_ok=True)
    write_json(str(path / "benchmarks.json"), {one["name"]: dict(one) for one in benchmarks}, 2)


def write_machine(path: Path, machine: str = MACHINE) -> None:
    (path / machine).mkdir(parents=True, exist_ok=True)
    facts = {"machine": machine, "os": "Linux", "arch": "x86_64", "cpu": "Some CPU", "num_cpu": "2", "ram": "1"}
    write_json(str(path / machine / "machine.json"), facts, Machine.api_version)


def write_results(
    path: Path,
    number: int,
    values: Mapping[str, Any],
    benchmarks: Sequence[Mapping[str, Any]],
    *,
    machine: str = MACHINE,
    environment: str = ENVIRONMENT,
    keep_samples: bool = True,
) -> Path:
    """Write what asv would after `asv run` of the number-th commit.

    A value that is a list is a benchmark's samples; None is a failure, NaN is n/a. For benchmarks with parameters
    `values` has a list of these, one a combination.
    """
    write_machine(path, machine)
    results = Results(
        {"machine": machine, "python": "3.11"}, {"numpy": ""}, commit(number), START_MS + number * DAY_MS, "3.11",
        environment, {},
    )  # fmt: skip
    for one in benchmarks:
        if one["name"] not in values:
            continue
        given = values[one["name"]]
        each = given if one["params"] else [given]
        samples = [value if isinstance(value, list) else None for value in each]
        plain = [None if isinstance(value, list) else value for value in each]
        result = BenchmarkResult(
            result=[math.fsum(some) if some else value for some, value in zip(samples, plain, strict=True)],
            samples=samples,
            number=[1 if some else None for some in samples],
            errcode=0,
            stderr="",
            profile=None,
        )
        results.add_result(one, result, record_samples=keep_samples)
    results.save(str(path))
    return path / machine / f"{commit(number)[:8]}-{environment}.json"


def write_first_layout(
    path: Path,
    number: int,
    results: Mapping[str, Any],
    *,
    machine: str = MACHINE,
    environment: str = ENVIRONMENT,
    versions: Mapping[str, str] | None = None,
) -> Path:
    """Write a file of layout 1, as `Results.update_to_2` of asv 0.6.6 expects it."""
    write_machine(path, machine)
    document = {
        "commit_hash": commit(number), "date": START_MS + number * DAY_MS, "env_name": environment,
        "params": {"machine": machine}, "python": "3.11", "requirements": {}, "results": dict(results),
        "profiles": {}, "version": 1, **({"benchmark_version": dict(versions)} if versions else {}),
    }  # fmt: skip
    file = path / machine / f"{commit(number)[:8]}-{environment}.json"
    file.write_text(json.dumps(document))
    return file
