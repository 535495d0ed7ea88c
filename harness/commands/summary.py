"""`savedmodel-bench summary`: all numbers in the results, of the project's own records or of any asv project."""

from __future__ import annotations

import argparse

import pandas as pd

from harness.answers.confirmation import SAME_RELEASE, Confirmations
from harness.answers.courses import courses_of_releases, steps_between_releases
from harness.answers.history import Check, HistorySection, standings
from harness.answers.records_history import Judged, ask_history, judged_samples
from harness.answers.summary import SpawnedRuns, summary
from harness.asv.directory import AsvHistory
from harness.asv.history import history_of_commits
from harness.asv.summary import asv_summary
from harness.commands.shared.asv_directory import read_results
from harness.commands.shared.cores import on_all_cores
from harness.commands.shared.output import add_output, command_name, output_of, say_all
from harness.commands.shared.source import add_machine, add_results, require_machine
from harness.releases.project import find_root
from harness.report.asv_summary import asv_summary_csv, report_asv_summary
from harness.report.document import Report
from harness.report.formats import FORMATS
from harness.report.numbers import count
from harness.report.pages.asv_project import with_asv_summary_page
from harness.report.pages.numbers import with_summary_page
from harness.report.summary import report_summary
from harness.store.records import Problem
from harness.store.worker_versions import OlderRuns
from harness.verdict.confirmation import Standing
from harness.verdict.history import MARGIN

HELP = "print all numbers in the results: metric, device and model by release"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_output(parser, (*FORMATS, "csv"))
    add_results(
        parser, "summarise any asv project instead: each benchmark's latest value, its best and its values over time"
    )
    add_machine(parser)
    parser.add_argument("--changes", action="store_true", help="also search for changes, as `history` does")


def run(options: argparse.Namespace) -> int:
    """Print medians, standings and what changed, or the state of the asv directory that `--results` names; 0."""
    return _of_asv(options) if options.results is not None else _of_records(options)


def _of_records(options: argparse.Namespace) -> int:
    root, output = find_root(), output_of(options)
    problems: list[Problem] = []
    spawned: list[SpawnedRuns] = []
    older: list[OlderRuns] = []
    medians = summary(root, machine=options.machine, problems=problems, spawned=spawned, older=older)
    require_machine(medians, options.machine)
    say_all(problems)
    if output.form == "csv":  # which holds one table only
        say_all([*spawned, *older])
        output.put_text(medians.reset_index().to_csv(index=False))
        return 0
    if medians.empty:
        return output.put(report_summary(medians, pd.DataFrame(), (), spawned, older))
    judged = judged_samples(root, options.machine)
    ranked = standings(judged.points)
    if not options.changes:
        report = report_summary(medians, ranked, (), spawned, older, judged.older)
        return output.put(_with_page(report, medians, judged) if output.has_page else report)
    found = ask_history(judged)
    checks = Confirmations(root, found.releases, judged.samples, MARGIN, command_name()).checks()
    same = tuple(Check(Standing.UNCONFIRMED, reason=SAME_RELEASE) for _ in found.nights.findings)
    changes = (
        HistorySection("releases", found.releases, checks, found.releases_of_pythons),
        HistorySection("nights", found.nights, same, found.python_changes),
    )
    report = report_summary(medians, ranked, changes, spawned, older, judged.older)
    return output.put(_with_page(report, medians, judged) if output.has_page else report)


def _with_page(report: Report, medians: pd.DataFrame, judged: Judged) -> Report:
    courses = courses_of_releases(judged.samples, judged.order)
    return with_summary_page(report, medians, courses, steps_between_releases(find_root(), judged.order))


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
