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
from harness.report.history import NOT_SEARCHED, HistorySection, render_history, write_history
from harness.report.markdown_writer import MarkdownWriter
from harness.report.names import one_line
from harness.report.numbers import count
from harness.report.searching import SearchProgress
from harness.store.asv_commits import CommitOrder, commit_order, hash_of_name
from harness.store.asv_directory import AsvHistory, read_asv_directory
from harness.store.asv_summary import asv_summary, present_versions
from harness.verdict.history import MARGIN as MARGIN_OF_HISTORY
from harness.verdict.margins import margin_table

MARGIN = 0.10
"""The change in time that matters where nothing else is said: asv's own `--factor 1.1`."""

_MOST_PROBLEMS = 10
_MANY_FILES = 300


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
    order = commit_order(history.values, history.path, options.repo)
    table = asv_summary(history, options.machine, order)
    title = f"{_title(history, options.machine)} {order.told}"
    found = _searched(options, history, order, MARGIN_OF_HISTORY) if options.changes else None
    if options.format == "markdown":
        report = MarkdownWriter(judging.everything(options))
        write_asv_summary(report, table, title=title)
        if found is None:
            report.paragraph(NOT_SEARCHED)
        else:
            write_history(report, found)
        judging.put_out(report.text(), options)
        return 0
    text = render_asv_summary(table, options.format, title=title, width=judging.terminal_width())
    if options.format == "json":
        told = None if found is None else json.loads(render_history(found, "json"))["sections"]
        text = json.dumps(
            {**json.loads(text), "order": order.told, "history": told, "changes": told is not None}, indent=1
        )
    elif options.format == "table":  # CSV holds one table only
        text += "\n\n" + (NOT_SEARCHED if found is None else render_history(found, "table"))
    judging.put_out(text, options)
    return 0


def sections(options: argparse.Namespace) -> list[HistorySection]:
    """Return what changed over the commits of a result directory."""
    history = read(options)
    order = commit_order(history.values, history.path, options.repo)
    return _searched(options, history, order, options.margin)


def _searched(
    options: argparse.Namespace, history: AsvHistory, order: CommitOrder, margin: float
) -> list[HistorySection]:
    points = points_of_commits(present_versions(history, history.of_machine(options.machine)), order)
    found = find_history(
        points, axis=("machine", "environment"), measured="benchmark", margin=margin, progress=SearchProgress()
    )
    return [HistorySection("commits", found, tuple(confirming.of_commits(found, options.results)), order.told)]


def read(options: argparse.Namespace) -> AsvHistory:
    """Read the directory that `--results` names, and name what was skipped.

    Raises:
        UsageError: it holds no asv result.
    """
    files = sum(1 for _ in options.results.glob("*/*.json"))
    if files > _MANY_FILES:
        print(f"Reading {files:,} result files.", file=sys.stderr)
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
