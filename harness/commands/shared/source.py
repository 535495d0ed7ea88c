"""Which results a question is asked of: a machine's, one run's, or those of any asv project."""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from harness.answers.sources import Source
from harness.errors import UsageError
from harness.releases.project import find_root


def add_machine(parser: argparse.ArgumentParser, default: str = "all") -> None:
    """Add --machine, of a question about results that exist."""
    parser.add_argument("--machine", metavar="NAME", help=f"use only the results of this machine (default: {default})")


def add_results(parser: argparse.ArgumentParser, what: str) -> None:
    """Add --results, for a question that any asv project's results answer, too."""
    parser.add_argument("--results", type=Path, metavar="DIR", help=f"{what} (DIR is asv's results_dir)")


def add_source(parser: argparse.ArgumentParser) -> None:
    """Add what chooses the runs of a report that is about one machine."""
    add_machine(parser, "the current one; if it has none, the reference results in the repository")
    parser.add_argument("--run", type=Path, metavar="DIR", help="use only the results of this run")


def source_of(options: argparse.Namespace) -> Source:
    """Return what --machine and --run say."""
    return Source(find_root(), options.machine, options.run)


def require_machine(table: pd.DataFrame, machine: str | None) -> None:
    """Raise UsageError if a machine was asked for by name of which nothing was found."""
    if machine is not None and table.empty:
        raise UsageError(f"There are no results of machine {machine!r}: `savedmodel-bench summary` lists the machines.")
