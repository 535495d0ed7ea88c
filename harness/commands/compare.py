"""`savedmodel-bench run` and `savedmodel-bench compare`: measure subjects side by side; compare judges two."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from harness.commands import asv_project, judging, measuring, planning
from harness.commands.budgeting import review_of
from harness.commands.forecast import describe_plan
from harness.commands.remarks import remarks_of
from harness.errors import UsageError
from harness.measure.limits import Limits
from harness.measure.run import measure
from harness.measure.sitting import Outcome
from harness.releases.commands import find_root
from harness.report.medians import Medians
from harness.report.numbers import count
from harness.report.remarks import render_run, told
from harness.shortfall import EXIT_CODE
from harness.store.asv_results import project
from harness.store.records import Problem
from harness.store.runs import ResultsLock
from harness.store.summary import SpawnedRuns, summary
from harness.verdict.looks import PLANNED
from harness.verdict.margins import require_known

INTERRUPTED = 130


def run(options: argparse.Namespace) -> int:
    """Measure any number of subjects and print their numbers side by side, and what is to be said of them."""
    root = find_root()
    groups = measuring.groups_of_subjects(root, options.subjects, options.python)
    if len(groups) > 1:
        told = "; ".join(f"Python {python}: {', '.join(names)}" for python, names in groups)
        if options.format == "json" or options.output is not None:
            raise UsageError(
                f"No Python is here for all of these ({told}), and one report is of one run: run them apart."
            )
        print(f"No Python is here for all of these, so there is a run for each. {told}.", file=sys.stderr)
    subjects, worst = sum(len(names) for _, names in groups), 0
    for python, names in groups:
        budget_s = None if options.budget is None else options.budget * len(names) / subjects
        part = argparse.Namespace(**{**vars(options), "python": python, "budget": budget_s})
        status = describe_plan(root, part, names) if options.dry_run else _run_together(root, part, names)
        if status == INTERRUPTED:
            return status
        worst = max(worst, status)
    return worst


def _run_together(root: Path, options: argparse.Namespace, names: list[str]) -> int:
    """Measure subjects interleaved in one run and print their numbers."""
    outcome = measure_subjects(root, options, "run", names, Limits(budget_s=options.budget))
    if outcome.interrupted:
        return INTERRUPTED
    _say_end(outcome)
    spawned: list[SpawnedRuns] = []
    table = summary(root, run=outcome.run.run, spawned=spawned)
    remarks = remarks_of(outcome.run, table, judging.shown_path(outcome.run.path))
    report = render_run(
        Medians(table, spawned),
        remarks,
        options.format,
        everything=judging.everything_of_run(outcome.run),
        width=judging.terminal_width(),
        colour=judging.is_coloured(options),
    )
    if options.format == "json":  # which a program reads: the notes are for who looks on
        for sentence in told(remarks):
            print(f"Note: {sentence}", file=sys.stderr)
    judging.put_out(report, options)
    names = [subject["name"] for subject in outcome.run.facts["subjects"]]
    if len(names) > 1:
        where = outcome.run.path.relative_to(root)
        command = f"{judging.command_name()} compare {names[-2]} {names[-1]} --run {where}"
        print(f"To judge two of them: {command}", file=sys.stderr)
    if remarks.shortfall is None:
        return 0
    print(f"savedmodel-bench: {remarks.shortfall}", file=sys.stderr)
    return EXIT_CODE


_PLAN = {
    "preset": "quick", "blocks": None, "repeats": None, "budget": None, "isolation": "fork", "wheel": "auto",
    "policy": None, "python": None, "machine": None, "seed": 1,
}  # fmt: skip
"""Options that say how to measure, with their defaults."""


def _refuse_plan(options: argparse.Namespace) -> None:
    given = [f"--{name}" for name, default in _PLAN.items() if getattr(options, name) != default]
    if given:
        raise UsageError(f"--run judges what was measured already: leave {', '.join(given)} out.")


def compare(options: argparse.Namespace) -> int:
    """Measure two subjects, or take a run or an asv directory that has, and judge them."""
    if options.results is not None:
        return asv_project.compare(options)
    root = find_root()
    for pattern, _ in options.margin or ():
        if pattern is not None:
            require_known(pattern)
    names = [options.old, options.new]
    if options.dry_run:
        return describe_plan(root, options, names)
    if options.run is not None:
        _refuse_plan(options)
        stored = judging.load_named_run(options.run)
        known = {subject["name"] for subject in stored.facts["subjects"]}
        old, new = (name if name in known else measuring.subject_name(root, name) for name in names)
        wanted = judging.Wanted(options.operation, options.device, options.model)
        comparison = judging.compare_in_run(stored, old, new, wanted, margins=options.margin)
    else:
        looks = () if options.budget is None else PLANNED
        if looks:
            _plan_repeats(root, options)
        outcome = measure_subjects(root, options, "compare", names, Limits(budget_s=options.budget), looks)
        if outcome.interrupted:
            return INTERRUPTED
        _say_end(outcome)
        old, new = (subject["name"] for subject in outcome.run.facts["subjects"])
        comparison = judging.compare_in_run(
            outcome.run, old, new, judging.Wanted(options.operation), margins=options.margin
        )
    judging.put_out(judging.render(comparison, options), options)
    return judging.concluded(comparison, options.require_decision)


def _plan_repeats(root: Path, options: argparse.Namespace) -> None:
    """Set the repeats by which the budget shows most, where this machine's calibration tells."""
    preset, _ = measuring.chosen_preset(options)
    calibration = planning.calibration_of(root, options, preset)
    if isinstance(calibration, Problem):
        print(f"{calibration}.", file=sys.stderr)
        return
    split = planning.split_of_budget(options, calibration)
    if split is not None and calibration is not None:
        print(planning.split_sentence(split, calibration), file=sys.stderr)
        options.repeats = split.repeats


def measure_subjects(
    root: Path,
    options: argparse.Namespace,
    kind: str,
    names: list[str],
    limits: Limits,
    looks: tuple[int, ...] = (),
) -> Outcome:
    """Measure, project the records into asv's result files, and say how to go on if it was interrupted.

    With `looks` the two subjects are judged after each of them, and what is settled is measured no longer.

    Raises:
        UsageError: most of the plan has no room on this machine, or no block could be completed.
    """
    progress = measuring.terminal_progress()
    plan = measuring.plan_of(root, options, kind, names, progress, looks)
    if looks:
        limits = replace(limits, review=review_of(options.operation, progress, options.margin))
    outcome = measure(root, plan, limits, progress)
    if outcome.blocks:
        with ResultsLock(root):
            project(root)
    where = outcome.run.path.relative_to(root)
    if outcome.interrupted:
        print(_interrupted(outcome.blocks, where), file=sys.stderr)
    elif not outcome.blocks:
        raise UsageError(f"No block could be measured: {outcome.stopped_by}; give it more time.")
    return outcome


def _say_end(outcome: Outcome) -> None:
    if outcome.stopped_by:
        print(f"Ended after {count(outcome.blocks, 'block')}: {outcome.stopped_by}.", file=sys.stderr)


def _interrupted(blocks: int, where: Path) -> str:
    if not blocks:
        return (
            "Interrupted before a block was complete, so there are no results yet; the same command measures the first "
            f"block again, in {where}."
        )
    kept = f"{blocks} complete {'block is' if blocks == 1 else 'blocks are'} kept in {where}"
    return f"Interrupted: {kept}; the same command goes on from there."
