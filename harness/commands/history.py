"""`savedmodel-bench history`: what changed over releases and nights, or over the commits of any asv project."""

from __future__ import annotations

import argparse
import sys

import pandas as pd

from harness.commands import asv_project, confirming, judging
from harness.errors import UsageError
from harness.history import find_history, points_of_nights, points_of_releases
from harness.metrics import METRICS
from harness.releases.commands import find_root
from harness.releases.manifest import read_manifest
from harness.report.history import Check, HistorySection, render_history
from harness.store.export import record_samples
from harness.store.records import Problem
from harness.verdict.confirmation import Standing


def history(options: argparse.Namespace) -> int:
    """Print findings and what is known of each.

    Returns:
        0 whatever is found; 1 only if a paired re-run (`--confirm`) confirmed that something got worse.
    """
    if options.results is not None and options.confirm is not None:
        raise UsageError("The commits of another project are not measured from here: leave out --confirm.")
    problems: list[Problem] = []
    sections = _of_commits(options) if options.results is not None else of_records(options, problems)[1]
    for problem in problems:
        print(problem, file=sys.stderr)
    judging.put_out(render_history(sections, options.format), options)
    return int(options.confirm is not None and any(section.is_worse for section in sections))


def _of_commits(options: argparse.Namespace) -> list[HistorySection]:
    return asv_project.sections(options, asv_project.read(options), options.margin)


def of_records(options: argparse.Namespace, problems: list[Problem]) -> tuple[pd.DataFrame, list[HistorySection]]:
    """Return the points over releases, and the sections; what could not be read is appended to `problems`."""
    root = find_root()
    # What confirms or refutes a finding must not be part of it.
    samples = record_samples(root, problems, without=("speed", "calibrate", confirming.KIND))
    if options.machine is not None:
        samples = samples[samples["machine"] == options.machine]
    if samples.empty:
        raise UsageError("There are no results to look at: measure with savedmodel-bench run or compare first.")
    order = [release.name for release in read_manifest(root / "releases.toml").releases]
    judged = samples[samples["metric"].isin([name for name, metric in METRICS.items() if metric.judged])]
    points = points_of_releases(judged, order)
    releases = find_history(points, axis=("machine", "environment"), measured="metric", margin=options.margin)
    nights = find_history(
        points_of_nights(judged), axis=("machine", "environment", "subject"), measured="metric", margin=options.margin
    )
    of_nights = tuple(Check(Standing.UNCONFIRMED, reason=confirming.SAME_RELEASE) for _ in nights.findings)
    of_releases = tuple(confirming.checks(root, releases, judged, options))
    return points, [HistorySection("releases", releases, of_releases), HistorySection("nights", nights, of_nights)]
