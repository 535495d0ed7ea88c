"""`savedmodel-bench history`: what changed over releases and nights, or over the commits of any asv project."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

from harness.commands import asv_project, confirming, judging
from harness.comparison import exact_only_cells
from harness.errors import UsageError
from harness.history import failed_cells, find_history, machine_names, points_of_nights, points_of_releases
from harness.metrics import METRICS, Kind
from harness.releases.commands import find_root
from harness.releases.manifest import read_manifest
from harness.report.history import Check, HistorySection, render_history
from harness.report.searching import SearchProgress
from harness.shortfall import EXIT_CODE
from harness.store.export import record_samples
from harness.store.python_changes import python_changes, releases_by_python
from harness.store.records import Problem
from harness.store.runs import runs_of
from harness.store.worker_versions import OlderRuns, of_newest_worker
from harness.verdict.confirmation import Standing


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
    exact = [name for name, metric in METRICS.items() if metric.kind is Kind.EXACT]
    return places.isin(known) & ~samples["metric"].isin(exact)


def history(options: argparse.Namespace) -> int:
    """Print findings and what is known of each.

    Returns:
        0 whatever is found; 1 only if a paired re-run (`--confirm`) confirmed that something got worse, and 3 if it
        did not and any re-run measured too little to tell.
    """
    if options.results is not None and options.confirm is not None:
        raise UsageError("The commits of another project are not measured from here: leave out --confirm.")
    if options.results is None and options.repo is not None:
        raise UsageError("Releases are ordered by their dates: --repo belongs to --results DIR.")
    problems: list[Problem] = []
    older: list[OlderRuns] = []
    if options.results is not None:
        sections = asv_project.sections(options)
    else:
        _, sections, older = of_records(options, problems)
    for problem in problems:
        print(problem, file=sys.stderr)
    command = judging.everything(options)
    judging.put_out(render_history(sections, options.format, older, command, in_full=options.all), options)
    if options.confirm is None:
        return 0
    shortfalls = dict.fromkeys(check.shortfall for section in sections for check in section.checks if check.shortfall)
    for shortfall in shortfalls:
        print(f"savedmodel-bench: {shortfall}", file=sys.stderr)
    if any(section.is_worse for section in sections):
        return 1
    return EXIT_CODE if shortfalls else 0


def of_records(
    options: argparse.Namespace, problems: list[Problem], search: bool = True
) -> tuple[pd.DataFrame, list[HistorySection], list[OlderRuns]]:
    """Return the points over releases, the sections, and the runs of older worker versions, which are in neither.

    A number that means something else since the next worker version would look like a change of what was measured.
    What could not be read is appended to `problems`. Without `search` there are no sections. Failed
    cells are in the sections only.
    """
    root = find_root()
    # What confirms or refutes a finding must not be part of it.
    samples = record_samples(root, problems, without=("speed", "calibrate", confirming.KIND))
    if options.machine is not None:
        samples = samples[samples["machine"] == options.machine]
    samples = samples[samples["value"].notna()]
    samples, older = of_newest_worker(samples, machine_names(samples))
    if samples.empty:
        raise UsageError("There are no results to look at: measure with savedmodel-bench run or compare first.")
    order = [release.name for release in read_manifest(root / "releases.toml").releases]
    names = [name for name, metric in METRICS.items() if metric.judged]
    judged = samples[samples["metric"].isin(names)]
    judged = judged[~_only_exact(root, judged)]
    points = points_of_releases(judged, order)
    if not search:
        return points, [], older
    judged = pd.concat([judged, failed_cells(samples)], ignore_index=True)
    progress = SearchProgress()
    releases = find_history(
        points_of_releases(judged, order), axis=("machine", "environment"), measured="metric", margin=options.margin,
        progress=progress,
    )  # fmt: skip
    nights = find_history(
        points_of_nights(judged), axis=("machine", "environment", "subject"), measured="metric", margin=options.margin,
        progress=progress,
    )  # fmt: skip
    of_nights = tuple(Check(Standing.UNCONFIRMED, reason=confirming.SAME_RELEASE) for _ in nights.findings)
    of_releases = tuple(confirming.checks(root, releases, judged, options))
    machines = machine_names(judged)
    by_python, changes = releases_by_python(judged, machines, order), python_changes(judged, machines)
    sections = [
        HistorySection("releases", releases, of_releases, pythons=tuple(by_python)),
        HistorySection("nights", nights, of_nights, pythons=tuple(changes)),
    ]
    return points, sections, older
