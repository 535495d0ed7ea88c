"""Where an answer goes: printed, or into a file, in the format that was asked for."""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import UsageError
from harness.report.document import Report, Style
from harness.report.formats import FORMATS, render
from harness.report.paths import shown_path
from harness.store.output_encoding import ERRORS


@dataclass(frozen=True, slots=True)
class Output:
    """The format of a report, and the file it goes to; None: it is printed.

    `everything` is the command that prints all of a report that does not know a better one: the same as JSON.
    """

    form: str = "table"
    path: Path | None = None
    everything: str | None = None

    def put(self, report: Report, hint: str | None = None) -> int:
        """Print or write a report, say last where too little was measured, and return the exit code.

        Args:
            report: the report.
            hint: what whoever looks on may want to run next: a line on standard error.

        Raises:
            UsageError: the file cannot be written.
        """
        colour = self.path is None and sys.stdout.isatty()
        report = replace(report, everything=report.everything or self.everything)
        self.put_text(render(report, self.form, Style(terminal_width(), colour)))
        if hint is not None:
            print(hint, file=sys.stderr)
        if report.shortfall is not None:
            print(f"savedmodel-bench: {report.shortfall}", file=sys.stderr)
        return report.exit_code

    def put_text(self, text: str) -> None:
        """Print or write a text.

        Raises:
            UsageError: the file cannot be written.
        """
        if self.path is None:
            print(text.rstrip("\n"))
            return
        try:
            self.path.write_text(text.rstrip("\n") + "\n", encoding="utf-8", errors=ERRORS)
        except OSError as error:
            raise UsageError(f"{self.path} cannot be written ({error.strerror}): give another --output.") from error
        print(f"The report is in {self.path}.", file=sys.stderr)


def add_output(parser: argparse.ArgumentParser, formats: Sequence[str] = FORMATS) -> None:
    """Add --format and --output."""
    parser.add_argument(
        "--format", choices=sorted(formats), default="table", help="format of the report (default: table)"
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="write the report to this file instead of printing it"
    )


def output_of(options: argparse.Namespace) -> Output:
    """Return what --format and --output say."""
    return Output(options.format, options.output, _as_json(vars(options).get("words", ())))


def _as_json(words: Sequence[str]) -> str | None:
    """Return the command line that was typed, without its --format and --output, as one that prints JSON."""
    kept: list[str] = []
    left = iter(words)
    for word in left:
        name, equals, _ = word.partition("=")
        if len(name) > len("--f") and any(option.startswith(name) for option in ("--format", "--output")):
            if not equals:
                next(left, None)
        else:
            kept.append(word)
    return shlex.join([command_name(), *kept, "--format", "json"]) if kept else None


def say_all(problems: Iterable[object]) -> None:
    """Print what could not be read, a line each, beside the answer."""
    for problem in problems:
        print(problem, file=sys.stderr)


def command_name() -> str:
    """Return this command as the user would type it here: by its name where that is found, else by its path."""
    name = Path(sys.argv[0]).name
    return name if shutil.which(name) else shown_path(Path(sys.argv[0]).absolute())


def terminal_width() -> int:
    """Return the columns to write for: the terminal's, between 80 and 120, or 100 where there is none."""
    return max(80, min(120, shutil.get_terminal_size((100, 24)).columns))
