"""`savedmodel-bench summary` and `savedmodel-bench rebuild`: what the results hold, and asv's view of them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from harness.commands import judging
from harness.releases.commands import find_root
from harness.store.asv_results import project
from harness.store.records import Problem
from harness.store.runs import ResultsLock
from harness.store.summary import FORMATS, render_summary, summary


def add_parser(subparsers: Any) -> None:
    """Add the subcommands `summary` and `rebuild`."""
    parser = subparsers.add_parser("summary", help="print metric, device and model over all releases in the results")
    parser.add_argument("--format", choices=FORMATS, default="table", help="default: table")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the table there instead of printing it")
    parser.set_defaults(handler=show_summary)
    parser = subparsers.add_parser("rebuild", help="write asv's result files anew from the records")
    parser.set_defaults(handler=rebuild)


def show_summary(options: argparse.Namespace) -> int:
    """Print the medians of everything measured."""
    problems: list[Problem] = []
    table = summary(find_root(), problems=problems)
    for problem in problems:
        print(problem, file=sys.stderr)
    judging.put_out(render_summary(table, options.format), options)
    return 0


def rebuild(options: argparse.Namespace) -> int:
    """Project the records into asv's result files and name the files that were written."""
    root = find_root()
    with ResultsLock(root):
        written = project(root)
    for path in written:
        print(path.relative_to(root))
    print(f"{len(written)} asv result files hold what the records say.", file=sys.stderr)
    return 0
