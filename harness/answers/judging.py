"""From a run's records to a comparison of two of its subjects."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from harness.answers.call_notes import call_notes
from harness.answers.comparison import Comparison, compare_subjects, exact_only_cells
from harness.answers.installation_notes import installation_notes
from harness.answers.memory_timeline import memory_timelines
from harness.answers.notes import Looked
from harness.answers.run_facts import floors_of, run_notes
from harness.answers.shortfall import Places, places_of, shortfall_of_places
from harness.answers.sides import SubjectFacts
from harness.errors import UsageError
from harness.measure.presets import matches
from harness.measure.retries import stands_for
from harness.metrics import CELL_FAILED, METRICS, Kind
from harness.store.frame import (
    failures_frame,
    repeats_of_run,
    samples_frame,
    taint_kinds,
    tainted_frame,
    tainted_repeats,
)
from harness.store.pairs import pairs_frame
from harness.store.records import Problem, Record, complete_blocks, records_of_complete_blocks, versions_said
from harness.store.runs import RunDirectory
from harness.store.work import read_work
from harness.verdict.margins import MARGINS, Asked, margin_table


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows are asked for: all where None. `models` are globs with commas between."""

    operations: Sequence[str] | None = None
    devices: Sequence[str] | None = None
    models: str | None = None

    def of(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of a table with the columns device, model, and metric or operation, that are asked for.

        What no device or model is part of, an import, stays.
        """
        kept = pd.Series(True, index=table.index)
        if self.operations is not None and "metric" in table:
            names = {name for name, metric in METRICS.items() if metric.operation in self.operations}
            kept &= table["metric"].isin(names | {CELL_FAILED.name})
        if self.devices is not None:
            kept &= table["device"].isin([*self.devices, "-"])
        if self.models is not None:
            known = [model for model in table["model"].unique() if model == "-" or matches(model, self.models)]
            kept &= table["model"].isin(known)
        return table[kept]

    def of_places(self, places: Places) -> Places:
        """Return the places that are asked for."""
        return {
            place: outcomes
            for place, outcomes in places.items()
            if (self.operations is None or place.operation in self.operations)
            and (self.devices is None or place.cell.device in self.devices)
            and matches(place.cell.model, self.models)
        }

    def lacks(self, table: pd.DataFrame) -> bool:
        """Return whether a table that was narrowed has nothing that was asked for."""
        narrowed = self.devices is not None or self.models is not None
        return table.empty or (narrowed and bool((table["model"] == "-").all()))


EVERYTHING = Selection()


@dataclass(frozen=True, slots=True)
class RunTables:
    """A run's records and the tables of them, read once for any number of comparisons."""

    run: RunDirectory
    records: Sequence[Record]
    problems: tuple[Problem, ...]
    repeats: pd.DataFrame
    samples: pd.DataFrame
    tainted: pd.DataFrame
    failures: pd.DataFrame

    @classmethod
    def of(cls, run: RunDirectory) -> RunTables:
        """Read a run.

        Raises:
            UsageError: it has no complete block.
        """
        records, problems = run.records(without=("phases",))
        if not complete_blocks(records):
            raise UsageError(f"Run {run.run} has no finished block, so there is nothing to compare: measure again.")
        repeats = repeats_of_run(run, records)
        tables = (samples_frame(repeats), tainted_frame(repeats), failures_frame(repeats))
        return cls(run, records, tuple(problems), repeats, *tables)


def compare_in_run(
    run: RunDirectory | RunTables,
    old: str,
    new: str,
    wanted: Selection = EVERYTHING,
    *,
    margins: Asked | None = None,
    q_level: float = 0.05,
) -> Comparison:
    """Judge two subjects of one run.

    Args:
        run: the run, or its tables where they were read before.
        old, new: names of its subjects.
        wanted: the rows asked for.
        margins: asked for beside those of the run's preset.
        q_level: accepted false discovery rate.

    Raises:
        UsageError: the run has no such subject, no complete block, or none of the rows that are wanted.
    """
    given, run = run, run.run if isinstance(run, RunTables) else run
    facts: Mapping[str, Mapping[str, Any]] = {subject["name"]: subject for subject in run.facts["subjects"]}
    for name in (old, new):
        if name not in facts:
            raise UsageError(f"Run {run.run} did not measure {name}; it measured {', '.join(facts)}.")
    read = given if isinstance(given, RunTables) else RunTables.of(run)
    records, repeats = read.records, read.repeats
    samples, tainted, failures = map(wanted.of, (read.samples, read.tainted, read.failures))
    if all(wanted.lacks(table) for table in (samples, tainted, failures)):
        raise UsageError(f"Run {run.run} has no results that match --operation, --device and --model: select more.")
    versions = versions_said(records)
    counts, unread = read_work(run)
    preset, looks = run.facts["preset"], _looks(run)
    exact_only = exact_only_cells(preset)
    places = places_of(records_of_complete_blocks(records), (old, new), preset.get("groups", ()), exact_only)
    comparison = compare_subjects(
        samples,
        failures,
        SubjectFacts.of({**facts[old], **versions.get(old, {})}),
        SubjectFacts.of({**facts[new], **versions.get(new, {})}),
        margins=margin_table(preset.get("time_margin", MARGINS[Kind.TIME]), preset.get("margins"), margins),
        machine=run.facts["machine"],
        preset=preset["name"],
        pairs=wanted.of(pairs_frame(repeats, old, new)),
        run_path=run.path,
        exact_only=exact_only,
        shortfall=shortfall_of_places(wanted.of_places(places), (old, new)),
        tainted=tainted,
        tainted_repeats=tainted_repeats(repeats, (old, new)),
        taint_kinds=taint_kinds(repeats, (old, new)),
        further=stands_for(records),
        floors=floors_of(run),
        notes=[
            *installation_notes(run, records, (old, new)),
            *run_notes(run),
            *((Looked(looks),) if looks else ()),
            *call_notes(records, (old, new)),
        ],
        problems=[*read.problems, *unread],
        counts=counts,
        looks=looks,
        q_level=q_level,
    )
    block_s = _block_seconds(records, len(facts))
    return replace(comparison, timelines=memory_timelines(records, (old, new)), block_s=block_s)


def _block_seconds(records: Sequence[Record], subjects: int) -> float | None:
    """Return the seconds that a block of two subjects takes, from the planned ones of a run of any number."""
    seconds = [
        record["duration_s"]
        for record in records
        if record["type"] == "block" and record["complete"] and record.get("stands_for") is None
    ]
    return 2 * statistics.median(seconds) / subjects if seconds else None


def _looks(run: RunDirectory) -> tuple[int, ...]:
    """Return the blocks after which a budgeted run was judged; one that was broken off before is looked at now."""
    if "looks" not in run.facts:
        return ()
    return tuple(run.facts["looks"]) or (max(1, len(complete_blocks(run.records()[0]))),)
