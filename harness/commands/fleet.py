"""`savedmodel-bench fleet`: the same question on all machine types of a cluster, by Slurm."""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import msgspec

from harness.commands.check import check_request
from harness.commands.nightly import asked_night
from harness.commands.shared.arguments import fraction, positive
from harness.commands.shared.fleet_answers import (
    UNTIMED,
    answer_of,
    asked_of,
    bring_home,
    keep_ended,
    keep_missing,
    report_of,
    waves_of,
)
from harness.commands.shared.fleet_night import first_of, proceed
from harness.commands.shared.output import add_output, add_verbose, command_name, output_of, say_all
from harness.commands.shared.plan import request_of
from harness.errors import UsageError
from harness.fleet import slurm
from harness.fleet.assignment import AssignmentLock, assignment_path
from harness.fleet.chain import chained_arguments, collect_as_job
from harness.fleet.chunks import plan_check, plan_inspect
from harness.fleet.collecting import cancel, collect, run_of
from harness.fleet.confirmation import confirming
from harness.fleet.folder import FleetFolder, FleetPlan, fleet_names, fleets_path, open_fleet
from harness.fleet.gpus import gpus_path
from harness.fleet.kept import kept_answers
from harness.fleet.lock import FleetBusyError
from harness.fleet.matrix import matrix_of
from harness.fleet.nights import plan_nights
from harness.fleet.over_nights import over_nights
from harness.fleet.runners import keep_plan, take
from harness.fleet.starting import costs, plan_fleet, start, submissions
from harness.fleet.status import ENDED, JobStatus, statuses
from harness.fleet.submission import SCRIPT, shown
from harness.fleet.types import read_types
from harness.fleet.work import work
from harness.measure.own_models import OwnModel
from harness.releases.project import find_root
from harness.report.fleet import report_status
from harness.report.fleet_nights import report_fleet_night
from harness.report.fleet_over_nights import report_nights
from harness.report.numbers import count
from harness.store.merging import Fate

HELP = "ask the same question on all machine types of a cluster (Slurm)"

_COMMANDS = ("run", "compare", "nightly", "check", "inspect")
_NEWEST_QUESTION = "the newest that confirms no other"
_POLL_S = 5.0
_Done = TypeVar("_Done")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's actions, each with its options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    def action(name: str, text: str) -> argparse.ArgumentParser:
        return actions.add_parser(name, help=text, description=text)

    starting = action("start", "submit a job for each node of some machine types")
    starting.add_argument(
        "--on", required=True, metavar="TYPE,…", help="machine types of fleet.toml to measure on, with commas between"
    )
    starting.add_argument(
        "--dry-run", action="store_true", help="print jobs, hours and what would be submitted; submit nothing"
    )
    collecting = starting.add_mutually_exclusive_group()
    collecting.add_argument(
        "--wait", action="store_true", help="collect until all jobs have ended, then report, as `fleet report` does"
    )
    collecting.add_argument(
        "--collect-job",
        action="store_true",
        help="submit a small job that collects after the others, and again while some are lost (nodes must be allowed "
        "to submit)",
    )
    starting.add_argument(
        "--aa",
        action="store_true",
        help="measure the new release twice on each node; a node on which it differs from itself is not trusted. Takes "
        "half as long again",
    )
    starting.add_argument(
        "question", nargs=argparse.REMAINDER, metavar="-- COMMAND …", help=f"the command: {' or '.join(_COMMANDS)} …"
    )
    _add_coverage(starting)
    add_output(starting)
    add_verbose(starting)
    balancing = action("rebalance", "let the next start spread the models of a type anew; histories begin new courses")
    balancing.add_argument("type", metavar="TYPE", help="machine type of fleet.toml")
    matrix = action("matrix", "print the jobs as a matrix for GitHub's workflows; submits nothing")
    matrix.add_argument("--on", required=True, metavar="TYPE,…", help="machine types of fleet.toml")
    matrix.add_argument("question", nargs=argparse.REMAINDER, metavar="-- COMMAND …", help="as for `fleet start`")
    matrix.add_argument("--plan", type=Path, metavar="FILE", help="also write the plan, for `fleet report --from`")
    for name, text in {
        "status": "say where each job stands; changes nothing",
        "report": "judge what was measured on each type, and say what changed where",
        "confirm": "measure again what changed, on the nodes where it did, as a fleet of its own",
        "collect": "merge what was delivered, and submit again what is lost; can be repeated at any moment",
        "cancel": "cancel all jobs that have not ended",
        "logs": "print what the jobs printed",
        "clean": "remove the fleet's folder, once all jobs have ended and their results are merged",
    }.items():
        each = action(name, text)
        which = {"collect": "all", "report": _NEWEST_QUESTION, "confirm": _NEWEST_QUESTION}.get(name, "the newest")
        each.add_argument("fleet", nargs="?", metavar="FLEET", help=f"name of the fleet (default: {which})")
        if name in ("status", "report", "confirm", "collect", "cancel"):
            add_output(each)
        if name == "report":
            each.add_argument(
                "--from",
                type=Path,
                dest="taken",
                metavar="DIR",
                help="answer what a workflow's runners measured: DIR has plan/plan.json of `fleet matrix --plan` and "
                "a folder for each job, whose runs `results merge` took",
            )
            each.add_argument(
                "--nights",
                type=positive,
                metavar="N",
                help="say what changed since when over the newest N fleets that asked the same and have ended",
            )
            _add_coverage(each)
            add_verbose(each)
    working = action("work", "what a job runs on its node; not meant to be typed")
    working.add_argument("job", type=Path, metavar="FILE", help="the job's file")


def run(options: argparse.Namespace) -> int:
    """Do what was asked for and return its exit code."""
    if options.action == "work":
        code = collect_as_job(options.job, collected)
        return work(options.job) if code is None else code
    root = find_root()
    if options.action == "start":
        return _start(root, options)
    if options.action == "rebalance":
        (kind,) = read_types(root, [options.type])
        with AssignmentLock(root):
            for path in (assignment_path(root, kind), gpus_path(root, kind)):
                path.unlink(missing_ok=True)
        _say(f"The next start spreads the models of {kind} over its nodes anew.")
        return 0
    if options.action == "matrix":
        plan, own = _planned(root, options, is_kept=False)
        entries = matrix_of(plan, own)
        if options.plan is not None:
            keep_plan(plan, options.plan)
        print(json.dumps(entries))
        return 0
    if vars(options).get("nights") is not None:
        return _report_nights(root, options)
    if vars(options).get("taken") is not None:
        fleet = take(root, options.taken)
        return _report(fleet, options, collect(fleet).jobs)
    fleet = open_fleet(root, options.fleet)
    if options.action in ("report", "confirm") and options.fleet is None:
        fleet = _newest_question(root) or fleet
    if options.action == "collect" and options.fleet is None:
        _collect_others(root, fleet)
    if fleet.plan.night is not None and options.action in ("report", "confirm", "clean"):
        return _night(first_of(fleet), options)
    match options.action:
        case "status":
            if options.fleet is None:
                _name_others(root, fleet)
            return output_of(options).put(report_status(fleet.plan.fleet, statuses(fleet, slurm.listed())))
        case "collect":
            jobs, done = bring_home(fleet, _say)
            return output_of(options).put(report_status(first_of(fleet).plan.fleet, jobs, done))
        case "cancel":
            return min(0, output_of(options).put(report_status(fleet.plan.fleet, cancel(fleet))))
        case "report":
            return _report(fleet, options, collect(fleet).jobs)
        case "confirm":
            return _confirm(fleet, options)
        case "logs":
            return _logs(fleet)
        case _:
            return _clean(fleet)


def collected(fleet: FleetFolder) -> list[str]:
    """Collect in a job what `fleet collect FLEET` collects, and return what has to be said."""
    return bring_home(fleet, _say)[1].said


def _planned(root: Path, options: argparse.Namespace, *, is_kept: bool) -> tuple[FleetPlan, dict[str, OwnModel]]:
    words = options.question[1:] if options.question[:1] == ["--"] else options.question
    if not words or words[0] not in _COMMANDS:
        raise UsageError(
            f"Say what to measure after `--` ({' or '.join(_COMMANDS)}), as in `fleet start --on h100 -- compare 2.20 "
            "2.21`."
        )
    asked = asked_of(words)
    is_aa = vars(options).get("aa", False)
    if is_aa and words[0] != "compare":
        raise UsageError("--aa belongs to `compare`: a night has its A/A arm, and `run` judges nothing.")
    types = read_types(root, [name.strip() for name in options.on.split(",") if name.strip()])
    match words[0]:
        case "nightly":
            if options.action == "matrix":
                raise UsageError("A workflow measures a night on one runner: `nightly` itself (docs/nightly.md).")
            return plan_nights(asked_night(asked), words, types, _say, is_kept=is_kept)
        case "check":
            return plan_check(check_request(asked), words, types, _say)
        case "inspect":
            paths = [path for path in (asked.path, asked.other) if path is not None]
            return plan_inspect(root, paths, asked.release, words, types, _say)
    if words[0] == "run":
        subjects = tuple(asked.subjects)
    else:
        subjects = (asked.new, asked.old, asked.new) if is_aa else (asked.old, asked.new)
    request = replace(request_of(asked, subjects), against_first=is_aa)
    return plan_fleet(request, words[0], words, types, _say, is_kept=is_kept)


def _start(root: Path, options: argparse.Namespace) -> int:
    plan, own = _planned(root, options, is_kept=not options.dry_run)
    if not plan.jobs:
        _say("There is no build that was not measured before, so nothing was submitted.")
        return 0
    plan = msgspec.structs.replace(plan, collects=options.collect_job)
    for cost in costs(plan):
        _say(
            f"{cost.type}: {count(cost.jobs, 'job')}, about {max(1, round(cost.expected_s / 60))} min each (end "
            f"{_clock(cost.expected_s)} if nodes are free), at most {cost.node_hours:.3g} node-hours and "
            f"{cost.gpu_hours:.3g} GPU-hours, tries included."
        )
    if options.dry_run:
        for name, arguments in submissions(plan):
            print(f"{name}: sbatch {shown(arguments)}")
        if plan.collects:
            folder = FleetFolder(fleets_path(root) / plan.fleet, plan)
            print(f"collect: sbatch {shown(chained_arguments(folder, 1, [name for name, _ in submissions(plan)]))}")
        _refuse_invalid(plan)
        return 0
    if slurm.listed() is None:
        raise UsageError("Slurm does not answer here, so nothing was submitted: does `squeue --me` work?")
    _refuse_invalid(plan)
    fleet, refused = start(plan, own)
    for sentence in refused:
        _say(sentence)
    _say(f"Fleet {fleet.plan.fleet} is on its way: `{command_name()} fleet collect` brings its results home.")
    if not options.wait:
        return output_of(options).put(report_status(fleet.plan.fleet, statuses(fleet, slurm.listed())))
    if fleet.plan.night is not None:
        return _await_night(fleet, options)
    said: set[str] = set()
    while not (done := _patiently(lambda: collect(fleet))).is_done:
        for sentence in (one for one in done.said if one not in said):
            _say(sentence)
            said.add(sentence)
        time.sleep(_POLL_S)
    return _patiently(lambda: _report(fleet, options, done.jobs))


def _refuse_invalid(plan: FleetPlan) -> None:
    for name, arguments in submissions(plan):
        wrong = slurm.complaint(arguments, SCRIPT)
        if wrong is not None:
            raise UsageError(f"Slurm would refuse {name} ({wrong}), so nothing was submitted: correct fleet.toml.")


def _await_night(fleet: FleetFolder, options: argparse.Namespace) -> int:
    asked = asked_of(fleet.plan.words)
    while not _patiently(lambda: proceed(fleet, asked, _say))[0].is_over:
        time.sleep(_POLL_S)
    night, _ = _patiently(lambda: proceed(fleet, asked, _say, anew=True))
    return output_of(options).put(report_fleet_night(night, require_coverage=options.require_coverage))


def _patiently(action: Callable[[], _Done]) -> _Done:
    """Do what needs the fleet; while another command holds it, as cron's `collect` does now and then, wait."""
    while True:
        try:
            return action()
        except FleetBusyError:
            time.sleep(_POLL_S)


def _newest_question(root: Path) -> FleetFolder | None:
    """Return the newest fleet that does not measure again what another one found."""
    fleets = (open_fleet(root, name) for name in reversed(fleet_names(root)))
    return next((fleet for fleet in fleets if fleet.plan.confirms is None), None)


def _name_others(root: Path, newest: FleetFolder) -> None:
    """Say which other fleets have not ended, for the status is that of one."""
    known = slurm.listed()
    for name in (one for one in fleet_names(root) if one != newest.plan.fleet):
        jobs = statuses(open_fleet(root, name), known)
        left = sum(one.state not in ENDED for one in jobs)
        if left:
            more = f"`{command_name()} fleet status {name}`"
            _say(f"Fleet {name} has not ended ({left} of {count(len(jobs), 'job')} open): {more}")


def _collect_others(root: Path, newest: FleetFolder) -> None:
    """Collect the fleets before the newest one, so that none waits because another was started after it."""
    for name in (one for one in fleet_names(root) if one != newest.plan.fleet):
        try:
            fleet = open_fleet(root, name)
            _, done = bring_home(fleet, _say)
        except UsageError as error:
            _say(f"Fleet {name}: {error}")
            continue
        new = sum(one.fate is not Fate.PRESENT for one in done.merged)
        if new or done.submitted:
            _say(f"Fleet {name}: {count(new, 'run')} merged, {count(len(done.submitted), 'job')} submitted.")
        for sentence in done.said:
            _say(f"Fleet {name}: {sentence}")


def _night(fleet: FleetFolder, options: argparse.Namespace) -> int:
    """Take a night as far as it goes, then do what was asked for with it."""
    if options.action == "confirm":
        raise UsageError(f"A night confirms what it calls by itself: `{command_name()} fleet collect`.")
    night, _ = proceed(fleet, asked_of(fleet.plan.words), _say, anew=options.action == "report")
    if options.action == "report":
        return output_of(options).put(report_fleet_night(night, require_coverage=options.require_coverage))
    if not night.is_over:
        raise UsageError(f"Night {night.night} is not concluded: wait, or `{command_name()} fleet cancel` first.")
    if night.second in fleet_names(fleet.root):
        _clean(open_fleet(fleet.root, night.second))
    return _clean(fleet)


def _confirm(fleet: FleetFolder, options: argparse.Namespace) -> int:
    if fleet.plan.command in UNTIMED:
        raise UsageError(f"Fleet {fleet.plan.fleet} measured no time, so there is nothing to confirm.")
    jobs = collect(fleet).jobs
    with fleet.locked():  # until it is started, so that two commands start one
        for wave in waves_of(fleet):
            if any(run_of(wave, job) is not None for job in wave.plan.jobs) or not collect(wave).is_done:
                raise UsageError(
                    f"Fleet {wave.plan.fleet} measured it again already: `{command_name()} fleet report "
                    f"{fleet.plan.fleet}` says what it confirmed. A further try would find more than there is."
                )
        found = answer_of(fleet, jobs)
        plan = confirming(fleet, found, {one.job.name: one.node for one in jobs})
        fleet.note_wave(plan.fleet)
        second, refused = start(plan, {}, fleet.project)
    for sentence in refused:
        _say(sentence)
    return output_of(options).put(report_status(plan.fleet, statuses(second, slurm.listed())))


def _report(fleet: FleetFolder, options: argparse.Namespace, jobs: list[JobStatus]) -> int:
    return output_of(options).put(report_of(fleet, jobs, options.require_coverage))


def _report_nights(root: Path, options: argparse.Namespace) -> int:
    keep_missing(root, options.nights, _say)
    tables, problems = kept_answers(root, options.nights)
    say_all(problems)
    if not tables:
        raise UsageError("No fleet that compares has ended yet: `savedmodel-bench fleet status` says how it stands.")
    return output_of(options).put(report_nights(over_nights(tables)))


def _add_coverage(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--require-coverage",
        type=fraction,
        default=0.9,
        metavar="F",
        help="exit with code 3 if less than this fraction of a type's plan was measured (default: 0.9)",
    )


def _logs(fleet: FleetFolder) -> int:
    for job in fleet.plan.jobs:
        for attempt in fleet.attempts(job.name):
            print(f"== {job.name}, attempt {attempt.number}: {attempt.log}")
            if attempt.log.exists():
                print(attempt.log.read_text(encoding="utf-8", errors="replace").rstrip("\n"))
    return 0


def _clean(fleet: FleetFolder) -> int:
    done = collect(fleet)
    open_jobs = [one.job.name for one in done.jobs if one.state not in ENDED]
    if open_jobs:
        raise UsageError(f"{', '.join(open_jobs)} have not ended: wait, or `{command_name()} fleet cancel` first.")
    for sentence in done.said:
        _say(sentence)
    if done.said:
        raise UsageError(f"Not all results could be merged, so {fleet.path} stays.")
    keep_ended(fleet, done)
    fleet.remove()
    where = "" if fleet.plan.command in UNTIMED else "; its results are in results/runs"
    _say(f"{fleet.path} is removed{where}. Fleets left: {len(fleet_names(fleet.root))}.")
    return 0


def _clock(after_s: float) -> str:
    """Return the time of day so many seconds from now, with its zone."""
    return f"{datetime.datetime.now().astimezone() + datetime.timedelta(seconds=after_s):%H:%M %Z}"


def _say(line: str) -> None:
    print(line, file=sys.stderr)
