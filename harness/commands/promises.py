"""`savedmodel-bench promises`: what SavedModel promises, and in which release it holds."""

from __future__ import annotations

import argparse
import sys

from harness.commands import judging
from harness.promises import promises
from harness.releases.commands import find_root
from harness.releases.manifest import read_manifest
from harness.report.promises import render_promises
from harness.store.records import Problem, Record, records_of_complete_blocks
from harness.store.runs import RunDirectory, runs_of


def show_promises(options: argparse.Namespace) -> int:
    """Print every promise that the records tell about, the latest record of each."""
    root = find_root()
    problems: list[Problem] = []
    runs = [judging.load_named_run(options.run)] if options.run is not None else _all(options, problems)
    records: list[Record] = []
    for run in runs:
        read, found = run.records()
        problems.extend(found)
        records.extend(records_of_complete_blocks(read))
    for problem in problems:
        print(problem, file=sys.stderr)
    told = promises(records)
    dates = {release.name: str(release.date) for release in read_manifest(root / "releases.toml").releases}
    subjects = sorted({one.subject for one in told}, key=lambda name: (dates.get(name.partition("@")[0], ""), name))
    judging.put_out(render_promises(told, subjects, options.format), options)
    return 0


def _all(options: argparse.Namespace, problems: list[Problem]) -> list[RunDirectory]:
    runs = []
    for reference in (True, False):
        some, found = runs_of(find_root(), options.machine, reference=reference)
        runs.extend(some)
        problems.extend(found)
    return runs
