"""What a run says beside its numbers: medians, what was left out, has no value or failed, and facts that qualify it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from harness.answers.call_notes import call_notes
from harness.answers.installation_notes import installation_notes
from harness.answers.measured import (
    Failure,
    LeftOut,
    Measured,
    WithoutValue,
    failures_of,
    measured_of,
    without_value_of,
)
from harness.answers.notes import DisturbedFloors, Note, Said
from harness.answers.shortfall import places_of, shortfall_of_places
from harness.store.frame import failures_frame, repeats_of_run, taint_kinds, tainted_frame, tainted_repeats
from harness.store.records import Problem, records_of_complete_blocks
from harness.store.runs import RunDirectory


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a run says of its subjects beside their numbers.

    `left_out` names subjects with tainted repeats only; `failures` are those of the newest subject first; `problems`
    could not be read. `shortfall` says why too little was measured to be a result (`answers.shortfall`), None where
    there is enough.
    """

    measured: tuple[Measured, ...] = ()
    notes: tuple[Note, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    without_value: tuple[WithoutValue, ...] = ()
    failures: tuple[Failure, ...] = ()
    floors: tuple[Mapping[str, Any], ...] = ()  # of the run, as run.json holds them
    run_path: Path | None = None
    problems: tuple[Problem, ...] = ()
    shortfall: str | None = None


def facts_of_run(run: RunDirectory, medians: pd.DataFrame) -> RunFacts:
    """Return what is to be said of all subjects of a run.

    Args:
        run: the run.
        medians: `answers.summary.summary` of this run alone.
    """
    subjects = [str(subject["name"]) for subject in run.facts["subjects"]]
    records, problems = run.records()
    repeats = repeats_of_run(run, records)
    counted = [LeftOut(name, tainted_repeats(repeats, [name]), taint_kinds(repeats, [name])) for name in subjects]
    return RunFacts(
        measured=measured_of(medians),
        notes=(*installation_notes(run, records, subjects), *run_notes(run), *call_notes(records, subjects)),
        left_out=tuple(one for one in counted if one.repeats),
        without_value=without_value_of(tainted_frame(repeats), subjects),
        failures=failures_of(failures_frame(repeats), subjects[::-1]),
        floors=floors_of(run),
        run_path=run.path,
        problems=tuple(problems),
        shortfall=shortfall_of_places(
            places_of(records_of_complete_blocks(records), subjects, run.facts["preset"].get("groups", ()))
        ),
    )


def run_notes(run: RunDirectory) -> list[Note]:
    """Return what the run itself says of its numbers: what this machine cannot measure, and what disturbed it."""
    told = (*run.facts.get("absent", ()), run.facts.get("disturbed"))
    taints = [str(floor["taints"][0]) for floor in floors_of(run) if floor.get("taints")]
    return [*(Said(f"{reason}.") for reason in told if reason), *map(DisturbedFloors, taints[:1])]


def floors_of(run: RunDirectory) -> tuple[dict[str, Any], ...]:
    """Return the run's floors; none where they could not be measured, or the run is older than they are."""
    floors = run.facts.get("floors")
    return tuple(floors) if isinstance(floors, list) else ()
