"""`savedmodel-bench export`: every sample as a tidy table."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

from harness.answers.summary import summary
from harness.asv.export import asv_samples
from harness.commands.shared.asv_directory import read_results
from harness.commands.shared.output import say_all
from harness.commands.shared.source import (
    add_machine,
    add_narrowing,
    add_results,
    narrowing_of,
    require_machine,
    require_no_narrowing,
)
from harness.releases.project import find_root
from harness.report.numbers import count
from harness.store.export import FORMATS, record_samples, write_samples
from harness.store.records import Problem

HELP = "write every sample as a table: CSV, JSON or Parquet (docs/export.md)"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--format", choices=FORMATS, default="csv", help="format of the table (default: csv)")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="write the table to this file instead of printing it"
    )
    add_results(parser, "export the samples of any asv project")
    add_machine(parser)
    add_narrowing(parser)
    parser.add_argument(
        "--medians",
        action="store_true",
        help="write a row for each metric and place, a column for each release",
    )


def run(options: argparse.Namespace) -> int:
    """Write the samples of the project's records, or of the asv directory that `--results` names."""
    if options.results is not None:
        require_no_narrowing(options, also=("medians",))
        table = asv_samples(read_results(options.results), options.machine)
    else:
        table = _of_records(options)
    write_samples(table, options.format, options.output)
    if options.output is not None:
        print(f"{count(len(table), 'row')} in {options.output}.", file=sys.stderr)
    return 0


def _of_records(options: argparse.Namespace) -> pd.DataFrame:
    problems: list[Problem] = []
    narrowing = narrowing_of(options)
    if options.medians:
        medians = summary(find_root(), machine=options.machine, problems=problems)
        table = medians if medians.empty else narrowing.medians(medians).reset_index()
    else:
        table = record_samples(find_root(), problems)
        table = table if options.machine is None else table[table["machine"] == options.machine]
    say_all(problems)
    require_machine(table, options.machine)
    return table if options.medians else narrowing.rows(table)
