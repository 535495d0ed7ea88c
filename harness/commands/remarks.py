"""From a run's records to what a report says beside its numbers."""

from __future__ import annotations

import sys
from typing import Any

import pandas as pd

from harness.commands.call_notes import call_notes
from harness.commands.installation_notes import installation_notes
from harness.remarks import LeftOut, Remarks, failures_of, measured_of, without_value_of
from harness.report.multiples import floors_note
from harness.shortfall import places_of, shortfall_of_places
from harness.store.frame import failures_frame, repeats_of_run, taint_kinds, tainted_frame, tainted_repeats
from harness.store.records import Record, records_of_complete_blocks
from harness.store.runs import RunDirectory


def remarks_of(run: RunDirectory, medians: pd.DataFrame, run_path: str) -> Remarks:
    """Return what is to be said of all subjects of a run.

    Args:
        run: the run.
        medians: `store.summary.summary` of this run alone.
        run_path: where the records lie, as the user is to read it.
    """
    subjects = [str(subject["name"]) for subject in run.facts["subjects"]]
    records, repeats = read_run(run)
    counted = [LeftOut(name, tainted_repeats(repeats, [name]), taint_kinds(repeats, [name])) for name in subjects]
    return Remarks(
        measured=measured_of(medians),
        notes=(
            *installation_notes(run, records, subjects),
            *run_notes(run),
            *call_notes(records, subjects),
        ),
        left_out=tuple(one for one in counted if one.repeats),
        without_value=without_value_of(tainted_frame(repeats), subjects),
        failures=failures_of(failures_frame(repeats), subjects[::-1]),
        floors=floors_of(run),
        run_path=run_path,
        shortfall=shortfall_of_places(
            places_of(records_of_complete_blocks(records), subjects, run.facts["preset"].get("groups", ()))
        ),
    )


def read_run(run: RunDirectory) -> tuple[list[Record], pd.DataFrame]:
    """Return a run's records, and `store.frame.repeats_frame` of them; what could not be read is printed."""
    records, problems = run.records()
    for problem in problems:
        print(problem, file=sys.stderr)
    return records, repeats_of_run(run, records)


def run_notes(run: RunDirectory) -> list[str]:
    """Return what the run itself says of its numbers: what this machine cannot measure, and what disturbed it."""
    told = (*run.facts.get("absent", ()), run.facts.get("disturbed"))
    return [*(f"{reason}." for reason in told if reason), *floors_note(floors_of(run))]


def floors_of(run: RunDirectory) -> tuple[dict[str, Any], ...]:
    """Return the run's floors; none where they could not be measured, or the run is older than they are."""
    floors = run.facts.get("floors")
    return tuple(floors) if isinstance(floors, list) else ()
