"""`summary`, `compare` and `export` with `--results DIR`: the result directory of any asv project."""

from __future__ import annotations

import argparse
import sys

from harness.asv_comparison import compare_commits, find_commit
from harness.commands import judging
from harness.report.asv_summary import render_asv_summary
from harness.report.numbers import count
from harness.store.asv_commits import hash_of_name
from harness.store.asv_directory import AsvHistory, read_asv_directory
from harness.store.asv_summary import asv_summary
from harness.verdict.margins import margin_table

MARGIN = 0.10
"""The change in time that matters where nothing else is said: asv's own `--factor 1.1`."""

_MOST_PROBLEMS = 10


def compare(options: argparse.Namespace) -> int:
    """Judge two commits of a result directory."""
    history = read(options)
    old, new = (
        find_commit(history, name, elsewhere=hash_of_name(history.path, name)) for name in (options.old, options.new)
    )
    margins = margin_table(MARGIN, asked=options.margin)
    comparison = compare_commits(history, old, new, margins=margins, machine=options.machine)
    judging.put_out(judging.render(comparison, options), options)
    return comparison.exit_code(options.require_decision)


def show_summary(options: argparse.Namespace) -> int:
    """Print where each series of a result directory stands."""
    history = read(options)
    table = asv_summary(history, options.machine)
    title = _title(history, options.machine)
    judging.put_out(render_asv_summary(table, options.format, title=title, width=judging.terminal_width()), options)
    return 0


def read(options: argparse.Namespace) -> AsvHistory:
    """Read the directory that `--results` names, and name what was skipped.

    Raises:
        UsageError: it holds no asv result.
    """
    history = read_asv_directory(options.results)
    for problem in history.problems[:_MOST_PROBLEMS]:
        print(problem, file=sys.stderr)
    if len(history.problems) > _MOST_PROBLEMS:
        print(f"… and {len(history.problems) - _MOST_PROBLEMS} more like these.", file=sys.stderr)
    return history


def _title(history: AsvHistory, machine: str | None) -> str:
    rows = history.of_machine(machine)
    names = (("machine", "machine"), ("environment", "environment"), ("benchmark", "benchmark"), ("commit", "commit"))
    counted = ", ".join(count(rows[column].nunique(), noun) for column, noun in names)
    dates = rows["date"].dropna()
    span = f", {dates.min():%Y-%m-%d} to {dates.max():%Y-%m-%d}" if len(dates) else ""
    return f"{history.path}: {counted}{span}."
