"""`savedmodel-bench compare`: measure two subjects side by side, or take a run or an asv directory, and judge them."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.answers.comparison import Comparison
from harness.answers.judging import Selection, compare_in_run
from harness.commands.shared.arguments import margin
from harness.commands.shared.asv_directory import compare_commits_of
from harness.commands.shared.output import add_output, add_verbose, command_name, output_of, page_of_run, say_all
from harness.commands.shared.plan import SUBJECT, add_plan, everything_judged, plan_words, request_of
from harness.commands.shared.session import INTERRUPTED, measure_request, say_end
from harness.commands.shared.source import add_results
from harness.errors import UsageError
from harness.measure.limits import Limits
from harness.measure.preset_files import shipped_names
from harness.planning.forecast import forecast
from harness.planning.request import Request
from harness.releases.subjects import subject_name
from harness.report.comparison import report_comparison
from harness.report.forecast import report_forecast, split_sentence
from harness.report.pages.comparison import with_comparison_page
from harness.report.screens.comparison import with_comparison_screen
from harness.store.runs import open_run
from harness.verdict.looks import PLANNED
from harness.verdict.margins import require_known

HELP = "measure two releases, interleaved in one run, and report regressions and improvements"

_PLAN = {
    "preset": "quick", "blocks": None, "repeats": None, "budget": None, "isolation": "fork", "wheel": "auto",
    "policy": None, "python": None, "machine": None, "seed": 1,
}  # fmt: skip
"""Options that say how to measure, with their defaults."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("old", metavar="OLD", help=f"the old release: {SUBJECT}; with --results a commit or tag")
    parser.add_argument("new", metavar="NEW", help="the new release")
    add_plan(parser)
    add_output(parser)
    add_verbose(parser)
    parser.add_argument(
        "--require-decision",
        action="store_true",
        help="exit with code 2 if there is no regression but at least one inconclusive comparison",
    )
    parser.add_argument(
        "--run",
        type=Path,
        metavar="DIR",
        help="use the results of this run (results/runs/MACHINE/RUN) instead of measuring",
    )
    parser.add_argument(
        "--margin",
        type=margin,
        action="append",
        metavar="[PATTERN=]F",
        help="ignore changes in time up to this fraction (default: the test plan's; 0.1 with --results); "
        "'load_*=0.02' sets it for some metrics; can be repeated",
    )
    add_results(parser, "compare two commits in the results of any asv project instead of measuring")


def run(options: argparse.Namespace) -> int:
    """Measure unless results are named, judge, and return the exit code of the verdict."""
    settle: Sequence[str] | None
    everything = None
    if options.results is not None:
        comparison = compare_commits_of(
            options.results, options.old, options.new, margins=options.margin, machine=options.machine
        )
        settle = None
    else:
        for pattern, _ in options.margin or ():
            if pattern is not None:
                require_known(pattern)
        request = request_of(options, (options.old, options.new))
        if options.dry_run:
            return output_of(options).put(report_forecast(forecast(request, with_looks=True)))
        if options.run is not None:
            _refuse_plan(options)
            comparison = _of_run(options.run, request)
            settle = _settle(comparison, replace(request, preset=comparison.preset))
            settle = settle if comparison.preset in shipped_names() else None
        else:
            measured = _measured(request)
            if measured is None:
                return INTERRUPTED
            comparison, settle = measured, _settle(measured, request)
        everything = everything_judged(comparison, request)
    say_all(comparison.problems)
    report = report_comparison(comparison, require_decision=options.require_decision, settle_command=settle)
    report = with_comparison_page(replace(report, everything=everything), comparison, settle_command=settle)
    # What only reads results writes none: a run that was named has its page where --html says.
    is_measured = options.run is None and options.results is None
    report = with_comparison_screen(report, comparison, is_here=is_measured, settle_command=settle)
    return output_of(options).put(report, page=page_of_run(comparison) if is_measured else None)


def _of_run(path: Path, request: Request) -> Comparison:
    """Judge two subjects of a run that exists."""
    stored = open_run(path)
    old, new = (subject_name(request.root, name, stored.facts["subjects"]) for name in request.subjects)
    wanted = Selection(request.operations, request.devices, request.chosen_models)
    return compare_in_run(stored, old, new, wanted, margins=request.margins)


def _measured(request: Request) -> Comparison | None:
    """Measure and judge; None if it was interrupted."""
    looks = () if request.budget_s is None else PLANNED
    outcome = measure_request(_with_best_repeats(request) if looks else request, "compare", _limits(request), looks)
    if outcome.interrupted:
        return None
    say_end(outcome)
    old, new = (subject["name"] for subject in outcome.run.facts["subjects"])
    return compare_in_run(outcome.run, old, new, Selection(request.operations), margins=request.margins)


def _limits(request: Request) -> Limits:
    return Limits(budget_s=request.budget_s)


def _with_best_repeats(request: Request) -> Request:
    """Return the request with the repeats by which the budget shows most, where this machine's calibration tells."""
    found = forecast(request, with_looks=True)
    if found.problem is not None:
        print(f"{found.problem}.", file=sys.stderr)
    if found.split is None:
        return request
    print(split_sentence(found), file=sys.stderr)
    return replace(request, repeats=found.split.repeats)


def _refuse_plan(options: argparse.Namespace) -> None:
    given = [f"--{name}" for name, default in _PLAN.items() if getattr(options, name) != default]
    if given:
        raise UsageError(f"--run uses results that exist: leave out {', '.join(given)}.")


def _settle(comparison: Comparison, request: Request) -> list[str]:
    """Return the words of the command that measures these two sides as they were, without a number of blocks."""
    sides = (comparison.old.name, comparison.new.name)
    return [shlex.quote(word) for word in (command_name(), "compare", *sides, *plan_words(request))]
