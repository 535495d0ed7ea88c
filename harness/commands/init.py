"""`savedmodel-bench init`: lay out a project in a folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.releases.project import make_project

HELP = "lay out a project: releases.toml, locks, asv.conf.json, benchmarks and results"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), metavar="DIR", help="default: this folder")


def run(options: argparse.Namespace) -> int:
    """Make the project and say what it has; return the exit code."""
    folder = options.folder.absolute()
    made = make_project(folder)
    print(f"Made {', '.join(made)} in {folder}.")
    print("Compare the two newest releases with `savedmodel-bench bench`, or any two with `savedmodel-bench compare`.")
    return 0
