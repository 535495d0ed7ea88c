"""`savedmodel-bench summary` and `savedmodel-bench rebuild`: what the results hold, and asv's view of them."""

from __future__ import annotations

import argparse
import sys

from harness.commands import asv_project, judging
from harness.releases.commands import find_root
from harness.store.asv_results import project
from harness.store.records import Problem
from harness.store.runs import ResultsLock
from harness.store.summary import render_summary, summary


def show_summary(options: argparse.Namespace) -> int:
    """Print the medians of everything measured, or the state of the asv directory that `--results` names."""
    if options.results is not None:
        return asv_project.show_summary(options)
    problems: list[Problem] = []
    table = summary(find_root(), machine=options.machine, problems=problems)
    for problem in problems:
        print(problem, file=sys.stderr)
    judging.put_out(render_summary(table, options.format), options)
    return 0


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
