"""`savedmodel-bench check`: do models of your own still load and answer the same in other releases, and what helps."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from harness.answers.check import Question, check
from harness.commands.shared.output import add_output, add_verbose, output_of
from harness.commands.shared.plan import SUBJECT, add_own_models, called_of
from harness.formats.registry import READERS
from harness.measure.guard import what_guards
from harness.measure.trials import scratch
from harness.planning.checks import CheckRequest, read_expected, resolve
from harness.releases.beside import with_packages
from harness.releases.locks import WHEELS
from harness.releases.project import find_root
from harness.report.check import report_check
from harness.report.screens.check import with_check_screen
from harness.store.runs import results_path

HELP = "say whether a SavedModel loads and answers the same in other releases, and what helps where it does not"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "models",
        nargs="+",
        metavar="MODEL",
        help="a SavedModel directory, a .keras or .h5 file, or a name in models.toml",
    )
    parser.add_argument(
        "--releases",
        metavar="A,B,…",
        help=f"releases to try, each {SUBJECT}; all: every one that can be installed here (default: the last one with "
        "Keras 2, and the newest)",
    )
    parser.add_argument(
        "--reader",
        choices=sorted(READERS),
        default="tf-load",
        help="the way to load that decides the exit code; all are tried (default: tf-load)",
    )
    parser.add_argument(
        "--expect", type=Path, metavar="FILE", help="the right outputs, as .npz by name (default: the oldest release's)"
    )
    parser.add_argument("--wheel", choices=("auto", *WHEELS), default="cpu", help=argparse.SUPPRESS)
    add_own_models(parser)
    add_output(parser)
    add_verbose(parser)


def run(options: argparse.Namespace) -> int:
    """Try everything, print the answer, and return 1 where the newest release refuses or answers differently."""
    request = check_request(options)
    root = request.root
    asked = resolve(request, _say)
    expected = None if request.expected is None else read_expected(request.expected)
    _say(what_guards().sentence)
    with scratch(results_path(root) / "scratch") as folder:
        question = Question(
            models=asked.models,
            environments=asked.environments,
            reader=request.reader,
            folder=folder,
            expected=expected,
            beside=lambda environment, wanted: with_packages(environment, wanted, root, _say),
            imports=asked.imports,
        )
        answer = replace(check(question, _say), unread=asked.unread)
    return output_of(options).put(with_check_screen(report_check(answer), answer))


def check_request(options: argparse.Namespace) -> CheckRequest:
    """Return what the options ask to have checked."""
    names = (name.strip() for name in (options.releases or "").split(","))
    return CheckRequest(
        root=find_root(),
        models=tuple(options.models),
        called=called_of(options),
        releases=None if options.releases is None else tuple(name for name in names if name),
        reader=options.reader,
        expected=options.expect,
        wheel=options.wheel,
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr)
