"""Which cells failed before: a failure is verified in two blocks and then costs no more time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from harness.store.records import Record

FAILED_BLOCKS_ALLOWED = 2
"""A cell that failed in this many blocks is not tried again: a deterministic failure is then verified."""


class FailureCount:
    """In how many blocks each (subject, cell, operation) failed, over this run and what it resumed."""

    def __init__(self, records: Iterable[Record]) -> None:
        """Count what the records of complete blocks hold."""
        seen = {
            (record["block"], self.key(record["subject"], record["cell"], record["operation"])): record["reason"]
            for record in records
            if record["status"] == "failed" and record["cell"]
        }
        self._blocks = Counter(key for _, key in seen)
        self._reasons: dict[tuple[str, ...], str] = {key: reason for (_, key), reason in seen.items()}

    @staticmethod
    def key(subject: str, cell: dict[str, Any], operation: str) -> tuple[str, ...]:
        """Return what identifies a cell's operation under a subject."""
        return (subject, *(str(cell[part]) for part in ("device", "model", "writer", "reader")), operation)

    def add(self, key: tuple[str, ...], reason: str) -> None:
        """Count one more block in which it failed."""
        self._blocks[key] += 1
        self._reasons[key] = reason

    def blocks(self, key: tuple[str, ...]) -> int:
        """Return in how many blocks it failed."""
        return self._blocks[key]

    def reason(self, key: tuple[str, ...]) -> str:
        """Return why it failed last."""
        return self._reasons[key]
