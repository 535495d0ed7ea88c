"""Where an answer goes: printed, or into a file, in the format that was asked for."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.report.document import Report, Style
from harness.report.formats import FORMATS, render
from harness.report.formats.html.anchors import slug
from harness.report.github import is_github, job_summary, workflow_commands
from harness.report.junit import junit
from harness.report.paths import shown_path
from harness.store.output_encoding import ERRORS

if TYPE_CHECKING:  # merging runs needs no statistics, whose import takes a second
    from harness.answers.comparison import Comparison

SUMMARY = "GITHUB_STEP_SUMMARY"
"""The variable by which GitHub names the file that a job's summary is added to."""


@dataclass(frozen=True, slots=True)
class Output:
    """The format of a report, and the file it goes to; None: it is printed.

    `everything` is the command that prints all of a report that does not know a better one: the same as JSON. `html`
    and `junit` are files that hold the same as a page and as JUnit XML. `verbose`: a terminal gets all of a report that
    has a shorter one for it.
    """

    form: str = "table"
    path: Path | None = None
    everything: str | None = None
    html: Path | None = None
    junit: Path | None = None
    verbose: bool = False

    @property
    def has_page(self) -> bool:
        """Whether a page was asked for: some are made only then."""
        return self.form == "html" or self.html is not None

    @property
    def has_screen(self) -> bool:
        """Whether a report that has a screen is shown as it."""
        return self.form == "table" and not self.verbose

    def put(self, report: Report, hint: str | None = None, page: Path | None = None) -> int:
        """Print or write a report, say last where too little was measured, and return the exit code.

        Args:
            report: the report.
            hint: what whoever looks on may want to run next: a line on standard error.
            page: where the report goes as a page unless `--html` says so; that it cannot is told, and fails nothing.

        Raises:
            UsageError: a file that was asked for cannot be written.
        """
        colour = self.path is None and sys.stdout.isatty()
        report = replace(report, everything=report.everything or self.everything)
        self.put_text(render(report, self.form, Style(terminal_width(), colour, self.verbose)))
        self._put_page(report, page)
        if self.junit is not None:
            _write(self.junit, junit(report), "--junit")
        _tell_github(report, os.environ)
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
        _write(self.path, text.rstrip("\n") + "\n", "--output")
        print(f"The report is in {self.path}.", file=sys.stderr)

    def _put_page(self, report: Report, page: Path | None) -> None:
        if self.html is not None:
            _write(self.html, render(report, "html", Style()), "--html")
        elif page is not None:
            try:
                _write(page, render(report, "html", Style()), "--html")
            except UsageError as error:
                print(error, file=sys.stderr)
                return
        else:
            return
        print(f"The page with all evidence: {shown_path((self.html or page or Path()).absolute())}", file=sys.stderr)


def _write(path: Path, text: str, option: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", errors=ERRORS)
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}): give another {option}.") from error


def _tell_github(report: Report, environment: Mapping[str, str]) -> None:
    """Add a report to the job's summary, and annotate what got worse, where a workflow of GitHub's runs this."""
    if environment.get(SUMMARY):
        try:
            with Path(environment[SUMMARY]).open("a", encoding="utf-8", errors=ERRORS) as file:
                file.write(job_summary(report))
        except OSError as error:
            print(f"The job's summary cannot be written ({error.strerror}).", file=sys.stderr)
    if is_github(environment):
        for line in workflow_commands(report):
            print(line, file=sys.stderr)


def add_output(parser: argparse.ArgumentParser, formats: Sequence[str] = FORMATS) -> None:
    """Add --format, --output, --html and --junit."""
    parser.add_argument(
        "--format", choices=sorted(formats), default="table", help="format of the report (default: table)"
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="write the report to this file instead of printing it"
    )
    parser.add_argument(
        "--html",
        type=Path,
        metavar="FILE",
        help="also write a page with figures and all evidence, as one file",
    )
    parser.add_argument(
        "--junit", type=Path, metavar="FILE", help="also write JUnit XML, a case for each row, for a CI to show"
    )


def add_verbose(parser: argparse.ArgumentParser) -> None:
    """Add --verbose, for a command whose answer on a terminal is one screen."""
    parser.add_argument(
        "--verbose", action="store_true", help="print every row and number, not only the answer on one screen"
    )


def output_of(options: argparse.Namespace) -> Output:
    """Return what --format, --output, --html, --junit and --verbose say."""
    everything = _as_json(vars(options).get("words", ()))
    verbose = vars(options).get("verbose", False)
    return Output(options.format, options.output, everything, options.html, options.junit, verbose)


_WHERE = ("--format", "--output", "--html", "--junit", "--verbose")


def _as_json(words: Sequence[str]) -> str | None:
    """Return the command line that was typed, without where its report goes, as one that prints JSON."""
    kept: list[str] = []
    left = iter(words)
    for word in left:
        name, equals, _ = word.partition("=")
        if len(name) > len("--f") and any(option.startswith(name) for option in _WHERE):
            if not equals and not "--verbose".startswith(name):
                next(left, None)
        else:
            kept.append(word)
    return shlex.join([command_name(), *kept, "--format", "json"]) if kept else None


def page_of_run(comparison: Comparison) -> Path | None:
    """Return where the page of a comparison that was just measured goes: beside its run."""
    path = comparison.run_path
    if path is None:
        return None
    return path / f"{slug(f'{comparison.old.name} {comparison.new.name}')}.html"


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
