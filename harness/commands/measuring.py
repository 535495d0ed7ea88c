"""From a command's options to a plan: releases found and installed, preset narrowed, machine described."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from harness.errors import UsageError
from harness.machine.gpu import gpu_present
from harness.machine.identity import describe_machine
from harness.measure.presets import DEVICES, OPERATIONS, Preset, narrow, read_preset
from harness.measure.progress import Progress
from harness.measure.run import Plan, name_subjects
from harness.releases.environments import prepare
from harness.releases.locks import WHEELS
from harness.releases.manifest import POLICIES, read_manifest
from harness.report.progress import progress_for

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")


def add_options(parser: argparse.ArgumentParser, *, preset: str = "quick") -> None:
    """Add the options of every command that measures."""
    parser.add_argument(
        "--preset", default=preset, metavar="P", help=f"quick, nightly, full, or FILE.toml[#NAME] (default: {preset})"
    )
    parser.add_argument("--device", type=_listed(DEVICES), metavar="D", help="cpu, gpu or cpu,gpu (default: all found)")
    parser.add_argument("--model", metavar="GLOB", help="only the preset's models that match, as in 'mlp-*'")
    parser.add_argument(
        "--operation", type=_listed(OPERATIONS), metavar="OPS", help="some of save,load,infer (default: all)"
    )
    parser.add_argument("--blocks", type=_positive, metavar="N", help="number of blocks (default: the preset's)")
    parser.add_argument("--repeats", type=_positive, metavar="K", help="repeats of each operation in a block")
    parser.add_argument(
        "--budget",
        type=duration_s,
        metavar="TIME",
        help="as in 15m or 1h30m: as many blocks as fit, by the first's time",
    )
    parser.add_argument(
        "--isolation", choices=("fork", "spawn"), default="fork", help="how repeats are kept apart (default: fork)"
    )
    parser.add_argument("--wheel", choices=("auto", *WHEELS), default="auto", help="CPU or CUDA wheels (default: auto)")
    parser.add_argument("--policy", choices=POLICIES, help="which locks (default: what releases.toml says)")
    parser.add_argument(
        "--machine", metavar="NAME", help="this machine's name in the results (default: stable, by itself)"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the order of subjects (default: 1)")
    parser.add_argument("--dry-run", action="store_true", help="say what would be measured, how long, how finely")


def chosen_preset(options: argparse.Namespace) -> Preset:
    """Return the preset as the options narrow it; without a GPU its GPU cells are left out, and that is said.

    Raises:
        UsageError: nothing is left to measure.
    """
    preset = read_preset(options.preset)
    devices = options.device
    if not gpu_present():
        if devices == ["gpu"]:
            raise UsageError("No NVIDIA GPU answers here (n/a: no-gpu): run with --device cpu, or on a GPU machine.")
        if devices and "gpu" in devices:
            print("GPU cells: n/a: no-gpu (no NVIDIA driver answers on this machine).", file=sys.stderr)
        devices = ["cpu"]
    return narrow(
        preset,
        devices=devices,
        models=options.model,
        operations=options.operation,
        blocks=options.blocks,
        repeats=options.repeats,
    )


def plan_of(root: Path, options: argparse.Namespace, kind: str, names: Sequence[str], progress: Progress) -> Plan:
    """Install what has to be installed and return the plan of a run.

    Raises:
        UsageError: an option or a release's name is wrong.
        ReleaseError: a release cannot be had here.
    """
    preset = chosen_preset(options)
    manifest = read_manifest(root / "releases.toml")
    releases = [manifest.find(name) for name in names]
    environments = [
        prepare(release, root, wheel=options.wheel, policy=options.policy, say=progress.say) for release in releases
    ]
    return Plan(
        kind=kind,
        preset=preset,
        subjects=name_subjects(environments),
        machine=describe_machine(options.machine),
        seed=options.seed,
        isolation=options.isolation,
    )


def terminal_progress() -> Progress:
    """Return the live display on standard error: redrawn on a terminal, line by line elsewhere."""
    return progress_for(Console(stderr=True, soft_wrap=not sys.stderr.isatty()))


def duration_s(text: str) -> float:
    """Return the seconds of a duration like "90s", "15m" or "1h30m"."""
    match = _DURATION.fullmatch(text.strip())
    if not match or not any(match.groups()):
        raise argparse.ArgumentTypeError(f"{text!r} is no duration: write it like 90s, 15m or 1h30m")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    total = 3600 * hours + 60 * minutes + seconds
    if total <= 0:
        raise argparse.ArgumentTypeError("the budget must be more than nothing")
    return total


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


class _listed:
    """Argument type of a comma-separated list of known words."""

    def __init__(self, known: Sequence[str]) -> None:
        self._known = known

    def __call__(self, text: str) -> list[str]:
        words = [word.strip() for word in text.split(",") if word.strip()]
        unknown = [word for word in words if word not in self._known]
        if unknown or not words:
            wrong = ", ".join(unknown) or "nothing"
            raise argparse.ArgumentTypeError(f"{wrong}: choose some of {','.join(self._known)}")
        return [word for word in self._known if word in words]
