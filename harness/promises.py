"""What SavedModel promises, kept or not, from the records of the passes that verify it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

METRICS = {"resume_broken_promises": "training goes on", "custom_code_broken_promises": "no original code needed"}
"""The metrics that count what was not kept, with the promise as tables name it."""

_OPERATIONS = {"resume": "resume_broken_promises", "custom-code": "custom_code_broken_promises"}


class State(StrEnum):
    """What became of a promise."""

    KEPT = "kept"
    BROKEN = "not kept"
    ABSENT = "n/a"  # the release has no such API: tried for real


@dataclass(frozen=True, slots=True)
class Promise:
    """One way to rely on SavedModel, in one release."""

    subject: str
    device: str
    model: str
    writer: str
    promise: str  # as in METRICS
    way: str  # "-" where the writer itself is absent
    state: State
    detail: str  # what was not kept, or why there is nothing
    run: str  # whose record it is


def promises(records: Iterable[Mapping[str, Any]]) -> list[Promise]:
    """Return the promises that records tell about; of several records of the same, the last one counts.

    Args:
        records: repeat records, oldest first; with the id of their `run` where they are of several.
    """
    found: dict[tuple[str, ...], Promise] = {}
    told: set[tuple[str, str]] = set()  # device and model of which promises are verified
    for record in records:
        metric = _OPERATIONS.get(record.get("operation", ""))
        if metric is not None:
            told.add((record["cell"]["device"], record["cell"]["model"]))
        # What a release cannot even save is not asked for more: its save says why.
        lacks = record.get("operation") == "save" and record.get("status") == "unsupported"
        for name in METRICS if lacks else (metric,) if metric else ():
            for one in _of_record(record, name):
                found[one.subject, one.device, one.model, one.writer, one.promise, one.way] = one
    return [one for one in found.values() if (one.device, one.model) in told]


def _of_record(record: Mapping[str, Any], metric: str) -> Iterable[Promise]:
    cell = record["cell"]
    place = record["subject"], cell["device"], cell["model"], cell["writer"], METRICS[metric]
    run = str(record.get("run", ""))
    if record["status"] != "ok":
        state = State.ABSENT if record["status"] == "unsupported" else State.BROKEN
        yield Promise(*place, "-", state, str(record.get("reason") or ""), run)
        return
    for entry in record.get("metrics", ()):
        if entry["metric"] == metric:
            way = entry["way"]
            evidence = record["evidence"].get(f"{record['operation'].partition('-')[0]} {way}", {})
            broken = ", ".join(evidence.get("broken", [])) or "outputs"
            kept = entry["value"] == 0
            yield Promise(*place, way, State.KEPT if kept else State.BROKEN, "" if kept else broken, run)
    for entry in record.get("absent", ()):
        if entry["metric"] == metric:
            yield Promise(*place, entry["way"], State.ABSENT, entry["reason"], run)
