"""`savedmodel-bench export`: every sample as a tidy table."""

from __future__ import annotations

import argparse
import sys

from harness.commands import asv_project, judging
from harness.releases.commands import find_root
from harness.report.numbers import count
from harness.store.export import asv_samples, record_samples, write_samples
from harness.store.records import Problem


def export(options: argparse.Namespace) -> int:
    """Write the samples of the project's records, or of the asv directory that `--results` names."""
    if options.results is not None:
        table = asv_samples(asv_project.read(options), options.machine)
    else:
        problems: list[Problem] = []
        table = record_samples(find_root(), problems)
        for problem in problems:
            print(problem, file=sys.stderr)
        if options.machine is not None:
            table = table[table["machine"] == options.machine]
            judging.require_machine(table, options.machine)
    write_samples(table, options.format, options.output)
    if options.output is not None:
        print(f"{count(len(table), 'row')} in {options.output}.", file=sys.stderr)
    return 0
