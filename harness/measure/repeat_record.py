"""What stands in a repeat's record."""

from __future__ import annotations

import dataclasses
from typing import Any

from harness.measure.conditions import Operation
from harness.measure.passes import recorded_name
from harness.measure.presets import Cell
from harness.measure.worker_process import Message
from harness.store.records import Record

_FIELDS = ("status", "reason", "metrics", "absent", "phases", "taints", "evidence", "provenance")


def failed(reason: str) -> Message:
    """Return the result of a repeat that failed with this reason."""
    empty: Message = {"metrics": [], "absent": [], "phases": [], "taints": [], "evidence": {}}
    return {**empty, "status": "failed", "reason": reason}


def after_import(result: Message, imported: Message, times_import: bool) -> Message:
    """Return the result of a spawned repeat with what is known of its process's own import.

    The import's phases and evidence always; its taints only where the repeat's clock holds the import, as that of the
    time to first result does: no other metric was disturbed by an import that waited for the disk.
    """
    return {
        **result,
        "phases": [*(dict(phase, kind="import") for phase in imported["phases"]), *result["phases"]],
        "taints": [*(imported["taints"] if times_import else ()), *result["taints"]],
        "evidence": {**imported["evidence"], **result["evidence"]},
    }


def repeat_record(
    place: dict[str, Any],
    cell: Cell | None,
    operation: Operation,
    isolation: str,
    began: dict[str, float],
    result: Message,
) -> Record:
    """Return the record of one repeat.

    Args:
        place: its block, attempt and subject.
        cell: what was measured; None for an import.
        operation: the repeat's work.
        isolation: how it was isolated, fork or spawn.
        began: `started_at` (seconds since 1970) and `wall_s`, as the host saw it.
        result: what the worker answered, and what the host added.
    """
    return {
        "type": "repeat",
        **place,
        "cell": dataclasses.asdict(cell) if cell else None,
        "operation": recorded_name(operation.name, in_turn=operation.in_turn),
        "page_cache": operation.page_cache,
        "repeat": operation.repeat,
        **({"partner": operation.partner} if operation.partner else {}),
        "isolation": isolation,
        **began,
        **{field: result[field] for field in _FIELDS if field in result},
    }
