"""`savedmodel-bench results merge`: runs that were measured elsewhere, taken into the results."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.commands.shared.output import add_output, output_of
from harness.errors import UsageError
from harness.releases.project import find_root
from harness.report.merged import report_merged
from harness.store.merging import merge
from harness.store.runs import ResultsLock

HELP = "take runs that were measured elsewhere into the results"

_MERGE = (
    "Take run directories from anywhere (a CI artifact, a colleague's copy) into results/. Doing it again changes "
    "nothing. Nothing in the folders is trusted: links, wrong names and files beyond the size limits are refused."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's actions, each with its options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    merging = actions.add_parser("merge", help="merge run directories into results/", description=_MERGE)
    merging.add_argument(
        "folders", nargs="+", type=Path, metavar="DIR", help="a run directory, or a folder with some at any depth"
    )
    add_output(merging)


def run(options: argparse.Namespace) -> int:
    """Merge and say what became of each run; 3 if any was refused."""
    root = find_root()
    with ResultsLock(root):
        merged = merge(root, options.folders)
    if not merged:
        raise UsageError("There is no run in these folders: a run directory holds run.json and records.jsonl.")
    return output_of(options).put(report_merged(merged))
