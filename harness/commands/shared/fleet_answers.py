"""What a fleet's answer is made of: its question as it was typed, its second waves, and what is kept of answers."""

from __future__ import annotations

import argparse
import contextlib
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.commands.shared.fleet_night import first_of, proceed
from harness.errors import UsageError
from harness.fleet.answer import FleetAnswer, answer
from harness.fleet.chunk_answer import chunk_answer
from harness.fleet.collecting import Collected, collect
from harness.fleet.folder import FleetFolder, fleet_names, fleets_path, open_fleet, open_folder
from harness.fleet.kept import is_kept, keep_answer
from harness.fleet.status import ENDED, JobStatus
from harness.report.document import Report
from harness.report.fleet_answer import report_fleet
from harness.report.fleet_chunks import report_chunks
from harness.store.merging import Fate

Say = Callable[[str], None]

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
    """Return the report of a fleet; its second waves are collected first. Once all jobs have ended, the answer is kept.

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


def bring_home(fleet: FleetFolder, say: Say) -> tuple[list[JobStatus], Collected]:
    """Collect a fleet, as `fleet collect FLEET` does: a night is taken as far as it goes, and an answer is kept.

    Args:
        fleet: any, a night's second wave as well.
        say: is told what is going on, a line each.

    Returns:
        Where all its jobs stand, a night's second wave included, and what the collecting did.

    Raises:
        UsageError: another command works on it.
    """
    if fleet.plan.night is not None:
        night, done = proceed(first_of(fleet), asked_of(fleet.plan.words), say)
        return [*done.jobs, *night.second_jobs], done
    done = collect(fleet)
    keep_ended(fleet, done)
    return done.jobs, done


def keep_ended(fleet: FleetFolder, done: Collected) -> None:
    """Keep the answer of a fleet that compares, once nothing more comes; anew where more came.

    Args:
        fleet: any.
        done: what collecting it did.
    """
    is_new = any(one.fate is not Fate.PRESENT for one in done.merged)
    if done.is_done and _is_kept_of(fleet) and (is_new or not is_kept(fleet.root, fleet.plan.fleet)):
        with contextlib.suppress(UsageError):  # nothing of it was measured
            keep_answer(fleet, answer_of(fleet, done.jobs))


def keep_missing(root: Path, newest: int, say: Say) -> None:
    """Keep the answers of the newest fleets to the newest question, as far as they ended and are not kept yet."""
    question: tuple[str, ...] | None = None
    left = newest
    for name in reversed(fleet_names(root)):
        fleet = open_folder(fleets_path(root) / name)
        if not _is_kept_of(fleet) or fleet.plan.words != (question or fleet.plan.words):
            continue
        question = fleet.plan.words
        if not left:
            return
        left -= 1
        if not is_kept(root, name):
            say(f"Judging fleet {name}, once …")
            try:
                keep_ended(fleet, collect(fleet))
            except UsageError as error:  # another command works on it
                say(f"Fleet {name}: {error}")


def _is_kept_of(fleet: FleetFolder) -> bool:
    """Whether a fleet's answer is one of those that `report --nights` puts beside each other."""
    return fleet.plan.command == "compare" and fleet.plan.confirms is None
