"""What a block is told: its subjects, what all blocks of a run share, and the names of the operations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from harness.measure.presets import Preset


@dataclass(frozen=True, slots=True)
class Subject:
    """What is compared: a name, the interpreter that has the release, and what its profile sets."""

    name: str
    python: Path
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Operation:
    """One repeat's work in a cell."""

    name: str  # of the worker's operation
    page_cache: str | None
    repeat: int
    spawned: bool = False  # in a process of its own
    in_turn: bool = False  # with another subject's process
    partner: str | None = None  # that subject's name


@dataclass(frozen=True, slots=True)
class Conditions:
    """What stays the same over all blocks of a run."""

    preset: Preset
    subjects: tuple[Subject, ...]
    isolation: str  # fork or spawn
    seed: int
    memory_limit_bytes: float
    folder: Path  # of the run: logs and artifacts live below
    gpu_uuid: str | None
    compared: tuple[tuple[str, str], ...] = ()  # names of subjects whose processes work in turn
    device_memory_bytes: int | None = None  # of that GPU or MIG device, None where it is not known
    gpu_missing: str | None = None  # why there is no UUID

    def in_turn(self, operation: Operation) -> Iterator[tuple[Operation, tuple[Subject, Subject]]]:
        """Yield an operation that takes two once for each two that are compared, with a number of its own."""
        subjects = {subject.name: subject for subject in self.subjects}
        for number, (first, second) in enumerate(self.compared):
            repeat = operation.repeat * len(self.compared) + number
            yield replace(operation, repeat=repeat), (subjects[first], subjects[second])
