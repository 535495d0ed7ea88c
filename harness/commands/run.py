"""`savedmodel-bench run`: measure any number of subjects, interleaved in one run; judge nothing."""

from __future__ import annotations

import argparse
import shlex
import sys
from dataclasses import replace

from harness.answers.run_facts import facts_of_run
from harness.answers.summary import SpawnedRuns, summary
from harness.commands.shared.output import Output, add_output, add_verbose, command_name, output_of, say_all
from harness.commands.shared.plan import SUBJECT, add_plan, request_of
from harness.commands.shared.session import INTERRUPTED, measure_request, say_end
from harness.errors import UsageError
from harness.measure.limits import Limits
from harness.planning.forecast import forecast
from harness.planning.pythons import groups_of_subjects
from harness.planning.request import Request
from harness.report.forecast import report_forecast
from harness.report.pages.numbers import with_run_page
from harness.report.run import report_run
from harness.report.screens.run import with_run_screen

HELP = "measure any number of releases, interleaved in one run, and print their numbers"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "subjects",
        nargs="+",
        metavar="SUBJECT",
        help=f"releases: {SUBJECT}; ALL, given alone, means every release that can be installed here",
    )
    add_plan(parser)
    add_output(parser)
    add_verbose(parser)


def run(options: argparse.Namespace) -> int:
    """Measure and print the subjects' numbers side by side; one run for each Python where none is here for all."""
    request, output = request_of(options, options.subjects), output_of(options)
    groups = groups_of_subjects(request.root, request.subjects, request.python, request.wheel)
    if len(groups) > 1:
        told = "; ".join(f"Python {python}: {', '.join(names)}" for python, names in groups)
        if output.form == "json" or output.path is not None:
            raise UsageError(
                f"No Python on this machine has wheels for all of these ({told}), and a report is about one run: run "
                "them separately."
            )
        print(
            f"No Python on this machine has wheels for all of these, so there is a run for each. {told}.",
            file=sys.stderr,
        )
    subjects, worst = sum(len(names) for _, names in groups), 0
    for python, names in groups:
        budget_s = None if request.budget_s is None else request.budget_s * len(names) / subjects
        part = replace(request, subjects=tuple(names), python=python, budget_s=budget_s)
        status = output.put(report_forecast(forecast(part))) if options.dry_run else _run_together(part, output)
        if status == INTERRUPTED:
            return status
        worst = max(worst, status)
    return worst


def _run_together(request: Request, output: Output) -> int:
    """Measure subjects interleaved in one run and print their numbers."""
    outcome = measure_request(request, "run", Limits(budget_s=request.budget_s))
    if outcome.interrupted:
        return INTERRUPTED
    say_end(outcome)
    spawned: list[SpawnedRuns] = []
    medians = summary(request.root, run=outcome.run.run, spawned=spawned)
    facts = facts_of_run(outcome.run, medians)
    say_all(facts.problems)
    everything = shlex.join([command_name(), "export", "--machine", outcome.run.machine, "--format", "json"])
    report = replace(report_run(medians, facts, spawned), everything=everything)
    report = with_run_page(report, medians, facts)
    if output.form == "json":  # which a program reads: the notes are for who looks on
        say_all(f"Note: {sentence}" for sentence in report.notes)
    names = [subject["name"] for subject in outcome.run.facts["subjects"]]
    where = outcome.run.path.relative_to(request.root)
    compare = None if len(names) < 2 else f"{command_name()} compare {names[-2]} {names[-1]} --run {where}"
    report = with_run_screen(report, facts, plan=request.preset, blocks=outcome.blocks, compare=compare)
    hint = f"To compare two of them: {compare}" if compare is not None and not output.has_screen else None
    return output.put(report, hint, page=outcome.run.path / "numbers.html")
