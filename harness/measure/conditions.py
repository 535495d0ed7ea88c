"""What a block is told: its subjects, what all blocks of a run share, and the names of the operations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
    device_memory_bytes: int | None = None  # of that GPU or MIG device, None where it is not known
    gpu_missing: str | None = None  # why there is no UUID
