"""`savedmodel-bench history`: what changed over releases and nights, or over the commits of any asv project."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from harness.answers.confirmation import BUDGET_S, SAME_RELEASE, Confirmations
from harness.answers.history import Check, HistorySection
from harness.answers.records_history import ask_history, judged_samples
from harness.asv.history import history_of_commits
from harness.commands.shared.arguments import duration_s, fraction
from harness.commands.shared.asv_directory import read_results
from harness.commands.shared.confirm import measure_again
from harness.commands.shared.cores import on_all_cores
from harness.commands.shared.output import add_output, command_name, output_of, say_all
from harness.commands.shared.source import add_machine, add_results
from harness.errors import UsageError
from harness.releases.project import find_root
from harness.report.history import report_history
from harness.report.numbers import count
from harness.report.pages.history import with_history_page
from harness.verdict.confirmation import Standing

HELP = "find changes over releases and nights: since when, by how much, in which rows"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_output(parser)
    add_results(parser, "search the commits of any asv project instead")
    add_machine(parser)
    parser.add_argument(
        "--margin", type=fraction, default=0.05, metavar="F", help="ignore changes up to this fraction (default: 0.05)"
    )
    parser.add_argument(
        "--verbose",
        "--all",
        action="store_true",
        help="list all changes, each with its rows, and what is no longer measured",
    )
    parser.add_argument(
        "--repo",
        type=Path,
        metavar="DIR",
        help="with --results: the repository whose log orders the commits (default: the one that asv.conf.json names; "
        "without it they are ordered by date)",
    )
    parser.add_argument(
        "--confirm",
        type=duration_s,
        nargs="?",
        const=BUDGET_S,
        metavar="TIME",
        help="measure both releases of each change again, interleaved in one run, for at most TIME per pair of "
        "releases (default: 20m); exit with code 1 if a regression is confirmed, else with 3 if a change could not be "
        "measured",
    )


def run(options: argparse.Namespace) -> int:
    """Print findings and what is known of each.

    Returns:
        0 whatever is found; after measuring again (`--confirm`) 1 if a regression is confirmed, else 3 if a change
        could not be measured.
    """
    if options.results is not None and options.confirm is not None:
        raise UsageError("Commits of another project cannot be measured again here: leave out --confirm.")
    if options.results is not None:
        results = read_results(options.results)
        print(f"Looking for changes in {count(results.series, 'series', 'series')} …", file=sys.stderr)
        each = on_all_cores("Looking for changes")
        section = history_of_commits(results, options.machine, options.margin, command_name(), options.repo, each)
        report = with_history_page(report_history([section], is_whole=options.verbose), [section], str(results.path))
        return output_of(options).put(report)
    if options.repo is not None:
        raise UsageError("--repo orders the commits of another project: give --results, too.")
    root = find_root()
    judged = judged_samples(root, options.machine)
    say_all(judged.problems)
    found = ask_history(judged, options.margin)
    budget_s = options.confirm or BUDGET_S
    confirmations = Confirmations(root, found.releases, judged.samples, options.margin, command_name(), budget_s)
    checks = confirmations.checks() if options.confirm is None else measure_again(confirmations)
    same = tuple(Check(Standing.UNCONFIRMED, reason=SAME_RELEASE) for _ in found.nights.findings)
    sections = [
        HistorySection("releases", found.releases, checks, found.releases_of_pythons, found.model_changes),
        HistorySection("nights", found.nights, same, found.python_changes, found.model_changes),
    ]
    report = report_history(sections, judged.older, is_confirmed=options.confirm is not None, is_whole=options.verbose)
    return output_of(options).put(with_history_page(report, sections))
