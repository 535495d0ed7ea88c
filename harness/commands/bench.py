"""`savedmodel-bench bench`: the main job, from nothing to an answer about the two newest releases, in ten minutes."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace

from harness.answers.judging import compare_in_run
from harness.answers.notes import BlocksAdded
from harness.commands.shared.output import add_output, add_verbose, command_name, output_of, page_of_run, say_all
from harness.commands.shared.plan import add_plan, everything_judged, request_of
from harness.commands.shared.session import INTERRUPTED, measure_request
from harness.errors import UsageError
from harness.measure.limits import Limits
from harness.measure.sitting import Outcome
from harness.planning.forecast import forecast
from harness.planning.plans import gpu_of_workers
from harness.releases.environments import installable, obstacle
from harness.releases.manifest import read_manifest
from harness.releases.project import find_root
from harness.report.comparison import report_bench
from harness.report.document import Command
from harness.report.forecast import report_forecast
from harness.report.numbers import count
from harness.report.pages.comparison import with_comparison_page
from harness.report.screens.comparison import with_comparison_screen

HELP = "compare the two newest stable releases within ten minutes; running it again adds measurements"
REPORT_S = 10.0
"""Kept free at the end for judging, projecting and printing."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_plan(parser)
    add_output(parser)
    add_verbose(parser)
    parser.add_argument(
        "--minutes",
        type=float,
        default=10.0,
        metavar="M",
        help="time limit in minutes, installation included (default: 10)",
    )
    parser.add_argument(
        "--since", type=float, metavar="EPOCH", help="start of the time limit, in seconds since 1970 (default: now)"
    )


def run(options: argparse.Namespace) -> int:
    """Measure and say what was found. Ends with 0 whenever it measured, whatever the verdict, and with 3 if too little.

    A GPU that does not answer is reported first and last: whoever looks at either end of the output sees it.
    """
    gpu = gpu_of_workers()
    unmeasured = None
    if gpu.is_broken and options.device is None:
        unmeasured = f"The GPU is NOT measured, the CPU alone is: {gpu.text}. {gpu.remedy}"
        print(unmeasured, file=sys.stderr)
    code = _bench(options)
    if unmeasured is not None:
        print(unmeasured, file=sys.stderr if options.dry_run or code else sys.stdout)
    return code


def _bench(options: argparse.Namespace) -> int:
    spent_s = max(0.0, time.time() - options.since) if options.since else 0.0
    deadline = time.monotonic() + options.minutes * 60 - spent_s - REPORT_S
    manifest = read_manifest(find_root() / "releases.toml")
    stable = tuple(release for release in manifest.releases if release.is_stable)
    usable = installable(stable, python=options.python)
    if len(usable) < 2:
        newest = manifest.newest_stable(2)
        reasons = [reason for one in newest[::-1] if (reason := obstacle(one, python=options.python))]
        raise UsageError(reasons[0])
    for release in stable:
        if release not in usable and release.date >= usable[-2].date:
            print(f"Left out: {obstacle(release, python=options.python)}", file=sys.stderr)
    old, new = (release.name for release in usable[-2:])
    print(
        f"Comparing TensorFlow {old} with {new} (time limit: {_minutes(options.minutes)}, with installation).",
        file=sys.stderr,
    )
    request = replace(request_of(options, (old, new)), may_leave_out_gpu=True)
    if options.dry_run:
        return output_of(options).put(report_forecast(forecast(request)))
    limits = Limits(budget_s=request.budget_s, deadline=deadline, extend=True)
    outcome = measure_request(request, "bench", limits)
    if outcome.interrupted and not outcome.blocks:
        return INTERRUPTED
    _say_blocks(outcome)
    comparison = compare_in_run(outcome.run, old, new)
    say_all(comparison.problems)
    if outcome.blocks_before:
        comparison = replace(comparison, notes=(BlocksAdded(outcome.blocks_before), *comparison.notes))
    next_commands = _next_commands(old, new, [release.name for release in usable])
    settle = [command_name(), "compare", old, new, "--preset", comparison.preset]
    report = report_bench(comparison, settle_command=settle, next_commands=next_commands)
    report = replace(report, everything=everything_judged(comparison, request))
    report = with_comparison_page(report, comparison, next_commands, settle)
    report = with_comparison_screen(
        report, comparison, is_here=True, settle_command=settle, next_commands=next_commands[:1]
    )
    code = output_of(options).put(report, page=page_of_run(comparison))
    return INTERRUPTED if outcome.interrupted else code


def _minutes(number: float) -> str:
    return "1 minute" if number == 1 else f"{number:g} minutes"


def _say_blocks(outcome: Outcome) -> None:
    measured = outcome.blocks - outcome.blocks_before
    added = f", in addition to {outcome.blocks_before} earlier ones" if outcome.blocks_before else ""
    print(f"{count(measured, 'block')} measured{added}.", file=sys.stderr)
    if outcome.stopped_by:
        print(f"No more blocks were measured: {outcome.stopped_by}.", file=sys.stderr)


def _next_commands(old: str, new: str, usable: list[str]) -> list[Command]:
    command = command_name()
    commands = [Command("make bench", "run more blocks for this comparison")]
    if len(usable) > 2:
        earlier = usable[-3]
        commands.append(Command(f"{command} compare {earlier} {new}", "compare another pair of releases"))
    finer = f"{command} compare {old} {new} --preset nightly --budget 1h"
    commands.append(Command(finer, "test more models, with a margin of 5 %"))
    commands.append(Command(f"{command} summary", "print all numbers so far"))
    return commands
