"""`savedmodel-bench report`: a page of all that results answer, the project's own or any asv project's."""

from __future__ import annotations

import argparse
import sys
import webbrowser
from pathlib import Path

from harness.answers.overview import ask_overview
from harness.asv.history import history_of_commits
from harness.asv.summary import asv_summary
from harness.commands.shared.asv_directory import read_results
from harness.commands.shared.cores import on_all_cores
from harness.commands.shared.output import Output, command_name, say_all
from harness.commands.shared.source import add_machine, add_results
from harness.releases.project import find_root
from harness.report.document import Report
from harness.report.numbers import count
from harness.report.pages.asv_project import report_asv_project
from harness.report.pages.overview import report_overview
from harness.store.runs import results_path
from harness.verdict.history import MARGIN

HELP = "write a page of everything that the results say, as one file that opens anywhere"
NAME = "report.html"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_results(parser, "of any asv project instead: what changed over its commits, and where each benchmark stands")
    add_machine(parser)
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help=f"where the page goes (default: results/{NAME}, or ./{NAME})"
    )
    parser.add_argument("--open", action="store_true", help="open the page in the browser")


def run(options: argparse.Namespace) -> int:
    """Write the page, print its path, and open it where that is asked for; 0."""
    if options.results is None:
        root = find_root()
        overview = ask_overview(root, options.machine, command_name())
        say_all(overview.problems)
        report, usual = report_overview(overview, command_name()), results_path(root) / NAME
    else:
        report, usual = _of_asv(options), Path(NAME)
    path = options.output or usual
    Output("html", path).put(report)
    if options.open and not webbrowser.open(path.absolute().as_uri()):
        print("No browser is here to open it with.", file=sys.stderr)
    return report.exit_code


def _of_asv(options: argparse.Namespace) -> Report:
    history = read_results(options.results)
    print(f"Looking for changes in {count(history.series, 'series', 'series')} …", file=sys.stderr)
    section = history_of_commits(
        history, options.machine, MARGIN, command_name(), each=on_all_cores("Looking for changes")
    )
    return report_asv_project(section, asv_summary(history, options.machine), str(history.path))
