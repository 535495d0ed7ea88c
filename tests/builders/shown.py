"""Reports as their readers see them."""

from __future__ import annotations

import json
from typing import Any

from harness.report.document import Report, Style
from harness.report.formats import render


def as_table(report: Report, width: int = 100, *, colour: bool = False) -> str:
    """Return a report as a terminal of this width shows it."""
    return render(report, "table", Style(width, colour))


def as_markdown(report: Report) -> str:
    """Return a report as Markdown."""
    return render(report, "markdown", Style())


def as_json(report: Report) -> dict[str, Any]:
    """Return what a program reads of a report."""
    document: dict[str, Any] = json.loads(render(report, "json", Style()))
    return document
