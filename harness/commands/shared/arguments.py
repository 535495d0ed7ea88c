"""Kinds of arguments of the command line: each refuses what it cannot read in a sentence that says how to write it."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from harness.errors import UsageError
from harness.releases.pythons import checked_minor

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")


class Joined(argparse.Action):
    """Joins the values of an option that is given again, as if they were written with commas between."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        """Add what was given now to what was given before."""
        before = getattr(namespace, self.dest)
        setattr(namespace, self.dest, values if before is None else f"{before},{values}")


def duration_s(text: str) -> float:
    """Return the seconds of a duration like "90s", "15m" or "1h30m"."""
    text = text.strip()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        raise argparse.ArgumentTypeError(f"{text} has no unit: write {text}m for minutes or {text}s for seconds")
    match = _DURATION.fullmatch(text)
    if not match or not any(match.groups()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration: write it like 90s, 15m or 1h30m")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    total = 3600 * hours + 60 * minutes + seconds
    if total <= 0:
        raise argparse.ArgumentTypeError("the duration must be longer than 0 seconds, for example 15m")
    return total


def fraction(text: str) -> float:
    """Return a fraction like "0.05"."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a fraction from 0 to under 1 (0.05 is 5 %)")
    return value


def margin(text: str) -> tuple[str | None, float]:
    """Return (pattern, margin) of "load_*/cpu/*=0.02", (None, margin) of "0.02"."""
    pattern, equals, margin = text.rpartition("=")
    if equals and not pattern.strip():
        raise argparse.ArgumentTypeError(f"{text!r} has no pattern: write it like 'load_*=0.02'")
    return pattern.strip() if equals else None, fraction(margin)


def shape(text: str) -> tuple[str, tuple[int, ...]]:
    """Return the name and the shape of "image=1,224,224,3"."""
    name, equals, sizes = text.rpartition("=")
    words = [word.strip() for word in sizes.split(",") if word.strip()]
    if not equals or not name or not all(word.isascii() and word.isdigit() for word in words):
        raise argparse.ArgumentTypeError(f"{text!r} is not an input and its shape: write it like image=1,224,224,3")
    return name, tuple(map(int, words))


def value_range(text: str) -> tuple[str, tuple[float, float]]:
    """Return the name and the range of "tokens=0,29999"."""
    name, equals, ends = text.rpartition("=")
    try:
        low, high = (float(word) for word in ends.split(","))
    except ValueError:
        low, high = math.nan, math.nan
    if not equals or not name or not (math.isfinite(low) and math.isfinite(high)):
        raise argparse.ArgumentTypeError(f"{text!r} is not an input and its range: write it like tokens=0,29999")
    return name, (low, high)


def positive(text: str) -> int:
    """Return a whole number of 1 or more."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return value


def python_minor(text: str) -> str:
    """Return a Python's minor version like "3.11"."""
    try:
        return checked_minor(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def list_of(known: Sequence[str]) -> Callable[[str], list[str]]:
    """Return the argument type of a comma-separated list of known words."""

    def parse(text: str) -> list[str]:
        words = [word.strip() for word in text.split(",") if word.strip()]
        unknown = [word for word in words if word not in known]
        if unknown or not words:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown) or 'nothing'}: choose some of {','.join(known)}")
        return [word for word in known if word in words]

    return parse
