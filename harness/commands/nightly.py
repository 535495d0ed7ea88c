"""`savedmodel-bench nightly`: the whole night as one command for cron, a systemd timer, Slurm or a CI runner."""

from __future__ import annotations

import argparse
import datetime
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from harness.commands.shared.arguments import margin
from harness.commands.shared.night import NightJob
from harness.commands.shared.output import add_output, add_verbose, output_of
from harness.commands.shared.plan import SUBJECT, add_plan, request_of
from harness.errors import UsageError
from harness.planning.nights import AskedNight
from harness.releases.project import find_root
from harness.report.document import Report, Style
from harness.report.formats import render
from harness.report.night import report_night
from harness.report.numbers import count
from harness.report.paths import shown_path
from harness.store.machines import this_machine
from harness.store.nights import NightLock, StoredNight, accept, nights_of
from harness.store.output_encoding import ERRORS
from harness.store.pruning import OLD_DAYS, pack_all

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
    request = request_of(options, ())
    root = request.root
    machine = this_machine(root, request.machine).name
    asked = AskedNight(request, options.build, tuple(options.against or ()), options.night, options.gate == "exact")
    with NightLock(root, machine):
        job = NightJob(asked)
        with _logged(job.stored.path / "log.txt"):
            night = job.run()
            report = replace(report_night(night), everything=None)
            _write(job.stored.path, report)
            code = output_of(options).put(report)
            _tell(job.stored, report, options.on_finding)
            _pack(root)
    return code


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


def _write(folder: Path, report: Report) -> None:
    """Write page and text of a night, whatever its exit code; one that cannot be written is told and fails nothing."""
    for name, form in (("page.html", "html"), ("report.md", "markdown"), ("report.json", "json")):
        try:
            (folder / name).write_text(render(report, form, Style()), encoding="utf-8", errors=ERRORS)
        except OSError as error:
            print(f"{name} of this night cannot be written ({error.strerror}).", file=sys.stderr)
    print(f"The night's page: {shown_path(folder / 'page.html')}", file=sys.stderr)


def _tell(stored: StoredNight, report: Report, command: str | None) -> None:
    """Run the command that hears of findings, once a night; one that failed is tried again by the same night."""
    data = json.loads(render(report, "json", Style()))
    told = [one for one in data["findings"] if one["state"] in ("new", "gone")]
    if command is None or not told or stored.facts.get("told"):
        return
    done = subprocess.run(command, shell=True, input=json.dumps(data), text=True, check=False)
    if done.returncode:
        print(f"--on-finding ended with {done.returncode}: repeat the command to tell it again.", file=sys.stderr)
        return
    stored.updated(told=True)


def _pack(root: Path) -> None:
    """Pack the records of old runs; a night that cannot has failed in nothing that matters."""
    try:
        packed, before, after = pack_all(root, OLD_DAYS)
    except UsageError as error:
        print(error, file=sys.stderr)
        return
    if packed:
        print(f"{count(packed, 'old run')} compressed: {before >> 20} MiB became {after >> 20} MiB.", file=sys.stderr)


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
