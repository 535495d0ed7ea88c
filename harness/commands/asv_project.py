"""`summary`, `compare` and `export` with `--results DIR`: the result directory of any asv project."""

from __future__ import annotations

import argparse
import json
import sys

from harness.asv_comparison import compare_commits, find_commit
from harness.commands import confirming, judging
from harness.errors import UsageError
from harness.history import find_history, points_of_commits
from harness.report.asv_summary import render_asv_summary, write_asv_summary
from harness.report.history import HistorySection, render_history, write_history
from harness.report.markdown_writer import MarkdownWriter
from harness.report.names import one_line
from harness.report.numbers import count
from harness.store.asv_commits import hash_of_name
from harness.store.asv_directory import AsvHistory, read_asv_directory
from harness.store.asv_summary import asv_summary, present_versions
from harness.verdict.history import MARGIN as MARGIN_OF_HISTORY
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
    for pattern, _ in options.margin or ():
        if pattern is not None and not any(margins.matches(pattern, *row.key) for row in comparison.rows):
            raise UsageError(
                f"No benchmark matches the margin's pattern {pattern!r}: see `summary --results` for them."
            )
    judging.put_out(judging.render(comparison, options), options)
    return judging.concluded(comparison, options.require_decision)


def show_summary(options: argparse.Namespace) -> int:
    """Print where each series of a result directory stands."""
    history = read(options)
    table = asv_summary(history, options.machine)
    title = _title(history, options.machine)
    if options.format == "markdown":
        report = MarkdownWriter(judging.everything(options))
        write_asv_summary(report, table, title=title)
        write_history(report, sections(options, history, MARGIN_OF_HISTORY))
        judging.put_out(report.text(), options)
        return 0
    text = render_asv_summary(table, options.format, title=title, width=judging.terminal_width())
    if options.format == "json":
        found = json.loads(render_history(sections(options, history, MARGIN_OF_HISTORY), "json"))["sections"]
        text = json.dumps({**json.loads(text), "history": found}, indent=1)
    elif options.format == "table":  # CSV holds one table only
        text += "\n\n" + render_history(sections(options, history, MARGIN_OF_HISTORY), "table")
    judging.put_out(text, options)
    return 0


def sections(options: argparse.Namespace, history: AsvHistory, margin: float) -> list[HistorySection]:
    """Return what changed over the commits of a result directory."""
    points = points_of_commits(present_versions(history, history.of_machine(options.machine)))
    found = find_history(points, axis=("machine", "environment"), measured="benchmark", margin=margin)
    return [HistorySection("commits", found, tuple(confirming.of_commits(found, options.results)))]


def read(options: argparse.Namespace) -> AsvHistory:
    """Read the directory that `--results` names, and name what was skipped.

    Raises:
        UsageError: it holds no asv result.
    """
    history = read_asv_directory(options.results)
    for problem in history.problems[:_MOST_PROBLEMS]:
        print(one_line(str(problem)), file=sys.stderr)
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
