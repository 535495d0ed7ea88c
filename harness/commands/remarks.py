"""From a run's records to what a report says beside its numbers."""

from __future__ import annotations

import sys
from typing import Any

import pandas as pd

from harness.store.frame import repeats_frame
from harness.store.records import Problem
from harness.store.runs import RunDirectory


def repeats_of(run: RunDirectory) -> pd.DataFrame:
    """Return `store.frame.repeats_frame` of a run; what could not be read is printed."""
    problems: list[Problem] = []
    repeats = repeats_frame([run.path], problems)
    for problem in problems:
        print(problem, file=sys.stderr)
    return repeats


def run_notes(run: RunDirectory) -> list[str]:
    """Return what the run itself says of its numbers: what this machine cannot measure, and what disturbed it."""
    told = (*run.facts.get("absent", ()), run.facts.get("disturbed"))
    return [f"{reason}." for reason in told if reason]


def floors_of(run: RunDirectory) -> tuple[dict[str, Any], ...]:
    """Return the run's floors; none where they could not be measured, or the run is older than they are."""
    floors = run.facts.get("floors")
    return tuple(floors) if isinstance(floors, list) else ()
