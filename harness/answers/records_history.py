"""What changed over releases and nights, from the project's own records."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from harness.answers.comparison import exact_only_cells
from harness.answers.confirmation import KIND
from harness.answers.history import History, find_history, machine_names, points_of_nights, points_of_releases
from harness.errors import UsageError
from harness.metrics import CELL_FAILED, METRICS, Kind
from harness.store.export import record_samples
from harness.store.known_releases import known_releases
from harness.store.model_changes import ModelChange, model_changes
from harness.store.python_changes import PythonChange, ReleasesOfPython, python_changes, releases_by_python
from harness.store.records import Problem
from harness.store.runs import runs_of
from harness.store.worker_versions import OlderRuns, of_newest_worker
from harness.verdict.history import MARGIN


@dataclass(frozen=True, slots=True)
class Judged:
    """The samples of a project's records that changes are looked for in.

    `points` is their course over releases, whose `order` is by date; `older` are the runs of older worker versions,
    which are not among them: a number that means something else since is no change. `problems` could not be read.
    `measured` are the same samples with those of all other metrics, which are not tested for change.
    """

    measured: pd.DataFrame
    samples: pd.DataFrame
    points: pd.DataFrame
    order: tuple[str, ...]
    older: tuple[OlderRuns, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class RecordsHistory:
    """What changed over releases, and over nights of one release; and where the Python or a model changed."""

    releases: History
    nights: History
    releases_of_pythons: tuple[ReleasesOfPython, ...]
    python_changes: tuple[PythonChange, ...]
    model_changes: tuple[ModelChange, ...]


def judged_samples(root: Path, machine: str | None = None, *, references: bool = True) -> Judged:
    """Return the samples of a project that are tested for change, those of this machine only where one is named.

    Args:
        root: the project's root.
        machine: name of the machine.
        references: whether reference runs are among them.

    Raises:
        UsageError: there are no results.
    """
    problems: list[Problem] = []
    # What confirms or refutes a finding must not be part of it.
    samples = record_samples(root, problems, without=("speed", "calibrate", "canary", KIND), references=references)
    if machine is not None:
        samples = samples[samples["machine"] == machine]
    samples = samples[samples["value"].notna()]
    samples, older = of_newest_worker(samples, machine_names(samples))
    if samples.empty:
        raise UsageError("There are no results to look at: measure with savedmodel-bench run or compare first.")
    order = tuple(release.name for release in known_releases(root).releases)
    names = [*(name for name, metric in METRICS.items() if metric.judged), CELL_FAILED.name]
    judged = samples[samples["metric"].isin(names)]
    judged = judged[~_only_exact(root, judged)]
    return Judged(samples, judged, points_of_releases(judged, order), order, tuple(older), tuple(problems))


def ask_releases(judged: Judged, margin: float = MARGIN) -> History:
    """Look for changes of at least the margin over releases."""
    return find_history(judged.points, axis=("machine", "environment"), measured="metric", margin=margin)


def ask_history(judged: Judged, margin: float = MARGIN) -> RecordsHistory:
    """Look for changes of at least the margin over releases and nights."""
    samples, machines = judged.samples, machine_names(judged.samples)
    nights = points_of_nights(samples)
    return RecordsHistory(
        ask_releases(judged, margin),
        find_history(nights, axis=("machine", "environment", "subject"), measured="metric", margin=margin),
        tuple(releases_by_python(samples, machines, judged.order)),
        tuple(python_changes(samples, machines)),
        tuple(model_changes(samples, machines)),
    )


def _only_exact(root: Path, samples: pd.DataFrame) -> pd.Series[bool]:
    """Return which samples are times of cells that their run judges by exact rows only: nothing could confirm them."""
    known = {
        f"{run.run} {model} {writer}"
        for reference in (False, True)
        for run in runs_of(root, reference=reference)[0]
        for model, writer in exact_only_cells(run.facts.get("preset", {}))
    }
    writer = samples["variant"].astype(str).str.extract(r"^([^/ ]+)")[0].fillna("")
    places = samples["run"].astype(str) + " " + samples["model"].astype(str) + " " + writer
    exact = [*(name for name, metric in METRICS.items() if metric.kind is Kind.EXACT), CELL_FAILED.name]
    return places.isin(known) & ~samples["metric"].isin(exact)
