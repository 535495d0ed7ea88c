"""`savedmodel-bench doctor`: is this machine suitable for benchmarking, and what would help? Changes nothing."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace

from harness.commands.shared.output import add_output, output_of
from harness.errors import UsageError
from harness.machine.findings import Finding
from harness.machine.floors import Floor, measure_floors
from harness.machine.gpu.fitness import gpu_findings
from harness.machine.host_fitness import host_findings
from harness.machine.storage_fitness import existing, storage_findings
from harness.measure.guard import what_guards
from harness.measure.pinning import worker_environment
from harness.releases.environments import BYTES_NEEDED, FOLDER, choose_wheel
from harness.releases.fitness import release_findings
from harness.releases.project import find_root
from harness.report.cases import doctor_cases
from harness.report.doctor import report_doctor
from harness.report.pages.doctor import with_doctor_page
from harness.store.runs import results_path

HELP = "check whether this machine is suitable for benchmarking, with advice"
RESULTS_BYTES = 4 << 30
"""Wanted where artifacts are written: the largest preset's artifacts of one cell, twice a subject."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_output(parser)
    parser.add_argument(
        "--floors",
        action="store_true",
        help="also measure how fast this machine writes, reads, copies and multiplies matrices",
    )


def run(options: argparse.Namespace) -> int:
    """Look at the machine and print findings, and the floors where they are asked for.

    Returns:
        0, or 3 if a problem keeps everything from being measured.

    Raises:
        UsageError: the results' file system cannot be written, so that it has no floors.
    """
    root = find_root()
    results = results_path(root)
    places = {
        "results": (results, RESULTS_BYTES),
        "environments": (root / FOLDER, 2 * BYTES_NEEDED[choose_wheel(root=root)]),
    }
    findings: list[Finding] = [
        *host_findings(),
        what_guards().finding(),
        *storage_findings(places),
        *release_findings(root),
        *gpu_findings(worker_environment(os.environ, results)),
    ]
    floors: tuple[Floor, ...] | None = None
    if options.floors:
        try:
            floors = measure_floors(existing(results))
        except OSError as error:
            where = existing(results)
            raise UsageError(
                f"The hardware lower bounds cannot be measured in {where} ({error.strerror}): free space there."
            ) from error
    report = replace(report_doctor(findings, floors), cases=tuple(doctor_cases(findings)))
    return output_of(options).put(with_doctor_page(report))
