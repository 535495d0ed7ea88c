"""How large a screen is, and whether a document fits on one."""

from __future__ import annotations

from harness.report.document import Document, Report, Style
from harness.report.formats.table import render

COLUMNS = 80
LINES = 38
"""Of 40: the path of a page, or where the shell asks for the next command, follows below a document."""


def lines_of(document: Document) -> int:
    """Return how many lines of a screen a document takes; a terminal breaks a command where the line ends."""
    text = render(Report("", document, {}), Style(COLUMNS))
    return sum(max(1, -(-len(line) // COLUMNS)) for line in text.splitlines())


def fits(document: Document) -> bool:
    """Return whether a document fits on one screen."""
    return lines_of(document) <= LINES
