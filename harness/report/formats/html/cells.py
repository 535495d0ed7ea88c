"""Cells of a page's tables: what they are sorted by, which sign they have, and changes as small pictures."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from harness.report.document import (
    Chance,
    Change,
    Difference,
    Effect,
    Interval,
    Lines,
    Quantity,
    Shade,
    Share,
    Table,
    Tone,
)
from harness.report.names import printable, shortened
from harness.report.numbers import brief_change, change

MOST_ROWS, FIRST_ROWS = 400, 100
"""Rows of a table that is in the page as a whole; and how many of a longer one are, the script has the rest."""
_SIGNS = {Tone.WORSE: "▲", Tone.BETTER: "▼", Tone.WARNING: "!"}
_WIDTH, _HEIGHT = 260, 22
_WIDEST = math.log(4)
_NARROWEST = math.log(1.3)
_TICKS = (0.25, 0.5, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0)
_PERCENTS = re.compile(r"(?:from )?[+-]?\d[\d.,]*(?: to [+-]?\d[\d.,]*)? %|\bx\d[\d.,]*")
_CODE = re.compile(r"`([^`\n]+)`")


def sort_key(cell: Any) -> str:
    """Return what a cell is sorted by: a number for what is one (a change by its size), "" for a text."""
    match cell:
        case Quantity() | Difference():
            value = abs(cell.value) if isinstance(cell, Difference) and cell.value is not None else cell.value
        case Change() | Effect():
            value = _size(cell.ratio, bool(getattr(cell, "text", None)))
        case Shade():
            value = _size(cell.before, False)
        case Interval():
            value = cell.low
        case Chance():
            value = cell.value
        case Share():
            value = cell.fraction
        case int():
            value = cell
        case _:
            return ""
    return "" if value is None or math.isnan(value) else f"{value:.9g}"


def sign(tone: Tone) -> str:
    """Return the sign that says the same as a colour: ▲ worse, ▼ better."""
    return _SIGNS.get(tone, "")


def strong_numbers(text: str) -> Markup:
    """Return a sentence with its percentages set off, and commands between back ticks as code."""
    return Markup(_PERCENTS.sub(lambda found: f"<b>{found.group()}</b>", str(with_code(text))))


def with_code(text: str) -> Markup:
    """Return a text with what stands between back ticks as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(printable(text)))))


@dataclass(frozen=True, slots=True)
class Scale:
    """The logarithmic axis that all changes of a table share, from `low` to `high` (new / old)."""

    low: float
    high: float
    width: int = _WIDTH

    def x(self, ratio: float) -> float:
        """Return where a ratio stands, in pixels; what is beyond the axis stands at its end."""
        low, high = math.log(self.low), math.log(self.high)
        place = -1.0 if ratio <= 0 else (math.log(ratio) - low) / (high - low)
        return round(6 + min(1.0, max(0.0, place)) * (self.width - 12), 1)

    def ticks(self) -> list[tuple[float, str]]:
        """Return the places that the axis names, with their names."""
        shown = [one for one in _TICKS if self.low <= one <= self.high]
        far = [one for one in shown if one == 1 or abs(self.x(one) - self.x(1)) > 34]
        kept: list[float] = []
        for one in sorted(far, key=lambda one: (one != 1, -abs(math.log(one)))):
            if all(abs(self.x(one) - self.x(other)) > 46 for other in kept):
                kept.append(one)
        return [(self.x(one), "0" if one == 1 else f"{100 * (one - 1):+.0f} %") for one in sorted(kept)]


def scale_of(table: Table) -> Scale | None:
    """Return the axis of a table's changes, None where it has none."""
    effects = [cell for row in table.rows for cell in row.cells if isinstance(cell, Effect)]
    if not effects:
        return None
    ends = [end for one in effects for end in (one.ratio, one.low, one.high, 1 + one.margin) if end and end > 0]
    logs = [math.log(end) for end in ends if math.isfinite(end)]
    low = max(-_WIDEST, min([-_NARROWEST, *(1.05 * one for one in logs)]))
    high = min(_WIDEST, max([_NARROWEST, *(1.05 * one for one in logs)]))
    return Scale(math.exp(low), math.exp(high))


def effect(cell: Effect, scale: Scale) -> dict[str, Any]:
    """Return the places of an effect's picture, and what it says."""
    shown = cell.ratio if cell.ratio is not None else (scale.high * 2 if cell.tone is Tone.WORSE else None)
    middle = None if shown is None else scale.x(shown)
    says = change(cell.ratio)
    if cell.low is not None:
        says += f", 95 % interval {cell}"
    band = (scale.x(1 / (1 + cell.margin)), scale.x(1 + cell.margin)) if cell.margin > 0 else None
    return {
        "middle": middle,
        "line": None if cell.low is None else (scale.x(cell.low), scale.x(cell.high or scale.high * 2)),
        "band": band,
        "zero": scale.x(1),
        "is_exact": cell.low is None,
        "beyond": None if shown is None else "right" if shown > scale.high else "left" if shown < scale.low else None,
        "kind": "open" if cell.is_open else cell.tone.value,
        "says": says,
    }


def shade(ratio: float | None) -> str:
    """Return how strong a change is, by which a heat map's cell is coloured: "worse-2", "better-1", "" for none."""
    if ratio is None:
        return ""
    size = abs(math.log(ratio)) if ratio > 0 else math.inf
    step = sum(size >= math.log(1 + edge) for edge in (0.02, 0.05, 0.10, 0.25))
    return f"{'worse' if ratio > 1 else 'better'}-{step}" if step else ""


def cut(text: str, longest: int) -> str:
    """Return a text as it is shown at once."""
    return shortened(text, longest)


def at_once(table: Table) -> int:
    """Return how many rows of a table stand in the page itself; the script has the rest of a very long one."""
    is_short = len(table.rows) <= MOST_ROWS or any(row.details for row in table.rows)
    return len(table.rows) if is_short else FIRST_ROWS


def rest(table: Table) -> Markup:
    """Return the other rows as JSON: for each its tags and its cells, a text or a text and what it is sorted by."""
    rows = [["|".join(row.tags), *map(_bare, row.cells)] for row in table.rows[at_once(table) :]]
    return as_json(rows)


def as_json(value: Any) -> Markup:
    """Return JSON in which nothing ends the element that holds it."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    for sign_ in "<>&":
        text = text.replace(sign_, f"\\u{ord(sign_):04x}")
    return Markup(text)


def _bare(cell: Any) -> Any:
    key, text = sort_key(cell), printable(str(cell))
    return [text, float(key) if math.isfinite(float(key)) else 1e308] if key else text


def lines(cell: Any) -> tuple[str, ...]:
    """Return the texts that stand below each other in a cell."""
    return cell.texts if isinstance(cell, Lines) else (str(cell),)


def _size(ratio: float | None, is_from_zero: bool) -> float | None:
    if ratio is None:
        return math.inf if is_from_zero else None
    return abs(math.log(ratio)) if ratio > 0 else math.inf


FILTERS: dict[str, Callable[..., Any]] = {
    "sort_key": sort_key,
    "sign": sign,
    "strong_numbers": strong_numbers,
    "with_code": with_code,
    "scale_of": scale_of,
    "effect": effect,
    "shade": shade,
    "cut": cut,
    "lines": lines,
    "brief_change": brief_change,
    "id": id,
    "at_once": at_once,
    "rest": rest,
}
