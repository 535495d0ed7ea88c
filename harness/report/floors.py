"""An operation's time as a multiple of its hardware lower bound, in words."""

from __future__ import annotations

from harness.answers.floors import MATRIX_FLOOR, Multiple
from harness.report.numbers import factor

HEADING = "Time compared with the hardware lower bound (raw disk I/O, or peak matrix-multiplication speed)"


def multiple_text(found: Multiple) -> str:
    """Return "12x a raw read, warm"."""
    article = "" if found.floor == MATRIX_FLOOR else "a "
    return f"{times_text(found)} {article}{floor_text(found)}"


def times_text(found: Multiple) -> str:
    """Return "12x": two digits are what a floor of some tries on a shared machine is good for."""
    return f"{factor(found.times)}x"


def floor_text(found: Multiple) -> str:
    """Return what the operation is held against: "raw read, warm", "its arithmetic at peak speed"."""
    return "its arithmetic at peak speed" if found.floor == MATRIX_FLOOR else f"raw {found.floor}"
