"""`savedmodel-bench calibrate`: a release against itself, and what that says about this machine."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from harness.answers.calibration import calibration_data, calibration_of_run
from harness.commands.shared.output import add_output, output_of
from harness.commands.shared.plan import add_plan, request_of
from harness.commands.shared.session import INTERRUPTED, measure_request
from harness.errors import UsageError
from harness.measure.limits import Limits
from harness.planning.forecast import forecast
from harness.releases.environments import installable, obstacle
from harness.releases.manifest import read_manifest
from harness.releases.project import find_root
from harness.report.calibration import advise, report_calibration
from harness.report.forecast import report_forecast
from harness.store.calibrations import write_calibration
from harness.store.records import records_of_complete_blocks
from harness.store.runs import RunDirectory
from harness.store.taints import described, kind_of
from harness.verdict.calibration import FEWEST_BLOCKS

HELP = "measure a release against itself: how noisy this machine is, and which changes it can detect"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("subject", nargs="?", metavar="SUBJECT", help="a release (default: the newest stable one)")
    add_plan(parser)
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Measure a subject against itself, keep the calibration of this machine and preset, and print it."""
    root = find_root()
    name = options.subject or _newest(root, options.python)
    request = request_of(options, (name, name))
    output = output_of(options)
    if options.dry_run:
        return output.put(report_forecast(forecast(request)))
    outcome = measure_request(request, "calibrate", Limits(budget_s=request.budget_s))
    if outcome.interrupted:
        return INTERRUPTED
    if outcome.blocks < FEWEST_BLOCKS:
        raise UsageError(
            f"{outcome.blocks} blocks are too few to know the noise: measure {FEWEST_BLOCKS} or more, as in --blocks 8."
        )
    found = calibration_of_run(outcome.run)
    if found.unknown and not found.rows:
        raise UsageError(_useless(outcome.run, root))
    if found.shortfall is not None:
        raise UsageError(f"Calibration failed: {found.shortfall}")
    data = calibration_data(outcome.run, found, advise(found))
    path = write_calibration(root, found.machine, found.preset, data)
    output.put(report_calibration(found, data))
    print(f"Plans are made from {path.relative_to(root)} from now on.", file=sys.stderr)
    return 0


def _useless(run: RunDirectory, root: Path) -> str:
    """Return why a run in which nothing was calm is no calibration."""
    repeats = [record for record in records_of_complete_blocks(run.records()[0]) if record["cell"] is not None]
    kinds = [{kind_of(taint) for taint in record.get("taints") or ()} for record in repeats]
    counted = Counter(kind for found in kinds for kind in found).most_common()
    named = ", ".join(f"{described(kind)}: {number}" for kind, number in counted)
    return (
        f"Calibration failed: {sum(map(bool, kinds))} of {len(repeats)} measurements were discarded ({named}). Too few "
        "undisturbed ones are left. Run `savedmodel-bench doctor` to find the cause, then calibrate again on an "
        f"idle machine. The records are in {run.path.relative_to(root)}."
    )


def _newest(root: Path, python: str | None) -> str:
    manifest = read_manifest(root / "releases.toml")
    stable = tuple(release for release in manifest.releases if release.is_stable)
    usable = installable(stable, python=python)
    if not usable:
        reason = obstacle(stable[-1], python=python) if stable else "releases.toml has no stable release."
        raise UsageError(f"{reason} Or name a SUBJECT that is already installed (`savedmodel-bench releases add`).")
    return usable[-1].name
