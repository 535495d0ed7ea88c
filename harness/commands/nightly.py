"""`savedmodel-bench nightly`: the whole night as one command for cron, a systemd timer, Slurm or a CI runner."""

from __future__ import annotations

import argparse
import datetime
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from harness.commands.shared.arguments import margin
from harness.commands.shared.night import NightJob
from harness.commands.shared.night_ending import pack_old, tell, write_night
from harness.commands.shared.output import add_output, add_verbose, output_of
from harness.commands.shared.plan import SUBJECT, add_plan, request_of
from harness.errors import UsageError
from harness.planning.nights import AskedNight
from harness.releases.project import find_root
from harness.report.night import report_night
from harness.store.machines import this_machine
from harness.store.nights import NightLock, accept, nights_of
from harness.store.output_encoding import ERRORS

HELP = "measure tonight's build against the last good one and the newest stable release, and say what is new"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options, and `accept`."""
    parser.add_argument(
        "--build", default="nightly", metavar="BUILD", help=f"the new build: {SUBJECT} (default: nightly)"
    )
    parser.add_argument(
        "--against",
        action="append",
        metavar="RELEASE",
        help="measure against this release, not the last good build and the newest stable release; can be repeated",
    )
    parser.add_argument(
        "--night", metavar="DAY", help="name of the night, as in 2026-11-28 or 2026-11-28.2 (default: today, UTC)"
    )
    parser.add_argument(
        "--on-finding",
        metavar="CMD",
        help="run this shell command with the night as JSON on its standard input when a finding is new or gone",
    )
    parser.add_argument(
        "--margin",
        type=margin,
        action="append",
        metavar="[PATTERN=]F",
        help="ignore changes in time up to this fraction (default: the test plan's); can be repeated",
    )
    parser.add_argument(
        "--gate",
        choices=("all", "exact"),
        default="all",
        help="what becomes a finding: every row that is judged, or only sizes, counts and failures, which no busy "
        "machine changes (default: all)",
    )
    add_plan(parser, dry_run=False)
    add_output(parser)
    add_verbose(parser)
    parser.set_defaults(preset="nightly")
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    what = "do not tell of a finding until a day, as something that is known"
    accepting = actions.add_parser("accept", help=what, description=what)
    accepting.add_argument("finding", metavar="FINDING", help="its ident, as the night's report has it")
    accepting.add_argument("--until", type=_day, required=True, metavar="DATE", help="the last day, as in 2026-12-31")
    accepting.add_argument("--why", required=True, metavar="TEXT", help="the reason, for whoever reads the report")


def run(options: argparse.Namespace) -> int:
    """Measure the night and report it.

    Returns:
        0: nothing new; 1: a regression is newly confirmed; 3: it could not be measured, or not be trusted.
    """
    if options.action == "accept":
        return accept_finding(find_root(), options.machine, options.finding, options.until, options.why)
    asked = asked_night(options)
    root = asked.request.root
    machine = this_machine(root, asked.request.machine).name
    with NightLock(root, machine):
        job = NightJob(asked)
        with _logged(job.stored.path / "log.txt"):
            night = job.run()
            report = replace(report_night(night), everything=None)
            write_night(job.stored.path, report)
            code = output_of(options).put(report)
            tell(job.stored, report, options.on_finding)
            pack_old(root)
    return code


def asked_night(options: argparse.Namespace) -> AskedNight:
    """Return what the options ask to have measured."""
    request = request_of(options, ())
    return AskedNight(request, options.build, tuple(options.against or ()), options.night, options.gate == "exact")


def accept_finding(root: Path, machine: str | None, ident: str, until: str, why: str) -> int:
    """Write down that a finding is accepted; return the exit code.

    Raises:
        UsageError: the last night knows no such finding, or the reason is empty.
    """
    name = this_machine(root, machine).name
    concluded = [one for one in nights_of(root, name)[0] if one.is_concluded]
    findings = {one.ident: one for one in concluded[-1].known().findings} if concluded else {}
    if ident not in findings:
        known = ", ".join(findings) or "none"
        raise UsageError(f"There is no finding {ident!r}: those that are there are {known}.")
    if not why.strip():
        raise UsageError("Say with --why what the reason is, for whoever reads the report.")
    accept(root, name, ident, until, why.strip())
    print(f"Finding {ident} ({' '.join(findings[ident].key)}) is accepted until {until}.")
    return 0


def _day(text: str) -> str:
    try:
        return str(datetime.date.fromisoformat(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day: write it like 2026-12-31") from None


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    """Let everything that is said on standard error be in the night's log as well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = sys.stderr
    with path.open("a", encoding="utf-8", errors=ERRORS) as log:
        sys.stderr = _Both(before, log)
        try:
            yield
        finally:
            sys.stderr = before


class _Both(io.TextIOBase):
    """Writes to two streams; what is asked of it, the first answers."""

    def __init__(self, first: TextIO, second: TextIO) -> None:
        self._first, self._second = first, second

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._first.encoding

    def write(self, text: str) -> int:
        self._second.write(text)
        self._second.flush()
        return self._first.write(text)

    def flush(self) -> None:
        self._first.flush()

    def isatty(self) -> bool:
        return self._first.isatty()

    def fileno(self) -> int:
        return self._first.fileno()
