"""What `savedmodel-bench doctor` finds: one fact about the machine's fitness, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

GPU = "gpu"
"""Code of the finding that says whether there is a GPU. As a problem it keeps GPU cells alone from being measured."""


class Severity(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    ADVICE = "advice"  # measuring works; something makes it noisier, slower or less complete
    PROBLEM = "problem"  # measuring is impossible until it is solved


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    code: str  # lasts over versions: "cpu-governor"
    severity: Severity
    text: str  # what was found, with its figure
    advice: str | None = None  # what to do; always there unless the severity is ok


def ok(code: str, text: str) -> Finding:
    """Return a finding that needs nothing."""
    return Finding(code, Severity.OK, text)


def advice(code: str, text: str, what: str) -> Finding:
    """Return a finding that makes numbers noisier or fewer."""
    return Finding(code, Severity.ADVICE, text, what)


def problem(code: str, text: str, what: str) -> Finding:
    """Return a finding that keeps everything from being measured."""
    return Finding(code, Severity.PROBLEM, text, what)
