"""`--format json`: an answer's own data, in one layout for all commands (schema 1: fields may be added)."""

from __future__ import annotations

import json
import math
from typing import Any

from harness.report.document import Report, Style

SCHEMA = 1


def render(report: Report, style: Style) -> str:
    """Return one JSON document; what is absent or not finite is null."""
    document = {
        "schema": SCHEMA,
        "command": report.command,
        "exit_code": report.exit_code,
        "notes": list(report.notes),
        **report.data,
    }
    return json.dumps(_plain(document), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    """Return plain JSON data: no NaN, no infinity, text for what JSON does not know."""
    match value:
        case float():
            return float(value) if math.isfinite(value) else None
        case None | bool() | int() | str():
            return value
        case dict():
            return {str(key): _plain(member) for key, member in value.items()}
        case list() | tuple():
            return [_plain(member) for member in value]
        case _:
            return str(value)
