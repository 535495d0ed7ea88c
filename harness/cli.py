"""`savedmodel-bench`: the only place that parses arguments."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

import harness
from harness.commands import bench, compare, results
from harness.errors import UsageError
from harness.releases import commands as releases

USAGE = 3
INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """An ArgumentParser that ends with this project's exit code for wrong usage."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0 no regression, 1 regression, 2 undecided where a decision was demanded, 3 wrong usage or a failure of the
    harness, 130 interrupted with results kept.
    """
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


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="savedmodel-bench",
        description="Did saving, loading or running a SavedModel get slower, larger or hungrier between releases?",
    )
    parser.add_argument("--version", action="version", version=f"savedmodel-bench {harness.__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    bench.add_parser(subparsers)
    compare.add_parser(subparsers)
    results.add_parser(subparsers)
    releases.add_parser(subparsers)
    return parser


if __name__ == "__main__":
    sys.exit(main())
