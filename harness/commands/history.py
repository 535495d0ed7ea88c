"""`savedmodel-bench history`: what changed over releases and nights, or over the commits of any asv project."""

from __future__ import annotations

import argparse
import sys

from harness.commands import asv_project, judging
from harness.errors import UsageError
from harness.history import find_history, points_of_commits, points_of_nights, points_of_releases
from harness.metrics import METRICS
from harness.releases.commands import find_root
from harness.releases.manifest import read_manifest
from harness.report.history import HistorySection, render_history
from harness.store.asv_summary import present_versions
from harness.store.export import record_samples
from harness.store.records import Problem


def history(options: argparse.Namespace) -> int:
    """Print findings; ends with 0 whatever they are: `compare` confirms one before anybody is woken."""
    sections = _of_commits(options) if options.results is not None else _of_records(options)
    judging.put_out(render_history(sections, options.format), options)
    return 0


def _of_commits(options: argparse.Namespace) -> list[HistorySection]:
    stored = asv_project.read(options)
    points = points_of_commits(present_versions(stored, stored.of_machine(options.machine)))
    found = find_history(points, axis=("machine", "environment"), measured="benchmark", margin=options.margin)
    return [HistorySection("commits", found)]


def _of_records(options: argparse.Namespace) -> list[HistorySection]:
    root = find_root()
    problems: list[Problem] = []
    samples = record_samples(root, problems)
    for problem in problems:
        print(problem, file=sys.stderr)
    if options.machine is not None:
        samples = samples[samples["machine"] == options.machine]
    if samples.empty:
        raise UsageError("There are no results to look at: measure with savedmodel-bench run or compare first.")
    order = [release.name for release in read_manifest(root / "releases.toml").releases]
    judged = samples[samples["metric"].isin([name for name, metric in METRICS.items() if metric.judged])]
    releases = find_history(
        points_of_releases(judged, order), axis=("machine", "environment"), measured="metric", margin=options.margin
    )
    nights = find_history(
        points_of_nights(judged), axis=("machine", "environment", "subject"), measured="metric", margin=options.margin
    )
    return [HistorySection("releases", releases), HistorySection("nights", nights)]
