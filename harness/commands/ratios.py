"""`savedmodel-bench ratios`: what one release's own numbers say of each other."""

from __future__ import annotations

import argparse
from dataclasses import replace

from harness.answers.ratios import ask_ratios
from harness.commands.shared.output import add_output, output_of, say_all
from harness.commands.shared.source import add_source, source_of
from harness.report.pages.ratios import ratios_page
from harness.report.ratios import report_ratios

HELP = "compare variants within each release: loaded vs original model, first vs later inference, save APIs"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help="releases (default: all in the results)")
    add_output(parser)
    add_source(parser)


def run(options: argparse.Namespace) -> int:
    """Print the answer; 0."""
    telling = ask_ratios(source_of(options), options.subjects)
    say_all(telling.problems)
    return output_of(options).put(replace(report_ratios(telling), page=ratios_page(telling)))
