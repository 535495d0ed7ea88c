"""`savedmodel-bench scaling`: how operations grow with a model's bytes and layers."""

from __future__ import annotations

import argparse
from dataclasses import replace

from harness.answers.scaling import ask_scaling
from harness.commands.shared.output import add_output, output_of, say_all
from harness.commands.shared.source import add_source, source_of
from harness.report.pages.scaling import scaling_page
from harness.report.scaling import report_scaling

HELP = "show how the time of each operation grows with the model's size in bytes and layers"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help="releases (default: all in the results)")
    add_output(parser)
    add_source(parser)


def run(options: argparse.Namespace) -> int:
    """Print the answer; 0."""
    telling = ask_scaling(source_of(options), options.subjects)
    say_all(telling.problems)
    return output_of(options).put(replace(report_scaling(telling), page=scaling_page(telling)))
