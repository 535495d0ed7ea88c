"""`savedmodel-bench promises`: what SavedModel promises, and in which release it holds."""

from __future__ import annotations

import argparse
from dataclasses import replace

from harness.answers.promises import ask_promises
from harness.commands.shared.output import add_output, output_of, say_all
from harness.commands.shared.source import add_source, source_of
from harness.report.pages.promises import promises_page
from harness.report.promises import report_promises

HELP = "show in which releases training can be resumed, and models load without their original code"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_output(parser)
    add_source(parser)


def run(options: argparse.Namespace) -> int:
    """Print every promise that one machine's records tell about; 0."""
    answer = ask_promises(source_of(options))
    say_all(answer.telling.problems)
    return output_of(options).put(replace(report_promises(answer), page=promises_page(answer)))
