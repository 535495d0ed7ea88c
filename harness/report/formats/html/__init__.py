"""`--format html`: a page in one file that opens anywhere: no network, no other file, nothing that a name can break.

The page is complete without scripts but for its figures. `page.html.j2` has the structure, `page.css` the looks,
`page.js` what can be clicked and the figures, which Observable Plot draws (`vendor/`). Every text is a stranger's:
jinja2 escapes it, the script puts it in as text, and the page's own policy forbids every script but its own.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

import harness
from harness.report.document import Figure, Figures, Report, Row, Section, Style, Table
from harness.report.figures import plain
from harness.report.formats.html import cells
from harness.report.formats.html.anchors import Anchors
from harness.report.names import printable

_HERE = Path(__file__).parent
_SCRIPTS = ("vendor/d3.min.js", "vendor/plot.umd.min.js", "page.js")
_DRAWS = frozenset(_SCRIPTS[:2])
_LONGEST, _LONGEST_TEXT = 280, 1200
"""Characters of a cell, and of a sentence, that are shown at once; the rest is there when it is asked for."""


def render(report: Report, style: Style) -> str:
    """Return the page: the report's own document for a page where it has one, else the same as every format."""
    document = report.page or report.document
    figures = [one for part in document.parts for one in _figures(part)]
    scripts = [_text(name) for name in _SCRIPTS if figures or name not in _DRAWS]
    sheet = _text("page.css")
    text = (
        _environment()
        .get_template("page.html.j2")
        .render(
            document=document,
            title=document.title or f"savedmodel-bench {report.command}",
            sections=[part for part in document.parts if isinstance(part, Section)],
            anchors=Anchors(),
            numbers={id(figure): number for number, figure in enumerate(figures)},
            data=cells.as_json(_printable([plain(figure.drawing) for figure in figures])),
            scripts=[Markup(script) for script in scripts],
            sheet=Markup(sheet),
            policy=_policy(scripts, sheet),
            version=harness.__version__,
        )
    )
    return text.strip() + "\n"


def _figures(part: Any) -> list[Figure]:
    """Return the figures of a part and of everything in it, in the order in which the page has them."""
    match part:
        case Figure():
            return [part]
        case Figures():
            return list(part.figures)
        case Section():
            return [one for inner in part.parts for one in _figures(inner)]
        case Table():
            return [one for row in part.rows for one in _figures(row)]
        case Row():
            return [one for inner in part.details for one in _figures(inner)]
        case _:
            return []


def _printable(value: Any) -> Any:
    match value:
        case str():
            return printable(value)
        case float():
            # Five digits are more than a picture shows.
            return float(f"{value:.5g}") if abs(value) < float("inf") else None
        case dict():
            return {name: _printable(member) for name, member in value.items()}
        case list() | tuple():
            return [_printable(member) for member in value]
        case _:
            return value


def _policy(scripts: list[str], sheet: str) -> str:
    """Return the page's Content-Security-Policy: what is in it now may run, nothing else, and nothing is fetched."""
    allowed = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'sha256-{_digest(sheet)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters.update(cells.FILTERS)
    environment.globals.update(kind=lambda part: type(part).__name__, longest=_LONGEST, longest_text=_LONGEST_TEXT)
    return environment


def _shown(value: Any) -> Any:
    """Return what a page shows of a value: a text without what cannot be printed, markup as it is."""
    if isinstance(value, Markup):
        return value
    return printable(value) if isinstance(value, str) else value
