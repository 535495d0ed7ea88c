"""Which results a question is asked of: a machine's, one run's, or those of any asv project."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from harness.answers.narrowing import Narrowing
from harness.answers.sources import Source
from harness.commands.shared.arguments import Joined
from harness.errors import UsageError
from harness.releases.project import find_root


def add_machine(parser: argparse.ArgumentParser, default: str = "all") -> None:
    """Add --machine, of a question about results that exist."""
    parser.add_argument("--machine", metavar="NAME", help=f"use only the results of this machine (default: {default})")


def add_results(parser: argparse.ArgumentParser, what: str) -> None:
    """Add --results, for a question that any asv project's results answer, too."""
    parser.add_argument("--results", type=Path, metavar="DIR", help=f"{what} (DIR is asv's results_dir)")


_NARROWING = {
    "--metric": ("'load_*,save_first_s'", "metrics"),
    "--model": ("'mlp-*,conv-s'", "models"),
    "--device": ("gpu", "devices"),
    "--operation": ("save,load", "operations"),
    "--release": ("'2.19,2.2*'", "releases"),
}


def add_narrowing(parser: argparse.ArgumentParser) -> None:
    """Add --metric, --model, --device, --operation and --release, which narrow what is shown."""
    for option, (example, what) in _NARROWING.items():
        parser.add_argument(
            option,
            action=Joined,
            metavar=option[2:].upper(),
            help=f"only {what} that match, for example {example}; can be repeated",
        )


def narrowing_of(options: argparse.Namespace) -> Narrowing:
    """Return what these options say."""
    return Narrowing(options.metric, options.model, options.device, options.operation, options.release)


def require_no_narrowing(options: argparse.Namespace, *, also: Sequence[str] = (), without: Sequence[str] = ()) -> None:
    """Raise UsageError if results of another asv project were to be narrowed by what they do not have.

    Args:
        options: what was asked for.
        also: names of further options that cannot be given.
        without: names of those that can.
    """
    for name in (*(option[2:] for option in _NARROWING), *also):
        if name not in without and getattr(options, name):
            raise UsageError(f"--{name} is for this project's own results: leave it out with --results.")


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
