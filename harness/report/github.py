"""What a GitHub workflow shows of an answer: its job summary, and annotations for what got worse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from harness.report.document import Outcome, Report, Style
from harness.report.formats import render
from harness.report.names import one_line

_MOST = 10
"""Annotations that GitHub shows of one step."""


def is_github(environment: Mapping[str, str]) -> bool:
    """Return whether this runs in a workflow of GitHub's."""
    return environment.get("GITHUB_ACTIONS") == "true"


def job_summary(report: Report) -> str:
    """Return what is added to the job's summary: the answer as Markdown."""
    return render(replace(report, page=None), "markdown", Style()) + "\n"


def workflow_commands(report: Report) -> Iterator[str]:
    """Yield workflow commands: an error for each case that failed, the first ten; a warning where too little is known.

    What does not fit is counted in the last one.
    """
    failed = [case for case in report.cases if case.outcome is Outcome.FAILED]
    shown = failed if len(failed) <= _MOST else failed[: _MOST - 1]
    for case in shown:
        yield f"::error title={_property(f'{case.group}: {case.name}')}::{_value(case.told)}"
    if len(failed) > len(shown):
        yield f"::error title=savedmodel-bench::{len(failed) - len(shown)} more like these are in the job's summary."
    if report.shortfall is not None:
        yield f"::warning title=savedmodel-bench::{_value(report.shortfall)}"


def _value(text: str) -> str:
    return one_line(text).replace("%", "%25")


def _property(text: str) -> str:
    return _value(text).replace(":", "%3A").replace(",", "%2C")
