"""`savedmodel-bench`: the only place that parses arguments.

Commands are imported when they are called: `--help` and a wrong argument need no pandas.
"""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import harness
from harness.arguments import Joined, duration_s, fraction, list_of, margin, positive, python_minor
from harness.errors import UsageError
from harness.measure.passes import OPERATIONS
from harness.measure.presets import DEVICES, shipped_names
from harness.output_encoding import use_safe_output
from harness.releases import commands as releases
from harness.releases.locks import WHEELS
from harness.releases.manifest import POLICIES

USAGE = 3
INTERRUPTED = 130

_SUBJECT = "v2.21.0, 2.21 (its newest patch), 2.22.0rc1, a name; under a profile as in 2.21@xla (harness/profiles.toml)"


class _Parser(argparse.ArgumentParser):
    """An ArgumentParser that ends with this project's exit code for wrong usage."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0 no regression, 1 regression, 2 undecided where a decision was demanded, 3 too little measured for an answer,
    wrong usage or a failure of the harness, 130 interrupted with results kept.
    """
    use_safe_output()
    options = _parser().parse_args(arguments)
    # A job that is told to end keeps its blocks like one that was interrupted by hand.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return int(options.handler(options))
    except UsageError as error:
        print(f"savedmodel-bench: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("Interrupted: every complete block is kept.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away (`| head`): nothing more to say to it.
        sys.stderr.close()
        return USAGE
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(
            f"savedmodel-bench: {where}{error.strerror or error}. Every complete block is kept; "
            "`savedmodel-bench doctor` looks at disks and folders.",
            file=sys.stderr,
        )
        return USAGE
    except Exception:
        # Not Python's own exit code 1: that would read as a regression.
        traceback.print_exc()
        print(
            "savedmodel-bench: that is a bug in the harness, not in TensorFlow; every complete block is kept. Please "
            "report the lines above with the command.",
            file=sys.stderr,
        )
        return USAGE


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="savedmodel-bench",
        description="Did saving, loading or running a SavedModel get slower, larger or hungrier between releases?",
    )
    parser.add_argument("--version", action="version", version=f"savedmodel-bench {harness.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    _add_compare(commands)
    _add_run(commands)
    _add_bench(commands)
    _add_calibrate(commands)
    _add_summary(commands)
    _add_promises(commands)
    _add_within(commands, "ratios", "loaded over original, first over steady, writer over writer: release by release")
    _add_within(commands, "scaling", "how operations grow with a model's bytes and layers")
    _add_history(commands)
    _add_export(commands)
    _add_prune(commands)
    rebuild = commands.add_parser("rebuild", help="write asv's result files anew from the records")
    rebuild.set_defaults(handler=_called("results", "rebuild"))
    doctor = commands.add_parser("doctor", help="print whether this machine is fit for measuring, with advice")
    _add_output(doctor, ("table", "json"))
    doctor.add_argument(
        "--floors", action="store_true", help="also measure the least that writing, reading, copying, computing take"
    )
    doctor.set_defaults(handler=_called("doctor", "doctor"))
    releases.add_parser(commands)
    return parser


def _add_compare(commands: Any) -> None:
    parser = commands.add_parser("compare", help="measure two releases side by side and judge the difference")
    parser.add_argument(
        "old", metavar="OLD", help=f"the release to compare with: {_SUBJECT}; with --results a commit or tag"
    )
    parser.add_argument("new", metavar="NEW", help="the release in question, likewise")
    _add_measuring(parser)
    _add_output(parser, ("table", "markdown", "json"))
    parser.add_argument(
        "--require-decision", action="store_true", help="end with 2 if nothing regressed and any row is inconclusive"
    )
    parser.add_argument(
        "--run", type=Path, metavar="DIR", help="judge the records of this run instead of measuring (results/…/<run>)"
    )
    parser.add_argument(
        "--margin",
        type=margin,
        action="append",
        metavar="[PATTERN=]F",
        help="the change in time that does not matter (default: the preset's; with --results 0.1); as 'load_*=0.02' "
        "the change in rows whose metric/device/model/variant match; again for more",
    )
    _add_results(parser, "judge two commits in the results of any asv project, measuring nothing")
    parser.set_defaults(handler=_called("compare", "compare"))


def _add_run(commands: Any) -> None:
    parser = commands.add_parser("run", help="measure releases, interleaved in one run; judges nothing")
    parser.add_argument(
        "subjects",
        nargs="+",
        metavar="SUBJECT",
        help=f"a release: {_SUBJECT}; ALL alone: every one that can be had here",
    )
    _add_measuring(parser)
    _add_output(parser, ("table", "markdown", "json"))
    parser.set_defaults(handler=_called("compare", "run"))


def _add_bench(commands: Any) -> None:
    parser = commands.add_parser(
        "bench", help="compare the two newest stable releases within ten minutes; again: adds blocks"
    )
    _add_measuring(parser)
    parser.add_argument("--minutes", type=float, default=10.0, metavar="M", help="in all (default: 10)")
    parser.add_argument(
        "--since", type=float, metavar="EPOCH", help="when the time began, in seconds since 1970 (default: now)"
    )
    parser.set_defaults(handler=_called("bench", "bench"))


def _add_calibrate(commands: Any) -> None:
    parser = commands.add_parser(
        "calibrate", help="measure a release against itself: this machine's noise, and how to plan around it"
    )
    parser.add_argument("subject", nargs="?", metavar="SUBJECT", help="a release (default: the newest stable one)")
    _add_measuring(parser)
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the report there instead of printing it")
    parser.set_defaults(handler=_called("calibrate", "calibrate"))


def _add_summary(commands: Any) -> None:
    parser = commands.add_parser("summary", help="print metric, device and model over all releases in the results")
    _add_output(parser, ("table", "markdown", "json", "csv"))
    _add_results(parser, "of any asv project: each series' latest value and its age, its best, its course")
    _add_repository(parser)
    _add_machine(parser)
    parser.add_argument("--changes", action="store_true", help="also look for changes, as `history` does")
    parser.set_defaults(handler=_called("results", "show_summary"))


def _add_promises(commands: Any) -> None:
    parser = commands.add_parser("promises", help="what SavedModel promises, and in which release it holds")
    _add_output(parser, ("table", "markdown", "json"))
    _add_source(parser)
    parser.set_defaults(handler=_called("promises", "show_promises"))


def _add_within(commands: Any, name: str, help_text: str) -> None:
    """Add a command that reads what is measured of each release by itself."""
    parser = commands.add_parser(name, help=help_text)
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help="releases (default: all in the results)")
    _add_output(parser, ("table", "markdown", "json"))
    _add_source(parser)
    parser.set_defaults(handler=_called("within", f"show_{name}"))


def _add_history(commands: Any) -> None:
    parser = commands.add_parser("history", help="what changed over releases and nights: since when, by how much")
    _add_output(parser, ("table", "markdown", "json"))
    _add_results(parser, "over the commits of any asv project")
    _add_repository(parser)
    _add_machine(parser)
    parser.add_argument("--all", action="store_true", help="list all findings (default: the twenty largest)")
    parser.add_argument(
        "--margin", type=fraction, default=0.05, metavar="F", help="the change that does not matter (default: 0.05)"
    )
    parser.add_argument(
        "--confirm",
        type=duration_s,
        nargs="?",
        const=1200.0,
        metavar="TIME",
        help="measure both sides of each finding over releases again, side by side, TIME for each pair of releases "
        "(default: 20m); ends with 1 if something got worse for sure",
    )
    parser.set_defaults(handler=_called("history", "history"))


def _add_export(commands: Any) -> None:
    parser = commands.add_parser("export", help="write every sample as a tidy table (docs/export.md)")
    parser.add_argument("--format", choices=("csv", "json", "parquet"), default="csv", help="default: csv")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the table there instead of printing it")
    _add_results(parser, "the samples of any asv project")
    _add_machine(parser)
    parser.set_defaults(handler=_called("export", "export"))


def _add_prune(commands: Any) -> None:
    parser = commands.add_parser("prune", help="pack the records of old runs; nothing is lost, all commands read them")
    parser.add_argument(
        "--older-than", type=positive, default=90, metavar="DAYS", help="only runs that began before (default: 90)"
    )
    parser.add_argument("--apply", action="store_true", help="do it (default: say what would be done)")
    parser.set_defaults(handler=_called("prune", "prune"))


def _add_results(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--results", type=Path, metavar="DIR", help=f"{what} (DIR: asv's results_dir)")


def _add_repository(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--repo",
        type=Path,
        metavar="DIR",
        help="a clone of the project that was measured, whose log is the order of commits (default: what asv.conf.json "
        "above DIR names, if it is on this machine)",
    )


def _add_machine(parser: argparse.ArgumentParser, default: str = "all") -> None:
    parser.add_argument("--machine", metavar="NAME", help=f"only the results of this machine (default: {default})")


def _add_source(parser: argparse.ArgumentParser) -> None:
    """Add what chooses the runs of a report that is about one machine."""
    _add_machine(parser, "this one, else a machine that reference runs are committed of")
    parser.add_argument("--run", type=Path, metavar="DIR", help="only this run's records")


def _add_measuring(parser: argparse.ArgumentParser) -> None:
    """Add the options of every command that measures."""
    parser.add_argument(
        "--preset",
        default="quick",
        metavar="P",
        help=f"{', '.join(shipped_names())}, or FILE.toml[#NAME] (default: quick)",
    )
    parser.add_argument(
        "--device",
        type=list_of(DEVICES),
        action="extend",
        metavar="D",
        help="cpu, gpu or cpu,gpu (default: all found)",
    )
    parser.add_argument(
        "--model",
        action=Joined,
        metavar="GLOB",
        help="only the preset's models that match, as in 'mlp-*,conv-s'; again for more",
    )
    parser.add_argument(
        "--operation",
        type=list_of(OPERATIONS),
        action="extend",
        metavar="OPS",
        help=f"some of {','.join(OPERATIONS)} (default: all that the preset has)",
    )
    parser.add_argument("--blocks", type=positive, metavar="N", help="number of blocks (default: the preset's)")
    parser.add_argument("--repeats", type=positive, metavar="K", help="repeats of each operation in a block")
    parser.add_argument(
        "--budget",
        type=duration_s,
        metavar="TIME",
        help="15m or 1h30m; compare: looks after 5, 8, 12 and 20 blocks, settled cells stop; else: blocks that fit; "
        "not with --blocks",
    )
    parser.add_argument(
        "--isolation", choices=("fork", "spawn"), default="fork", help="how repeats are kept apart (default: fork)"
    )
    parser.add_argument("--wheel", choices=("auto", *WHEELS), default="auto", help="CPU or CUDA wheels (default: auto)")
    parser.add_argument("--policy", choices=POLICIES, help="which locks (default: what releases.toml says)")
    parser.add_argument(
        "--python",
        type=python_minor,
        metavar="3.N",
        help="the Python of all sides (default: the newest here that has wheels for all, else one that uv fetches)",
    )
    parser.add_argument(
        "--machine", metavar="NAME", help="this machine's name in the results (default: by its hardware)"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the order of subjects (default: 1)")
    parser.add_argument("--dry-run", action="store_true", help="say what would be measured, how long, how finely")


def _add_output(parser: argparse.ArgumentParser, formats: Sequence[str]) -> None:
    parser.add_argument("--format", choices=formats, default="table", help="default: table")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the report there instead of printing it")


def _called(module: str, function: str) -> Callable[[argparse.Namespace], int]:
    """Return a handler that imports its command when it is called."""

    def handler(options: argparse.Namespace) -> int:
        return int(getattr(importlib.import_module(f"harness.commands.{module}"), function)(options))

    return handler


if __name__ == "__main__":
    sys.exit(main())
