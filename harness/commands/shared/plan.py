"""The options of every command that measures."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping, Sequence

from harness.answers.comparison import Comparison
from harness.commands.shared.arguments import Joined, duration_s, list_of, positive, python_minor
from harness.commands.shared.output import command_name
from harness.measure.passes import OPERATIONS
from harness.measure.presets import DEVICES, shipped_names
from harness.planning.request import Request
from harness.releases.locks import WHEELS
from harness.releases.manifest import POLICIES
from harness.releases.project import find_root
from harness.report.paths import shown_path

SUBJECT = (
    "a version (2.21.0, 2.21 for its newest patch, 2.22.0rc1), a name in releases.toml, nightly for the newest one or "
    "nightly:20260905, the path or URL of a wheel, the path of an interpreter, or any of these with a settings profile "
    "(2.21@xla)"
)


def add_plan(parser: argparse.ArgumentParser) -> None:
    """Add what chooses the plan of a run."""
    parser.add_argument(
        "--preset",
        default="quick",
        metavar="P",
        help=f"test plan: {', '.join(shipped_names())}, or your own FILE.toml[#NAME] (default: quick)",
    )
    parser.add_argument(
        "--device",
        type=list_of(DEVICES),
        action="extend",
        metavar="D",
        help="measure on cpu, gpu or cpu,gpu (default: all that this machine has)",
    )
    parser.add_argument(
        "--model",
        action=Joined,
        metavar="GLOB",
        help="measure only the models of the test plan that match, for example 'mlp-*,conv-s'; can be repeated",
    )
    parser.add_argument(
        "--operation",
        type=list_of(OPERATIONS),
        action="extend",
        metavar="OPS",
        help=f"measure only some of {','.join(OPERATIONS)} (default: all of the test plan)",
    )
    parser.add_argument(
        "--blocks", type=positive, metavar="N", help="number of blocks to measure (default: the test plan's)"
    )
    parser.add_argument(
        "--repeats",
        type=positive,
        metavar="K",
        help="measurements of each operation in a block (default: the test plan's)",
    )
    parser.add_argument(
        "--budget",
        type=duration_s,
        metavar="TIME",
        help="time limit, for example 15m or 1h30m (not with --blocks); `compare` tests the results after 5, 8, "
        "12 and 20 "
        "blocks and stops measuring comparisons that have a verdict; other commands measure as many blocks as fit",
    )
    parser.add_argument(
        "--isolation",
        choices=("fork", "spawn"),
        default="fork",
        help="run each measurement in a fork, or in a new process, which takes many times longer (default: fork)",
    )
    parser.add_argument(
        "--wheel",
        choices=("auto", *WHEELS),
        default="auto",
        help="install the CPU or the CUDA build of TensorFlow (default: by what this machine has)",
    )
    parser.add_argument(
        "--policy",
        choices=POLICIES,
        help="date of the dependencies: of today or of the release (default: what releases.toml says)",
    )
    parser.add_argument(
        "--python",
        type=python_minor,
        metavar="3.N",
        help="Python of all releases (default: the newest here that has wheels for all, else one that uv fetches)",
    )
    parser.add_argument(
        "--machine", metavar="NAME", help="name of this machine in the results (default: made from its hardware)"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=1,
        metavar="N",
        help="seed of the random order in which releases are measured (default: 1)",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print what would be measured, how long it takes and the smallest change it could detect; measure nothing",
    )


def request_of(options: argparse.Namespace, subjects: Sequence[str]) -> Request:
    """Return what the options ask to have measured of some subjects."""
    return Request(
        root=find_root(),
        subjects=tuple(subjects),
        preset=options.preset,
        devices=None if options.device is None else tuple(options.device),
        models=options.model,
        operations=None if options.operation is None else tuple(options.operation),
        blocks=options.blocks,
        repeats=options.repeats,
        budget_s=options.budget,
        isolation=options.isolation,
        wheel=options.wheel,
        policy=options.policy,
        python=options.python,
        machine=options.machine,
        seed=options.seed,
        margins=vars(options).get("margin"),
    )


def plan_words(request: Request) -> list[str]:
    """Return the options that would ask for the same again, without subjects, blocks, repeats and budget."""
    asked = {
        "isolation": None if request.isolation == "fork" else request.isolation,
        "wheel": None if request.wheel == "auto" else request.wheel,
        "policy": request.policy,
        "python": request.python,
        "machine": request.machine,
    }
    return ["--preset", request.preset, *_selection_words(request), *_words(asked)]


def everything_judged(comparison: Comparison, request: Request) -> str | None:
    """Return the command that prints all of a comparison as JSON and measures nothing; None where it is of no run."""
    if comparison.run_path is None:
        return None
    words = [command_name(), "compare", comparison.old.name, comparison.new.name]
    words += ["--run", shown_path(comparison.run_path), *_selection_words(request)]
    for pattern, share in request.margins or ():
        words += ["--margin", f"{share:g}" if pattern is None else f"{pattern}={share:g}"]
    return shlex.join([*words, "--format", "json"])


def _selection_words(request: Request) -> list[str]:
    return _words(
        {
            "device": None if request.devices is None else ",".join(request.devices),
            "model": request.models,
            "operation": None if request.operations is None else ",".join(request.operations),
        }
    )


def _words(asked: Mapping[str, str | None]) -> list[str]:
    return [word for name, value in asked.items() if value is not None for word in (f"--{name}", value)]
