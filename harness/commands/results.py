"""`savedmodel-bench summary` and `savedmodel-bench rebuild`: what the results hold, and asv's view of them."""

from __future__ import annotations

import argparse
import sys

from harness.commands import asv_project, judging
from harness.commands.history import of_records
from harness.errors import UsageError
from harness.history import standings
from harness.releases.commands import find_root
from harness.report.medians import Medians, render_medians
from harness.report.standing import render_records
from harness.store.asv_results import project
from harness.store.records import Problem
from harness.store.runs import ResultsLock
from harness.store.summary import SpawnedRuns, summary
from harness.store.worker_versions import OlderRuns
from harness.verdict.history import MARGIN


def show_summary(options: argparse.Namespace) -> int:
    """Print medians, standings and, with `--changes`, what changed; or the state of the directory `--results` names."""
    if options.results is not None:
        return asv_project.show_summary(options)
    if options.repo is not None:
        raise UsageError("Releases are ordered by their dates: --repo belongs to --results DIR.")
    problems: list[Problem] = []
    spawned: list[SpawnedRuns] = []
    older: list[OlderRuns] = []
    table = summary(find_root(), machine=options.machine, problems=problems, spawned=spawned, older=older)
    judging.require_machine(table, options.machine)
    for told in (*problems, *((*spawned, *older) if options.format == "csv" else ())):
        print(told, file=sys.stderr)
    medians = Medians(table, spawned, older)
    if table.empty or options.format == "csv":
        text = render_medians(medians, options.format)
    else:
        text = _with_standings(medians, options)
    judging.put_out(text, options)
    return 0


def _with_standings(medians: Medians, options: argparse.Namespace) -> str:
    """Return the medians followed by where each row stands and, with `--changes`, what changed."""
    asked = argparse.Namespace(machine=options.machine, margin=MARGIN, confirm=None)
    points, sections, older = of_records(asked, problems=[], search=options.changes)  # they were told above
    found = sections if options.changes else None
    return render_records(medians, standings(points), found, options.format, older, judging.everything(options))


def rebuild(options: argparse.Namespace) -> int:
    """Project the records into asv's result files and name the files that were written."""
    root = find_root()
    problems: list[Problem] = []
    with ResultsLock(root):
        written = project(root, problems)
    for problem in problems:
        print(problem, file=sys.stderr)
    for path in written:
        print(path.relative_to(root))
    print(f"{len(written)} asv result files hold what the records say.", file=sys.stderr)
    return 0
