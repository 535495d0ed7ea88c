"""Reports as their readers see them: on a terminal, as a page, as a program."""

from __future__ import annotations

import json
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

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


def tokens(markdown: str) -> list[Token]:
    """Return what a page shows: GitHub's tables and strike-through beside CommonMark."""
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown)


def texts_of(markdown: str) -> list[str]:
    """Return the text of each cell, paragraph, heading and item, as a reader sees it."""
    return [
        "".join(part.content for part in token.children or () if part.type not in ("html_inline", "code_open"))
        for token in tokens(markdown)
        if token.type == "inline"
    ]


def rows_of(markdown: str) -> list[list[str]]:
    """Return the cells of all rows of all tables."""
    found: list[list[str]] = []
    is_cell = False
    for token in tokens(markdown):
        if token.type == "tr_open":
            found.append([])
        elif is_cell:
            found[-1].append("".join(part.content for part in token.children or () if part.type != "html_inline"))
        is_cell = token.type in ("th_open", "td_open")
    return found
