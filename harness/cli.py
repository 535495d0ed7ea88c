"""`savedmodel-bench`: the commands of `harness.commands`, and the exit code of each.

A command is a module there, named as it is typed: `HELP`, `configure(parser)` and `run(options)`. Only the one that is
called is imported; `--help` needs them all.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import signal
import sys
import traceback
from collections.abc import Sequence
from types import ModuleType
from typing import NoReturn

import harness
from harness import commands
from harness.errors import UsageError
from harness.store.output_encoding import use_safe_output

USAGE = 3
INTERRUPTED = 130

COMMANDS = tuple(module.name for module in pkgutil.iter_modules(commands.__path__) if not module.ispkg)
"""The names of all commands."""


class _Parser(argparse.ArgumentParser):
    """An ArgumentParser that ends with this project's exit code for wrong usage."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0 no regression, 1 regression, 2 inconclusive where a decision was required, 3 too little measured for an answer,
    wrong usage or a failure of the harness, 130 interrupted with results kept.
    """
    use_safe_output()
    words = list(sys.argv[1:] if arguments is None else arguments)
    # A job that is told to end keeps its blocks like one that was interrupted by hand.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        options = parser_of(words).parse_args(words)
        options.words = words
        return int(_command(options.command).run(options))
    except UsageError as error:
        print(f"savedmodel-bench: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("Interrupted: results of all finished blocks are kept.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away (`| head`): nothing more to say to it.
        sys.stderr.close()
        return USAGE
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(
            f"savedmodel-bench: {where}{error.strerror or error}. Results of all finished blocks are kept; "
            "`savedmodel-bench doctor` checks disks and folders.",
            file=sys.stderr,
        )
        return USAGE
    except Exception:
        # Not Python's own exit code 1: that would read as a regression.
        traceback.print_exc()
        print(
            "savedmodel-bench: this is a bug in the harness, not in TensorFlow; results of all finished blocks are "
            "kept. Please report the lines above with the command.",
            file=sys.stderr,
        )
        return USAGE


def parser_of(words: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser for a command line: with the options of the command that it names, else with all commands'."""
    called = next((word for word in words if not word.startswith("-")), None)
    parser = _Parser(
        prog="savedmodel-bench",
        description="Shows whether saving, loading or running a SavedModel became slower, larger or more memory-hungry "
        "between TensorFlow releases.",
    )
    parser.add_argument("--version", action="version", version=f"savedmodel-bench {harness.__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    for name in COMMANDS:
        if called in (name, None) or called not in COMMANDS:
            command = _command(name)
            command.configure(subparsers.add_parser(name, help=command.HELP, description=command.HELP))
        else:
            subparsers.add_parser(name)
    return parser


def _command(name: str) -> ModuleType:
    return importlib.import_module(f"harness.commands.{name}")


if __name__ == "__main__":
    sys.exit(main())
