"""`savedmodel-bench summary`: where each metric stands, of the project's own records or of any asv project."""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from harness.answers.confirmation import SAME_RELEASE, Confirmations
from harness.answers.courses import courses_of_releases, steps_between_releases
from harness.answers.history import Check, HistorySection, points_of_releases, standings
from harness.answers.outline import outlines
from harness.answers.records_history import Judged, ask_history, ask_releases, judged_samples
from harness.answers.summary import SpawnedRuns, summary
from harness.asv.directory import AsvHistory
from harness.asv.history import history_of_commits
from harness.asv.summary import asv_summary
from harness.commands.shared.asv_directory import read_results
from harness.commands.shared.cores import on_all_cores
from harness.commands.shared.output import add_output, command_name, output_of, say_all
from harness.commands.shared.source import add_machine, add_narrowing, add_results, narrowing_of, require_machine
from harness.releases.project import find_root
from harness.report.asv_summary import asv_summary_csv, report_asv_summary
from harness.report.formats import FORMATS
from harness.report.numbers import count
from harness.report.outline import Shown
from harness.report.pages.asv_project import with_asv_summary_page
from harness.report.pages.numbers import with_summary_page
from harness.report.summary import report_summary
from harness.store.machines import this_machine
from harness.store.records import Problem
from harness.store.worker_versions import OlderRuns
from harness.verdict.confirmation import Standing
from harness.verdict.history import MARGIN

HELP = "show where each metric and model stands: its course over releases, best and latest value, what moved"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_output(parser, (*FORMATS, "csv"))
    add_results(
        parser, "summarise any asv project instead: each benchmark's latest value, its best and its values over time"
    )
    add_machine(parser)
    add_narrowing(parser)
    parser.add_argument("--verbose", action="store_true", help="show a line for each row, and leave nothing out")
    parser.add_argument("--changes", action="store_true", help="also search for changes, as `history` does")


def run(options: argparse.Namespace) -> int:
    """Print a line for each metric and model family, or for each series of the asv directory of `--results`; 0."""
    return _of_asv(options) if options.results is not None else _of_records(options)


def _of_records(options: argparse.Namespace) -> int:
    root, output, narrowing = find_root(), output_of(options), narrowing_of(options)
    problems: list[Problem] = []
    spawned: list[SpawnedRuns] = []
    older: list[OlderRuns] = []
    medians = summary(root, machine=options.machine, problems=problems, spawned=spawned, older=older)
    require_machine(medians, options.machine)
    say_all(problems)
    if not medians.empty:
        medians = narrowing.medians(medians)
    if output.form == "csv":  # which holds one table only
        say_all([*spawned, *older])
        output.put_text(medians.reset_index().to_csv(index=False))
        return 0
    if medians.empty:
        return output.put(report_summary(medians, pd.DataFrame(), spawned=spawned, older=older))
    judged = judged_samples(root, options.machine)
    points = narrowing.points(judged.points)
    if options.verbose or points.empty or narrowing.names_other_than(points["metric"]):
        points = narrowing.points(points_of_releases(judged.measured, judged.order))
    steps = steps_between_releases(root, judged.order, options.machine)
    found = outlines(points, ask_releases(judged), steps)
    changes = _changes(root, judged) if options.changes else ()
    report = report_summary(
        medians,
        standings(narrowing.points(judged.points)),
        found,
        changes,
        spawned=spawned,
        older=older,
        older_judged=judged.older,
        shown=Shown(this_machine(root).name, options.verbose, f"{command_name()} export --medians"),
    )
    if output.has_page:
        courses = courses_of_releases(narrowing.rows(judged.samples), judged.order)
        report = with_summary_page(report, medians, found, courses, steps)
    return output.put(report)


def _changes(root: Path, judged: Judged) -> tuple[HistorySection, ...]:
    found = ask_history(judged)
    checks = Confirmations(root, found.releases, judged.samples, MARGIN, command_name()).checks()
    same = tuple(Check(Standing.UNCONFIRMED, reason=SAME_RELEASE) for _ in found.nights.findings)
    return (
        HistorySection("releases", found.releases, checks, found.releases_of_pythons),
        HistorySection("nights", found.nights, same, found.python_changes),
    )


def _of_asv(options: argparse.Namespace) -> int:
    history, output = read_results(options.results), output_of(options)
    table = asv_summary(history, options.machine)
    if output.form == "csv":
        output.put_text(asv_summary_csv(table))
        return 0
    each = on_all_cores("Looking for changes")
    changes = (
        [history_of_commits(history, options.machine, MARGIN, command_name(), each=each)] if options.changes else []
    )
    report = report_asv_summary(table, _title(history, options.machine), changes)
    return output.put(with_asv_summary_page(report, table, changes) if output.has_page else report)


def _title(history: AsvHistory, machine: str | None) -> str:
    rows = history.of_machine(machine)
    names = (("machine", "machine"), ("environment", "environment"), ("benchmark", "benchmark"), ("commit", "commit"))
    counted = ", ".join(count(rows[column].nunique(), noun) for column, noun in names)
    dates = rows["date"].dropna()
    span = f", {dates.min():%Y-%m-%d} to {dates.max():%Y-%m-%d}" if len(dates) else ""
    return f"{history.path}: {counted}{span}."
