"""Measuring what was asked for, to its end or to an interruption, with the live display."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from harness.asv.projection import project
from harness.errors import UsageError
from harness.measure.limits import Limits
from harness.measure.progress import Progress
from harness.measure.run import RESULTS_WAIT_S, measure
from harness.measure.sitting import Outcome
from harness.planning.plans import plan_of
from harness.planning.repeats import allot_of
from harness.planning.request import Request
from harness.planning.review import review_of
from harness.report.numbers import count
from harness.report.progress import progress_for
from harness.store.runs import ResultsLock

INTERRUPTED = 130
_AS_PLANNED = ("run", "calibrate")
"""What is measured for its own numbers, not for a difference, has the repeats of the plan in all blocks."""


def measure_request(request: Request, kind: str, limits: Limits, looks: tuple[int, ...] = ()) -> Outcome:
    """Measure, project the records into asv's result files, and say how to go on if it was interrupted.

    With `looks` the two subjects are judged after each of them, and what is settled is measured no longer.

    Raises:
        UsageError: no block could be completed.
    """
    root = request.root
    progress = terminal_progress()
    plan = plan_of(request, kind, progress, looks)
    if kind not in _AS_PLANNED and request.repeats is None:
        limits = replace(limits, allot=allot_of(root, progress, request.margins))
    if looks:
        limits = replace(limits, review=review_of(request.operations, progress, request.margins))
    outcome = measure(root, plan, limits, progress)
    if outcome.blocks:
        with ResultsLock(root, wait_s=RESULTS_WAIT_S):
            project(root)
    if outcome.interrupted:
        print(_interrupted(outcome.blocks, outcome.run.path.relative_to(root)), file=sys.stderr)
    elif not outcome.blocks:
        raise UsageError(f"No block could be measured: {outcome.stopped_by}; give it more time.")
    return outcome


def say_end(outcome: Outcome) -> None:
    """Print why a run ended before its blocks were done, where it did."""
    if outcome.stopped_by:
        print(f"Ended after {count(outcome.blocks, 'block')}: {outcome.stopped_by}.", file=sys.stderr)


def terminal_progress() -> Progress:
    """Return the live display on standard error: redrawn on a terminal, line by line elsewhere."""
    return progress_for(Console(stderr=True, soft_wrap=not sys.stderr.isatty()))


def _interrupted(blocks: int, where: Path) -> str:
    if not blocks:
        return (
            "Interrupted before a block was complete, so there are no results yet; the same command measures the first "
            f"block again, in {where}."
        )
    kept = f"{blocks} complete {'block is' if blocks == 1 else 'blocks are'} kept in {where}"
    return f"Interrupted: {kept}; the same command goes on from there."
