"""What a worker is asked: the request of one repeat, for whoever measures it or counts its work."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path

from harness.measure.conditions import Operation
from harness.measure.inputs import write_inputs
from harness.measure.own_models import OwnModel
from harness.measure.presets import Cell, Group, Preset
from harness.measure.worker_process import Message

FURTHER_BATCHES = (3, 32)
"""Batch sizes that the worker chooses by itself: of a new shape, and of the calls whose energy is counted."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a repeat reads and writes: the folder of all, its artifact, and the answer of a model that is not built."""

    artifacts: Path
    artifact: Path
    answer: str | None = None  # None: there is none, or nothing can be said about it


def artifact_path(artifacts: Path, subject: str, cell: Cell) -> Path:
    """Return where the artifact of a subject and cell lies below the folder of all."""
    return artifacts / subject.replace(os.sep, "_") / f"{cell.device}-{cell.model}-{cell.writer}"


def repeat_request(
    preset: Preset, group: Group, cell: Cell, operation: Operation, place: Place, memory_limit_bytes: float
) -> Message:
    """Return what the worker is asked, without how it is isolated; inputs of a model of one's own are written.

    Args:
        preset: has the cell's model where that is not of the zoo, and the time limit.
        group: the cell's, with the numbers of saves and calls.
        cell: what is measured.
        operation: the repeat's work.
        place: where it reads and writes.
        memory_limit_bytes: what the process may hold.
    """
    own = preset.own_model(cell)
    scratch = str(place.artifact)
    keep = operation.repeat == 0 and not operation.in_turn
    if own is not None and not own.is_built:
        of_source: Message = {"artifact": own.path, "expected": place.answer, "answer": f"{scratch}.answer"}
    else:
        kept = operation.name != "save" or keep
        of_source = {
            "artifact": scratch if kept else str(place.artifact.with_name("repeated")),
            "expected": f"{scratch}.expected",
        }
    return {
        "operation": operation.name,
        **dataclasses.asdict(cell),
        **of_source,
        "source": None if own is None else _source(own, group, place.artifacts),
        "tolerance": None if own is None else own.tolerance,
        "scratch": scratch,
        "keep": keep,
        "later_saves": group.later_saves,
        "durable_saves": group.durable_saves,
        "page_cache": operation.page_cache,
        "again": operation.name == "load" and operation.page_cache == "warm",
        "batches": list(group.batches) if operation.name in ("infer", "calls", "profile", "slices") else [],
        "window_s": group.window_s,
        "timeout_s": (own and own.timeout_s) or preset.timeout_s,
        "memory_limit_bytes": memory_limit_bytes,
    }


def _source(own: OwnModel, group: Group, artifacts: Path) -> Message:
    """Return what a worker needs to know of a model that is not of the zoo; its inputs are written."""
    if own.is_built:
        return own.source({})
    free = () if own.fixed_batch is not None else FURTHER_BATCHES
    batches = {own.base_batch, *own.batches(group.batches), *free}
    folder = artifacts / "inputs"
    return own.source({str(batch): str(write_inputs(own, batch, folder)) for batch in sorted(batches)})
