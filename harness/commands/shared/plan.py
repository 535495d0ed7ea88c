"""The options of every command that measures."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.answers.comparison import Comparison
from harness.commands.shared.arguments import (
    Joined,
    duration_s,
    fraction,
    list_of,
    positive,
    python_minor,
    shape,
    value_range,
)
from harness.commands.shared.output import command_name
from harness.measure.passes import OPERATIONS
from harness.measure.preset_files import shipped_names
from harness.measure.presets import DEVICES
from harness.planning.own_models import Called, split_models
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


def add_plan(parser: argparse.ArgumentParser, *, dry_run: bool = True) -> None:
    """Add what chooses the plan of a run, and `--dry-run` where the command has it."""
    parser.add_argument(
        "--preset",
        default="quick",
        metavar="P",
        help=f"test plan: {', '.join(shipped_names())}, or your own FILE.toml[#NAME] (default: %(default)s)",
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
        metavar="MODEL",
        help="measure only the models of the test plan that match, for example 'mlp-*,conv-s'; or models of your own: "
        "a SavedModel directory, a .keras or .h5 file, a Python file, or a name in models.toml; can be repeated",
    )
    add_own_models(parser)
    parser.add_argument(
        "--operation",
        type=list_of(OPERATIONS),
        action="extend",
        metavar="OPS",
        help=f"measure only these of {','.join(OPERATIONS)} (default: all of the test plan)",
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
        help="time limit, for example 15m or 1h30m (not with --blocks); `compare` tests the results after 5, 8, 12 and "
        "20 blocks and measures only those further that have no verdict yet; other commands measure as many blocks as "
        "fit",
    )
    parser.add_argument(
        "--isolation",
        choices=("fork", "spawn"),
        default="fork",
        help="run each measurement in a fork of a process that has imported TensorFlow, or spawn a new process, which "
        "takes many times longer (default: fork)",
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
        help="install dependencies as of today, or as of the release's date (default: what releases.toml says)",
    )
    parser.add_argument(
        "--python",
        type=python_minor,
        metavar="3.N",
        help="Python that all releases are measured with (default: the newest on this machine for which all have "
        "wheels, else one that uv fetches)",
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
    if dry_run:
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="print what would be measured, how long it takes and the smallest change it could detect; measure "
            "nothing",
        )


def add_own_models(parser: argparse.ArgumentParser) -> None:
    """Add what says how models of a user's own are called."""
    group = parser.add_argument_group("models of your own, given by a path")
    group.add_argument(
        "--signature", metavar="NAME", help="signature to call (default: serving_default, else the only one)"
    )
    group.add_argument(
        "--shape",
        type=shape,
        action="append",
        metavar="NAME=D1,D2,…",
        help="shape of an input whose signature leaves dimensions open, the batch first (default: 1 for each)",
    )
    group.add_argument(
        "--range",
        type=value_range,
        action="append",
        metavar="NAME=LOW,HIGH",
        help="range of the random values of an input (default: 0 to 1)",
    )
    group.add_argument(
        "--inputs",
        type=Path,
        metavar="FILE",
        help="values of the inputs: .npz, or .json as TensorFlow Serving's REST interface takes it (default: random)",
    )
    group.add_argument(
        "--tolerance",
        type=fraction,
        metavar="F",
        help="allowed difference of an output, as a fraction of its largest value (default: 1e-5 on a CPU)",
    )
    group.add_argument(
        "--with",
        dest="packages",
        action="append",
        default=[],
        metavar="PACKAGE",
        help="install a package beside each release and import it with the model, for example tensorflow-text, for the "
        "ops that it brings; can be repeated",
    )
    group.add_argument(
        "--trust", action="store_true", help="run the code that a .keras, .h5 or Python file can hold, as your own"
    )


def called_of(options: argparse.Namespace) -> Called:
    """Return what the options say of how a user's own models are called."""
    return Called(
        signature=options.signature,
        shapes=dict(options.shape or ()),
        ranges=dict(options.range or ()),
        inputs=options.inputs,
        tolerance=options.tolerance,
        packages=tuple(options.packages),
        trust=options.trust,
    )


def request_of(options: argparse.Namespace, subjects: Sequence[str]) -> Request:
    """Return what the options ask to have measured of some subjects."""
    root = find_root()
    globs, own = split_models(root, options.model, called_of(options))
    return Request(
        root=root,
        subjects=tuple(subjects),
        preset=options.preset,
        devices=None if options.device is None else tuple(options.device),
        models=globs,
        own=own,
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
    return ["--preset", request.preset, *_selection_words(request), *_own_words(request), *_words(asked)]


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
            "model": _models_words(request),
            "operation": None if request.operations is None else ",".join(request.operations),
        }
    )


def _models_words(request: Request) -> str | None:
    """Return what `--model` would have to be given for the same models."""
    own = [
        one.name if one.is_registered else str(one.path) + (f":{one.size}" if one.size else "") for one in request.own
    ]
    return ",".join([*([request.models] if request.models else []), *own]) or None


def _own_words(request: Request) -> list[str]:
    """Return the options that would have the same models called in the same way."""
    called = next((one.called for one in request.own if not one.is_registered), Called())
    words = []
    for name, sizes in called.shapes.items():
        words += ["--shape", f"{name}={','.join(map(str, sizes))}"]
    for name, (low, high) in called.ranges.items():
        words += ["--range", f"{name}={low:g},{high:g}"]
    asked = {
        "signature": called.signature,
        "inputs": None if called.inputs is None else str(called.inputs),
        "tolerance": None if called.tolerance is None else f"{called.tolerance:g}",
    }
    return [*words, *_words(asked), *(["--trust"] if called.trust else [])]


def _words(asked: Mapping[str, str | None]) -> list[str]:
    return [word for name, value in asked.items() if value is not None for word in (f"--{name}", value)]
