"""What a fleet's answer is made of: its question as it was typed, its second waves, and what is kept of answers."""

from __future__ import annotations

import argparse
import contextlib
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.errors import UsageError
from harness.fleet.answer import FleetAnswer, answer
from harness.fleet.chunk_answer import chunk_answer
from harness.fleet.collecting import collect
from harness.fleet.folder import FleetBusyError, FleetFolder, fleet_names, open_fleet
from harness.fleet.kept import is_kept, keep_answer
from harness.fleet.status import ENDED, JobStatus
from harness.report.document import Report
from harness.report.fleet_answer import report_fleet
from harness.report.fleet_chunks import report_chunks

UNTIMED = ("check", "inspect")
"""Commands that measure no time."""


def asked_of(words: Sequence[str]) -> argparse.Namespace:
    """Return the options of the command that the jobs are to answer, as it reads them itself.

    Raises:
        UsageError: they are wrong, or do not belong there.
    """
    command = importlib.import_module(f"harness.commands.{words[0]}")
    parser = argparse.ArgumentParser(prog=f"savedmodel-bench fleet start … -- {words[0]}")
    command.configure(parser)
    try:
        asked = parser.parse_args(words[1:])
    except SystemExit as ended:
        raise UsageError("The command after `--` is wrong; nothing was submitted.") from ended
    for name in ("run", "results", "output", "html", "junit"):
        if vars(asked).get(name) is not None and not callable(vars(asked)[name]):
            raise UsageError(f"--{name} does not belong after `--`: give it to `fleet start` or `fleet report`.")
    if vars(asked).get("action") is not None:
        raise UsageError(f"`nightly {asked.action}` measures nothing: leave out `fleet start --on … --`.")
    if vars(asked).get("dry_run"):
        raise UsageError("--dry-run belongs before `--`: `fleet start --dry-run --on …`.")
    return asked


def waves_of(fleet: FleetFolder) -> list[FleetFolder]:
    """Return the fleets that measured again what this one called, as far as they are there."""
    return [open_fleet(fleet.root, name) for name in fleet.waves() if name in fleet_names(fleet.root)]


def answer_of(fleet: FleetFolder, jobs: list[JobStatus]) -> FleetAnswer:
    """Return what a fleet that compares has found."""
    asked = asked_of(fleet.plan.words)
    operations = None if asked.operation is None else tuple(asked.operation)
    return answer(fleet, jobs, operations, vars(asked).get("margin"))


def report_of(fleet: FleetFolder, jobs: list[JobStatus], require_coverage: float) -> Report:
    """Return the report of a fleet, and keep its answer once all jobs have ended; second waves are collected first.

    Args:
        fleet: one that is no night.
        jobs: where its jobs stand.
        require_coverage: the share of a type's rows below which too little was measured.
    """
    if fleet.plan.command in UNTIMED:
        return report_chunks(chunk_answer(fleet, jobs))
    for wave in waves_of(fleet):
        collect(wave)
    decision = bool(vars(asked_of(fleet.plan.words)).get("require_decision"))
    found = answer_of(fleet, jobs)
    if all(one.state in ENDED for one in jobs):
        keep_answer(fleet, found)
    return report_fleet(found, require_coverage=require_coverage, require_decision=decision)


def comparing(root: Path) -> list[FleetFolder]:
    """Return the fleets that compare and confirm no other one's findings, oldest first."""
    fleets = (open_fleet(root, name) for name in fleet_names(root))
    return [one for one in fleets if one.plan.command == "compare" and one.plan.confirms is None]


def keep_missing(fleets: Sequence[FleetFolder], say: Callable[[str], None]) -> None:
    """Collect fleets whose answer is not kept yet, and keep those of the ones that have ended."""
    for fleet in (one for one in fleets if not is_kept(one.root, one.plan.fleet)):
        try:
            done = collect(fleet)
        except FleetBusyError as error:
            say(str(error))
            continue
        if done.is_done:
            say(f"Judging fleet {fleet.plan.fleet}, once …")
            keep_ended(fleet, done.jobs)


def keep_ended(fleet: FleetFolder, jobs: list[JobStatus]) -> None:
    """Keep the answer of a fleet whose jobs have ended, where it is not kept yet."""
    is_asked = fleet.plan.command == "compare" and fleet.plan.confirms is None
    if is_asked and not is_kept(fleet.root, fleet.plan.fleet) and all(one.state in ENDED for one in jobs):
        with contextlib.suppress(UsageError):  # nothing of it was measured
            keep_answer(fleet, answer_of(fleet, jobs))
