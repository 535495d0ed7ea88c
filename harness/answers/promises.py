"""What SavedModel promises, kept or not, from the records of the passes that verify it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import median
from typing import Any

from harness.answers.sources import Reading, Runs, Source, Telling, first_telling
from harness.store.known_releases import known_releases
from harness.store.python_changes import subject_labels
from harness.store.records import Problem, Record, records_of_complete_blocks

METRICS = {"resume_broken_promises": "training goes on", "custom_code_broken_promises": "no original code needed"}
"""The metrics that count what was not kept, with the promise as tables name it."""

_OPERATIONS = {"resume": "resume_broken_promises", "custom-code": "custom_code_broken_promises"}


class State(StrEnum):
    """What became of a promise."""

    KEPT = "kept"
    BROKEN = "not kept"
    ABSENT = "n/a"  # tried for real: the release has no such API, or it does not read what this writer wrote


@dataclass(frozen=True, slots=True)
class Promise:
    """One way to rely on SavedModel, in one release; kept only if every block of the run kept it."""

    subject: str
    device: str
    model: str
    writer: str
    promise: str  # as in METRICS
    way: str  # "-" where the writer itself is absent
    state: State
    detail: str  # what was not kept, or why there is nothing
    run: str  # whose blocks tell of it
    blocks: int = 1  # of this run, with a record of it
    blocks_not_kept: int = 0
    first_step_s: float | None = None  # from the start of restoring to the first resumed step; median of calm repeats


@dataclass(frozen=True, slots=True)
class _Told:
    """What one record tells of a promise."""

    block: int
    promise: Promise
    broken: tuple[str, ...] = ()
    first_step_s: float | None = None


_Place = tuple[str, str, str, str, str]  # subject, device, model, writer, promise


@dataclass(frozen=True, slots=True)
class Promises:
    """Every promise that one machine's records tell about, each by its newest run; subjects in order of their dates."""

    telling: Telling[Promise]
    subjects: tuple[str, ...]


def ask_promises(source: Source) -> Promises:
    """Return the promises that the results tell about.

    Raises:
        UsageError: there is no such run.
    """
    telling = first_telling(source, _read)
    dates = {release.name: str(release.date) for release in known_releases(source.root).releases}
    names = {one.subject for one in telling.told}
    return Promises(telling, tuple(sorted(names, key=lambda name: (dates.get(re.split("[@ ]", name)[0], ""), name))))


def _read(runs: Runs, problems: list[Problem]) -> Reading[Promise]:
    records: list[Record] = []
    labels = subject_labels(runs)
    for run in runs:
        read, found = run.records()
        problems.extend(found)
        records.extend(
            {**record, "run": run.run, "subject": labels[run.run, record["subject"]]}
            for record in records_of_complete_blocks(read)
        )
    told = promises(records)
    used = {one.run for one in told}
    return Reading(told, {(record["run"], record["block"]) for record in records if record["run"] in used})


def promises(records: Iterable[Mapping[str, Any]]) -> list[Promise]:
    """Return the promises that records tell about, each from all blocks of the newest run that tells of it.

    Args:
        records: repeat records of complete blocks, oldest first; with the id of their `run` where they are of several.
    """
    found: dict[_Place, list[_Told]] = {}
    told: set[tuple[str, str]] = set()  # device and model of which promises are verified
    for record in records:
        metric = _OPERATIONS.get(record.get("operation", ""))
        if metric is not None:
            told.add((record["cell"]["device"], record["cell"]["model"]))
        # What a release cannot even save is not asked for more: its save says why.
        lacks = record.get("operation") == "save" and record.get("status") == "unsupported"
        for name in METRICS if lacks else (metric,) if metric else ():
            cell = record["cell"]
            place = record["subject"], cell["device"], cell["model"], cell["writer"], METRICS[name]
            found.setdefault(place, []).extend(_of_record(record, name, place))
    asked = (parts for (_, device, model, _, _), parts in found.items() if (device, model) in told)
    return [one for parts in asked for one in _of_newest_runs(parts)]


def _of_newest_runs(parts: Sequence[_Told]) -> Iterable[Promise]:
    """Yield the promise of each way; a record that failed as a whole ("-") failed in all of them."""
    ways = dict.fromkeys(one.promise.way for one in parts)
    for way in [way for way in ways if way != "-"] or ["-"]:
        of_way = [one for one in parts if one.promise.way in (way, "-")]
        newest = of_way[-1].promise.run
        yield _over_blocks(way, [one for one in of_way if one.promise.run == newest])


def _over_blocks(way: str, parts: Sequence[_Told]) -> Promise:
    """Return the promise that the blocks of one run tell together."""
    steps_s = [one.first_step_s for one in parts if one.first_step_s is not None]
    joined = replace(
        parts[0].promise,
        way=way,
        blocks=len({one.block for one in parts}),
        first_step_s=median(steps_s) if steps_s else None,
    )
    if len({one.promise.state for one in parts}) == 1 and joined.state is not State.BROKEN:
        return joined
    not_kept = [one for one in parts if one.promise.state is not State.KEPT]
    names = dict.fromkeys(name for one in not_kept for name in one.broken)
    blocks_not_kept = len({one.block for one in not_kept})
    return replace(joined, state=State.BROKEN, detail=", ".join(names), blocks_not_kept=blocks_not_kept)


def _of_record(record: Mapping[str, Any], metric: str, place: _Place) -> Iterable[_Told]:
    run, block = str(record.get("run", "")), int(record.get("block", 0))
    steps_s = {
        entry["way"]: entry["value"]
        for entry in record.get("metrics", ())
        if entry["metric"] == "resume_first_step_s" and not record.get("taints")
    }

    def tells(way: str, state: State, *broken: str) -> _Told:
        return _Told(block, Promise(*place, way, state, ", ".join(broken), run), broken, steps_s.get(way))

    if record["status"] != "ok":
        state = State.ABSENT if record["status"] == "unsupported" else State.BROKEN
        yield tells("-", state, str(record.get("reason") or ""))
        return
    for entry in record.get("metrics", ()):
        if entry["metric"] == metric:
            way = entry["way"]
            evidence = record["evidence"].get(f"{record['operation'].partition('-')[0]} {way}", {})
            kept = entry["value"] == 0
            broken = () if kept else evidence.get("broken") or ["outputs"]
            yield tells(way, State.KEPT if kept else State.BROKEN, *broken)
    for entry in record.get("absent", ()):
        if entry["metric"] == metric:
            yield tells(entry["way"], State.ABSENT, entry["reason"])
