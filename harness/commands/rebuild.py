"""`savedmodel-bench rebuild`: asv's result files made anew from the records."""

from __future__ import annotations

import argparse
import sys

from harness.asv.projection import project
from harness.commands.shared.output import say_all
from harness.releases.project import find_root
from harness.store.records import Problem
from harness.store.runs import ResultsLock

HELP = "regenerate asv's result files from the records"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add nothing: the command has no options."""


def run(options: argparse.Namespace) -> int:
    """Project the records into asv's result files and name the files that were written."""
    root = find_root()
    problems: list[Problem] = []
    with ResultsLock(root):
        written = project(root, problems)
    say_all(problems)
    for path in written:
        print(path.relative_to(root))
    print(f"{len(written)} asv result files hold what the records say.", file=sys.stderr)
    return 0
