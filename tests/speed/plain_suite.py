"""Runs the plain asv suite of `plain/` with the real asv on one release, and reads what it stored."""

from __future__ import annotations

import importlib.metadata
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.measure.pinning import worker_environment
from harness.releases.uv_command import run_uv

from .equality import Samples, plain_row
from .measuring import Cost, cost_of

SUITE = Path(__file__).parent / "plain"
ONE_VALUE_A_RUN = r"\.(peakmem|track)_"
"""asv gives these benchmarks one value a run, whatever their `rounds`."""


@dataclass(frozen=True, slots=True)
class PlainResult:
    """What the plain suite gave and cost; installs and asv's own set-up are not in it."""

    samples: Samples
    first_run: Cost
    second_run: Cost  # of what asv gives only one value a run

    @property
    def cost(self) -> Cost:
        """What both runs cost."""
        return self.first_run.plus(self.second_run)


def run_plain_suite(
    root: Path, work: Path, release_python: Path, models: tuple[str, ...], only: str | None = None
) -> PlainResult:
    """Run the suite on the TensorFlow of `release_python`.

    Args:
        root: the project's root.
        work: an empty folder, kept for the logs.
        release_python: interpreter of an installed release.
        models: names of models.
        only: pattern of the benchmarks to run, in one `asv run`; None: all, and what asv gives one value a run twice.

    Raises:
        RuntimeError: asv or one of its benchmarks failed.
    """
    if shutil.which("git") is None:
        raise RuntimeError("asv needs git for the plain suite: install git, or leave part d out with --only a,b,c")
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(SUITE, work)
    runner = f"asv_runner=={importlib.metadata.version('asv_runner')}"
    python = environment_beside(root, work / "environment", release_python, runner)
    variables = worker_environment(os.environ, work)
    variables |= {"HOME": str(work), "SAVEDMODEL_BENCH_ROOT": str(root), "PLAIN_MODELS": ",".join(models)}
    commit = _repository(work, variables)
    asv = [sys.executable, "-m", "asv"]
    _call([*asv, "machine", "--yes", "--machine", "here"], work, variables)
    run = [*asv, "run", "--machine", "here", "-E", f"existing:{python}", "--set-commit-hash", commit]
    run += ["--record-samples", "--show-stderr"]
    if only is not None:
        cost = cost_of(lambda: _call([*run, "--bench", only], work, variables))
        return PlainResult(_stored(work), cost, Cost(0.0, 0.0))
    first = cost_of(lambda: _call(run, work, variables))
    samples = _stored(work)
    second = cost_of(lambda: _call([*run, "--bench", ONE_VALUE_A_RUN], work, variables))
    for row, values in _stored(work, only=("peakmem_", "track_")).items():
        samples[row] = samples[row] + values
    return PlainResult(samples, first, second)


def environment_beside(root: Path, folder: Path, release_python: Path, package: str) -> Path:
    """Make an environment that has a package and sees a release's own through a path file; return its interpreter.

    So nothing is added to the project's environments.
    """
    run_uv(["venv", "--python", str(release_python.resolve()), "--no-project", str(folder)], root=root)
    python = folder / "bin" / "python"
    run_uv(["pip", "install", "--python", str(python), "--compile-bytecode", package], root=root)
    (packages,) = folder.glob("lib/python3.*/site-packages")
    (of_release,) = release_python.parent.parent.glob("lib/python3.*/site-packages")
    (packages / "release.pth").write_text(f"{of_release}\n", encoding="utf-8")
    return python


def _repository(work: Path, variables: Mapping[str, str]) -> str:
    """Make the suite a git repository, which asv asks for, and return its one commit."""
    identity = ["-c", "user.name=speed", "-c", "user.email=speed@localhost"]
    _call(["git", "init", "--quiet", "--initial-branch=main"], work, variables)
    _call(["git", "add", "asv.conf.json", "benchmarks"], work, variables)
    _call(["git", *identity, "commit", "--quiet", "-m", "A plain suite"], work, variables)
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=work, env=dict(variables), capture_output=True, check=True)
    return done.stdout.decode().strip()


def _call(command: list[str], work: Path, variables: Mapping[str, str]) -> None:
    with (work / "log.txt").open("ab") as log:
        done = subprocess.run(command, cwd=work, env=dict(variables), stdout=log, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        last = (work / "log.txt").read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}; {work}/log.txt ends so:\n{last}")


def _stored(work: Path, only: tuple[str, ...] = ("",)) -> Samples:
    """Return the samples of asv's one result file."""
    (path,) = (work / "results" / "here").glob("????????-*.json")
    document = json.loads(path.read_text(encoding="utf-8"))
    samples: Samples = {}
    for benchmark, packed in document["results"].items():
        if not benchmark.rpartition(".")[2].startswith(only):
            continue
        entry: dict[str, Any] = dict(zip(document["result_columns"], packed, strict=False))
        parameters = list(itertools.product(*(entry.get("params") or [])))
        taken = entry.get("samples") or [None] * len(entry["result"])
        for chosen, value, several in zip(parameters, entry["result"], taken, strict=True):
            samples[plain_row(benchmark, chosen)] = list(several) if several is not None else [value]
    return samples
