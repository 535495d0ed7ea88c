"""The end of a night: its page and texts, who hears of its findings, and old records made small."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from harness.errors import UsageError
from harness.report.document import Report, Style
from harness.report.formats import render
from harness.report.numbers import count
from harness.report.paths import shown_path
from harness.store.nights import StoredNight
from harness.store.output_encoding import ERRORS
from harness.store.pruning import OLD_DAYS, pack_all


def write_night(folder: Path, report: Report) -> None:
    """Write page and text of a night, whatever its exit code; one that cannot be written is told and fails nothing."""
    for name, form in (("page.html", "html"), ("report.md", "markdown"), ("report.json", "json")):
        try:
            (folder / name).write_text(render(report, form, Style()), encoding="utf-8", errors=ERRORS)
        except OSError as error:
            print(f"{name} of this night cannot be written ({error.strerror}).", file=sys.stderr)
    print(f"The night's page: {shown_path(folder / 'page.html')}", file=sys.stderr)


def tell(stored: StoredNight, report: Report, command: str | None) -> bool:
    """Run the command that hears of findings, once a night; return whether it has heard.

    One that failed is tried again by the same night.
    """
    data = json.loads(render(report, "json", Style()))
    told = [one for one in data["findings"] if one["state"] in ("new", "gone")]
    if command is None or not told or stored.facts.get("told"):
        return True
    done = subprocess.run(command, shell=True, input=json.dumps(data), text=True, check=False)
    if done.returncode:
        print(f"--on-finding ended with {done.returncode}: repeat the command to tell it again.", file=sys.stderr)
        return False
    stored.updated(told=True)
    return True


def pack_old(root: Path) -> None:
    """Pack the records of old runs; a night that cannot has failed in nothing that matters."""
    try:
        packed, before, after = pack_all(root, OLD_DAYS)
    except UsageError as error:
        print(error, file=sys.stderr)
        return
    if packed:
        print(f"{count(packed, 'old run')} compressed: {before >> 20} MiB became {after >> 20} MiB.", file=sys.stderr)
