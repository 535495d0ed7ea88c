"""`savedmodel-bench bench`: the main job, from nothing to an answer about the two newest releases, in ten minutes."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace

from harness.commands import compare, judging, measuring
from harness.commands.forecast import describe_plan
from harness.errors import UsageError
from harness.measure.limits import Limits
from harness.measure.sitting import Outcome
from harness.releases.commands import find_root
from harness.releases.environments import installable, obstacle
from harness.releases.manifest import read_manifest
from harness.report.narrative import render_narrative
from harness.shortfall import EXIT_CODE

_ADDED = (
    "This comparison was judged before, after {blocks} blocks. Adding blocks until something shows finds more than "
    "there is: what is called now and was not then deserves a run of its own (`compare --budget` pays for its looks)."
)
REPORT_S = 10.0
"""Kept free at the end for judging, projecting and printing."""


def bench(options: argparse.Namespace) -> int:
    """Measure and tell. Ends with 0 whenever it measured, whatever the verdict, and with 3 where too little was.

    A GPU that does not answer is told first and last: whoever looks at either end of the output sees it.
    """
    gpu = measuring.gpu_of_workers()
    unmeasured = None
    if gpu.is_broken and measuring.measures_cpu_alone(options):
        unmeasured = f"The GPU is NOT measured, the CPU alone is: {gpu.text}. {gpu.remedy}"
        print(unmeasured, file=sys.stderr)
    code = _bench(options)
    if unmeasured is not None:
        print(unmeasured, file=sys.stderr if options.dry_run or code else sys.stdout)
    return code


def _bench(options: argparse.Namespace) -> int:
    root = find_root()
    spent_s = max(0.0, time.time() - options.since) if options.since else 0.0
    deadline = time.monotonic() + options.minutes * 60 - spent_s - REPORT_S
    manifest = read_manifest(root / "releases.toml")
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
    print(f"Comparing {old} with {new}, at most {_minutes(options.minutes)} in all.", file=sys.stderr)
    if options.dry_run:
        return describe_plan(root, options, [old, new])
    limits = Limits(budget_s=options.budget, deadline=deadline, extend=True)
    outcome = compare.measure_subjects(root, options, "bench", [old, new], limits)
    if outcome.interrupted and not outcome.blocks:
        return compare.INTERRUPTED
    _say_blocks(outcome)
    comparison = judging.compare_in_run(outcome.run, old, new)
    if outcome.blocks_before:
        comparison = replace(comparison, notes=(_ADDED.format(blocks=outcome.blocks_before), *comparison.notes))
    text = render_narrative(
        comparison,
        settle_command=f"{judging.command_name()} compare {old} {new} --preset {comparison.preset}",
        next_commands=_next_commands(old, new, [release.name for release in usable]),
        width=judging.terminal_width(),
        colour=sys.stdout.isatty(),
    )
    print(text.rstrip("\n"))
    code = judging.concluded(comparison)
    if outcome.interrupted:
        return compare.INTERRUPTED
    return code if code == EXIT_CODE else 0


def _minutes(number: float) -> str:
    return "1 minute" if number == 1 else f"{number:g} minutes"


def _say_blocks(outcome: Outcome) -> None:
    measured = outcome.blocks - outcome.blocks_before
    added = f" to the {outcome.blocks_before} of before" if outcome.blocks_before else ""
    print(f"{measured} block{'' if measured == 1 else 's'} measured{added}.", file=sys.stderr)
    if outcome.stopped_by:
        print(f"No further block was started: {outcome.stopped_by}.", file=sys.stderr)


def _next_commands(old: str, new: str, usable: list[str]) -> list[tuple[str, str]]:
    command = judging.command_name()
    commands = [("make bench", "adds blocks to this comparison")]
    if len(usable) > 2:
        earlier = usable[-3]
        commands.append((f"{command} compare {earlier} {new}", "another pair of releases"))
    commands.append((f"{command} compare {old} {new} --preset nightly --budget 1h", "more models, finer margin"))
    commands.append((f"{command} summary", "all numbers so far, as a table"))
    return commands
