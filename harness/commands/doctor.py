"""`savedmodel-bench doctor`: is this machine fit for measuring, and what would make it fitter? Changes nothing."""

from __future__ import annotations

import argparse
import os

from harness.commands.judging import put_out, terminal_width
from harness.errors import UsageError
from harness.machine.findings import Finding, Severity
from harness.machine.floors import Floor, measure_floors
from harness.machine.gpu_fitness import gpu_findings
from harness.machine.host_fitness import host_findings
from harness.machine.storage_fitness import existing, storage_findings
from harness.measure.pinning import worker_environment
from harness.releases.commands import find_root
from harness.releases.environments import BYTES_NEEDED, FOLDER, choose_wheel
from harness.releases.fitness import release_findings
from harness.report.fitness import render_fitness_json, render_fitness_table
from harness.store.runs import results_path

RESULTS_BYTES = 4 << 30
"""Wanted where artifacts are written: the largest preset's artifacts of one cell, twice a subject."""

IMPOSSIBLE = 3


def doctor(options: argparse.Namespace) -> int:
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
            raise UsageError(f"Floors cannot be measured in {where} ({error.strerror}): free space there.") from error
    if options.format == "json":
        put_out(render_fitness_json(findings, floors), options)
    else:
        put_out(render_fitness_table(findings, floors, width=terminal_width()), options)
    impossible = any(finding.severity is Severity.PROBLEM for finding in findings)
    return IMPOSSIBLE if impossible else 0
