"""The asv benchmarks of this project and the row that each of their parameters stands for.

The list comes from asv's own discovery of `benchmarks/`, so the projection never holds a second copy of the grid.
"""

from __future__ import annotations

import ast
import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asv.benchmarks import Benchmarks
from asv.runner import BENCHMARK_RUN_SCRIPT

from harness.metrics import METRICS, Metric
from harness.store.records import Problem
from harness.store.runs import write_json_atomically

_LAUNCHER = Path(__file__).with_name("launcher.py")

RowKey = tuple[str, str, str, str]
"""Metric, device, model, variant."""

_DISCOVERY_LIMIT_S = 60


@dataclass(frozen=True, slots=True)
class AsvBenchmark:
    """One asv benchmark of one metric; `keys[i]` is the row of asv's i-th combination of parameters."""

    definition: dict[str, Any]  # as asv keeps it in benchmarks.json
    metric: Metric
    keys: tuple[RowKey, ...]

    @property
    def name(self) -> str:
        """The name in asv's files and on its command line."""
        return str(self.definition["name"])


def asv_benchmarks(root: Path, results: Path, problems: list[Problem]) -> list[AsvBenchmark]:
    """Return the project's asv benchmarks and leave a current benchmarks.json for asv to read.

    Args:
        root: the project root; its `benchmarks/` is discovered in a process of its own, as asv does it.
        results: asv's results directory. A benchmarks.json there that is not asv's is named and left alone, and is
            what is used where discovery fails.
        problems: what went wrong is appended here.
    """
    path = Path(Benchmarks.get_benchmark_file_path(str(results)))
    saved = _saved(path, problems)
    found = _discovered(root / "benchmarks", problems)
    if found is None:
        found = saved or {}
    elif found != saved and (saved is not None or not path.exists()):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json_atomically(path, {**found, "version": Benchmarks.api_version})
    return [benchmark for definition in found.values() if (benchmark := _understood(definition)) is not None]


def _saved(path: Path, problems: list[Problem]) -> dict[str, Any] | None:
    """Return the definitions in benchmarks.json, None where there are none that can be read."""
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        problems.append(Problem(path, None, "is not asv's list of benchmarks"))
        return None
    if not isinstance(document, dict) or document.pop("version", None) != Benchmarks.api_version:
        problems.append(Problem(path, None, "is not asv's list of benchmarks in the layout of asv 0.6.6"))
        return None
    return document


def _discovered(folder: Path, problems: list[Problem]) -> dict[str, Any] | None:
    if not (folder / "__init__.py").exists():
        return None
    with tempfile.TemporaryDirectory() as temporary:
        answer = Path(temporary) / "benchmarks.json"
        try:
            subprocess.run(
                [sys.executable, str(_LAUNCHER), BENCHMARK_RUN_SCRIPT, "discover", str(folder.resolve()), str(answer)],
                cwd=temporary,
                check=True,
                capture_output=True,
                timeout=_DISCOVERY_LIMIT_S,
            )
            found = json.loads(answer.read_bytes())
        except subprocess.CalledProcessError as error:
            last = (error.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
            problems.append(Problem(folder, None, f"asv cannot discover the benchmarks: {last}"))
            return None
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            problems.append(Problem(folder, None, f"asv cannot discover the benchmarks: {error}"))
            return None
    return {definition["name"]: definition for definition in found}


def _understood(definition: Any) -> AsvBenchmark | None:
    """Return the benchmark with its rows, None for one that reports no metric of this project."""
    try:
        function = definition["name"].rpartition(".")[2]
        metric = METRICS.get(function.removeprefix("track_").removeprefix("own_"))
        if metric is None or not function.startswith("track_"):
            return None
        names = definition["param_names"]
        keys = []
        # Without parameters the product is one empty combination, which is what asv stores as well.
        for combination in itertools.product(*definition["params"]):
            values = {name: ast.literal_eval(text) for name, text in zip(names, combination, strict=True)}
            keys.append(_key(metric, values))
    except (AttributeError, KeyError, TypeError, ValueError, SyntaxError):
        return None
    return AsvBenchmark(definition, metric, tuple(keys))


def _key(metric: Metric, values: Mapping[str, Any]) -> RowKey:
    """Return the row of one combination of the grid's device, model and variant."""
    device, model, variant = (str(values.get(name, "-")) for name in ("device", "model", "variant"))
    return metric.name, device, model, variant
