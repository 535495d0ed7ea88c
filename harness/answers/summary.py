"""One table of everything in the results: metric, device and model down, releases across by date."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from packaging.version import Version

from harness.errors import UsageError
from harness.metrics import METRICS, variant_order
from harness.models.families import order
from harness.releases.versions import version_key
from harness.store.frame import repeats_frame, samples_frame
from harness.store.known_releases import known_releases
from harness.store.records import Problem
from harness.store.runs import RunDirectory, runs_of
from harness.store.worker_versions import OlderRuns, of_newest_worker

SUMMARY_INDEX = ["machine", "metric", "unit", "device", "model", "variant"]
"""Index of `summary`; a machine that was read from results/reference ends in " (reference)"."""

_METRIC_ORDER = {name: place for place, name in enumerate(METRICS)}


@dataclass(frozen=True, slots=True)
class SpawnedRuns:
    """A machine's runs with `--isolation spawn`: read where it has no forked ones, else left out."""

    machine: str  # as in the table's index
    runs: tuple[str, ...]
    are_read: bool

    def __str__(self) -> str:
        runs = f"{len(self.runs)} spawned run{'' if len(self.runs) == 1 else 's'} (--isolation spawn)"
        if self.are_read:
            return f"{self.machine}: all numbers are of {runs}."
        return (
            f"{self.machine}: {runs} left out, because they are not comparable with forked ones; "
            "`savedmodel-bench export` has all."
        )


def summary(
    root: Path,
    *,
    machine: str | None = None,
    run: str | None = None,
    problems: list[Problem] | None = None,
    spawned: list[SpawnedRuns] | None = None,
    older: list[OlderRuns] | None = None,
) -> pd.DataFrame:
    """Return the median over all blocks of every metric, device, model and variant, for every subject in the results.

    Args:
        root: the project root; its runs and its reference runs are read, complete blocks only.
        machine: only this machine's; all where None. Machines are never mixed.
        run: only the run of this id; all where None.
        problems: what could not be read is appended here; the rest is in the table all the same.
        spawned: the machines that have runs with `--isolation spawn` are appended here. They are never pooled with
            forked runs.
        older: the machines that have runs of older worker versions than their newest are appended here. Such runs
            are left out.

    Returns:
        Index SUMMARY_INDEX, a column for each subject, oldest release first. A subject that was measured in several
        environments (CPU and CUDA wheels, two lock policies) has a column for each: `v2.21.0 [tf-2.21.0-cuda-…]`.
        Values are in the row's unit; NaN where there is no untainted sample. Empty without results.
    """
    told = problems if problems is not None else []
    parts = []
    facts: dict[tuple[str, str], dict[str, Any]] = {}
    for reference in (False, True):
        runs, found = runs_of(root, machine, reference=reference)
        told.extend(found)
        runs = [one for one in runs if one.facts["kind"] != "speed" and run in (None, one.run)]
        samples = samples_frame(repeats_frame([one.path for one in runs], told))
        if samples.empty:
            continue
        samples["environment"] = _environments(samples, runs)
        facts.update({_identity(subject): subject for one in runs for subject in one.facts["subjects"]})
        if reference:
            samples["machine"] = samples["machine"] + " (reference)"
        versions = samples["run"].map({one.run: one.worker_version for one in runs}).astype("Int64")
        samples, before = of_newest_worker(samples.assign(worker_version=versions), samples["machine"])
        if older is not None:
            older.extend(before)
        samples, apart = _without_mixing(samples, {one.run for one in runs if one.is_spawned})
        if spawned is not None:
            spawned.extend(apart)
        parts.append(samples)
    if not parts:
        return pd.DataFrame(index=pd.MultiIndex.from_tuples([], names=SUMMARY_INDEX))
    table = pd.concat(parts, ignore_index=True).pivot_table(
        index=SUMMARY_INDEX, columns=["subject", "environment"], values="value", aggfunc="median"
    )
    table = table.loc[sorted(table.index, key=_row_order)]
    dates = _dates(root, told)
    ordered = sorted(
        ((str(column[0]), str(column[1])) for column in table.columns),
        key=lambda column: (*_column_order(facts.get(column, {}), dates), column),
    )
    table = table[ordered]
    names = [subject for subject, _ in ordered]
    table.columns = pd.Index(
        [subject if names.count(subject) == 1 else f"{subject} [{environment}]" for subject, environment in ordered],
        name="subject",
    )
    return table


def _without_mixing(samples: pd.DataFrame, spawned: set[str]) -> tuple[pd.DataFrame, list[SpawnedRuns]]:
    """Return the samples without spawned runs on machines that have forked ones, and where there are spawned runs."""
    is_spawned = samples["run"].isin(spawned)
    forked = set(samples.loc[~is_spawned, "machine"])
    apart = [
        SpawnedRuns(str(machine), tuple(map(str, runs.unique())), machine not in forked)
        for machine, runs in samples[is_spawned].groupby("machine", observed=True)["run"]
    ]
    return samples[~is_spawned | ~samples["machine"].isin(forked)], apart


def _environments(samples: pd.DataFrame, runs: list[RunDirectory]) -> list[str]:
    known = {(run.run, subject["name"]): _identity(subject)[1] for run in runs for subject in run.facts["subjects"]}
    return [known.get((str(run), str(name)), "-") for run, name in zip(samples["run"], samples["subject"], strict=True)]


def _identity(subject: dict[str, Any]) -> tuple[str, str]:
    """Return a subject's name and environment; an interpreter's own does not name its Python."""
    environment, python = str(subject.get("environment") or "-"), subject.get("python")
    bound = python is not None and subject.get("wheel") is None
    return subject["name"], f"{environment}-py{str(python).replace('.', '')}" if bound else environment


def _dates(root: Path, problems: list[Problem]) -> dict[str, datetime.date]:
    path = root / "releases.toml"
    if not path.exists():
        return {}
    try:
        return {release.ident: release.date for release in known_releases(root).releases}
    except UsageError as error:
        problems.append(Problem(path, None, str(error)))
        return {}


def _column_order(subject: dict[str, Any], dates: dict[str, datetime.date]) -> tuple[datetime.date, Version]:
    """Order by release date; a release that releases.toml no longer has comes last, by its version."""
    return dates.get(str(subject.get("release_id")), datetime.date.max), version_key(subject.get("tensorflow"))


def _row_order(row: Any) -> tuple[Any, ...]:
    """Order by machine, then metrics as harness.metrics lists them, then device, family, size and variant."""
    machine, metric, _, device, model, variant = row
    return (
        machine,
        _METRIC_ORDER.get(metric, len(_METRIC_ORDER)),
        metric,
        device,
        *order(str(model)),
        model,
        variant_order(str(variant)),
    )
