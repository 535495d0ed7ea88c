"""The formats of a report: one module each, named as `--format` names it, with a function `render`.

To add one: a module here. It renders any `harness.report.document.Report` and knows nothing of the questions.
"""

from __future__ import annotations

import importlib
import pkgutil

from harness.report.document import Report, Style

FORMATS = tuple(module.name for module in pkgutil.iter_modules(__path__))
"""The names of all formats."""


def render(report: Report, form: str, style: Style) -> str:
    """Return a report in the format of this name, one of FORMATS."""
    text: str = importlib.import_module(f"{__name__}.{form}").render(report, style)
    return text
