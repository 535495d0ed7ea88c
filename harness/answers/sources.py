"""Which runs `promises`, `ratios` and `scaling` read: one machine's own, else committed reference runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import pandas as pd

from harness.answers.provenance import Provenance
from harness.releases.subjects import subject_name
from harness.store.frame import repeats_frame, samples_frame
from harness.store.machines import this_machine
from harness.store.python_changes import subject_labels
from harness.store.records import Problem
from harness.store.runs import RunDirectory, open_run, runs_of
from harness.store.worker_versions import age

Told = TypeVar("Told")
Runs = list[RunDirectory]


@dataclass(frozen=True, slots=True)
class Source:
    """Which runs are asked for: of one machine by its name, one run by its folder, or what this machine has."""

    root: Path  # of the project
    machine: str | None = None
    run: Path | None = None


@dataclass(frozen=True, slots=True)
class Reading(Generic[Told]):
    """What some runs tell, and the blocks that it comes from."""

    told: list[Told]
    blocks: AbstractSet[tuple[str, int]]  # run and number


@dataclass(frozen=True, slots=True)
class Telling(Generic[Told]):
    """What the first source told that told anything, where it comes from, and what could not be read."""

    told: list[Told]
    provenance: Provenance
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """Runs of one machine that may be pooled, and the machine's runs that are left out beside them."""

    runs: Runs
    spawned: Runs
    older: Runs  # of older worker versions
    is_older: bool  # there are runs of a newer one, which were asked before


def first_telling(
    source: Source,
    read: Callable[[Runs, list[Problem]], Reading[Told]],
    tells: Callable[[Sequence[Told]], bool] = bool,
) -> Telling[Told]:
    """Return what the first source tells that tells anything, and where it comes from.

    The sources are the run that is asked for alone; else the own runs of this machine (or the one asked for), then its
    reference runs, then, where no machine was asked for, those of each other one. Never mixed are machines, worker
    versions (an older one is read where newer ones tell nothing), and forked and spawned runs (these are read where
    the forked ones tell nothing).

    Args:
        source: which runs are asked for.
        read: reads runs of one machine, oldest first; what could not be read is appended to the problems.
        tells: whether what was read answers anything.
    """
    problems: list[Problem] = []
    asked = None if source.run is not None else this_machine(source.root, source.machine).name
    if source.run is not None:
        sources, others = [[open_run(source.run)]], tuple[str, ...]()
    else:
        sources, others = _sources(source, str(asked), problems)
    found: tuple[list[Told], Provenance] | None = None
    for part in (part for runs in sources for part in _parts(runs)):
        reading = read(part.runs, problems)
        if tells(reading.told) or (reading.told and found is None):
            found = reading.told, _provenance(part, reading.blocks, asked, others)
        if tells(reading.told):
            break
    told, provenance = found or ([], Provenance(asked or "-", False, asked, (), others))
    return Telling(told, provenance, tuple(problems))


def _sources(source: Source, asked: str, problems: list[Problem]) -> tuple[list[Runs], tuple[str, ...]]:
    """Return the runs of each source, in the order of their turn, and the machines whose own runs are none."""
    own = _by_machine(source.root, False, problems)
    reference = _by_machine(source.root, True, problems)
    if source.machine is not None:
        reference = {machine: runs for machine, runs in reference.items() if machine == asked}
    newest_first = sorted(reference.values(), key=lambda runs: str(runs[-1].facts["created_at"]), reverse=True)
    sources = [
        own.pop(asked, []),
        reference.pop(asked, []),
        *(runs for runs in newest_first if runs[0].machine != asked),
    ]
    return [runs for runs in sources if runs], tuple(own)


def _by_machine(root: Path, reference: bool, problems: list[Problem]) -> dict[str, Runs]:
    runs, found = runs_of(root, reference=reference)
    problems.extend(found)
    machines: dict[str, Runs] = {}
    for run in runs:
        if run.facts["kind"] != "speed":
            machines.setdefault(run.machine, []).append(run)
    return machines


def _parts(runs: Runs) -> Iterator[_Part]:
    """Yield what may be pooled: each worker version, the newest first, by isolation."""
    ages = sorted({age(run.worker_version) for run in runs}, reverse=True)
    for found in ages:
        older = [run for run in runs if age(run.worker_version) < found]
        for alike, spawned in _by_isolation([run for run in runs if age(run.worker_version) == found]):
            yield _Part(alike, spawned, older, found != ages[0])


def _by_isolation(runs: Runs) -> Iterator[tuple[Runs, Runs]]:
    """Yield the forked runs with the spawned ones that are left out beside them, then the spawned ones alone."""
    spawned = [run for run in runs if run.is_spawned]
    forked = [run for run in runs if not run.is_spawned]
    if forked:
        yield forked, spawned
    if spawned:
        yield spawned, []


def _provenance(
    part: _Part, blocks: AbstractSet[tuple[str, int]], asked: str | None, others: tuple[str, ...]
) -> Provenance:
    counted = Counter(run for run, _ in blocks)
    used = [run for run in part.runs if counted[run.run]]
    any_run = part.runs[0]
    return Provenance(
        machine=any_run.machine,
        is_reference=any_run.is_reference,
        asked=asked,
        runs=tuple((run.run, counted[run.run]) for run in used),
        others=others,
        is_spawned=any_run.is_spawned,
        left_out=tuple(run.run for run in part.spawned),
        disturbed=tuple((run.run, str(run.facts["disturbed"])) for run in used if run.facts.get("disturbed")),
        worker_version=any_run.worker_version,
        older=tuple(run.run for run in part.older),
        is_older=part.is_older,
    )


def blocks_of(samples: pd.DataFrame, runs: AbstractSet[str]) -> set[tuple[str, int]]:
    """Return run and number of every block of some runs."""
    of_runs = samples.loc[samples["run"].isin(runs), ["run", "block"]].drop_duplicates()
    return {(str(run), int(block)) for run, block in of_runs.itertuples(index=False)}


def samples_of(source: Source, runs: Runs, subjects: Sequence[str], problems: list[Problem]) -> pd.DataFrame:
    """Return the samples of runs, each Python's apart, only those of some subjects where any are named.

    Raises:
        UsageError: there is no such subject.
    """
    samples = samples_frame(repeats_frame([run.path for run in runs], problems))
    if subjects:
        measured = [subject for run in runs for subject in run.facts["subjects"]]
        samples = samples[samples["subject"].isin({subject_name(source.root, name, measured) for name in subjects})]
    labels = subject_labels(runs)
    named = [labels[str(run), str(name)] for run, name in zip(samples["run"], samples["subject"], strict=True)]
    return samples.assign(subject=pd.Series(named, index=samples.index, dtype="string"))
