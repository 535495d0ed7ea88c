"""`savedmodel-bench inspect PATH [OTHER]`: what a SavedModel holds, or what differs between two; nothing of it runs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from harness.answers.inspection import difference, inspect
from harness.commands.shared.output import add_output, output_of
from harness.releases.environments import prepare
from harness.releases.manifest import read_manifest
from harness.releases.project import find_root
from harness.releases.registered_ops import registered_ops
from harness.report.inspection import report_inspection

HELP = "what a SavedModel holds: files, signatures, ops, variables; with two of them, what differs"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("path", type=Path, metavar="PATH", help="the folder of a SavedModel; only read, never changed")
    parser.add_argument("other", type=Path, nargs="?", metavar="OTHER", help="a second one, to compare with the first")
    parser.add_argument(
        "--release",
        metavar="R",
        help="ask this release which of the ops it does not have; it is installed if it is not yet",
    )
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Print what the SavedModel holds, or what differs; 0.

    Raises:
        UsageError: a path is no SavedModel, or cannot be read; the release is unknown or cannot be had.
    """
    release, known = _asked(options.release)
    inspection = inspect(options.path, release, known)
    changes = None
    if options.other is not None:
        changes = difference(inspection, inspect(options.other, release, known))
    return output_of(options).put(report_inspection(inspection, changes))


def _asked(name: str | None) -> tuple[str | None, frozenset[str] | None]:
    """Return a release's name and the ops that it registers; None where none was asked."""
    if name is None:
        return None, None
    root = find_root()
    release = read_manifest(root / "releases.toml").find(name)
    environment = prepare(release, root, say=lambda line: print(line, file=sys.stderr))
    return release.name, registered_ops(environment.python)
