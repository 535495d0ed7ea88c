"""What a job does: one of a few kinds. To add one: a class here, what does it in `fleet/work.py`, and its report."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import msgspec

from harness.answers.check import Unread
from harness.fleet.types import MachineType, seconds
from harness.measure.own_models import OwnModel

_SPARE_S = 600.0
"""What a chunk's time limit has beside twice its forecast and the notice before its end."""


class Measure(msgspec.Struct, frozen=True, tag_field="does", tag="measure"):
    """Measure a test plan, in blocks, on a node of one's own."""

    is_timed: ClassVar[bool] = True
    preset: dict[str, Any]

    @property
    def steps(self) -> int:
        """How many blocks are delivered."""
        return int(self.preset["blocks"])

    def limited(self, kind: MachineType) -> MachineType:
        """Return the machine type with this job's time limit: the type's own."""
        return kind


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """Models to look at where no time is measured, so that any node of the type may do it; paths are the user's."""

    is_timed: ClassVar[bool] = False
    models: tuple[OwnModel, ...]
    forecast_s: float

    @property
    def steps(self) -> int:
        """How many answers are delivered: one for each model."""
        return len(self.models)

    def limited(self, kind: MachineType) -> MachineType:
        """Return the machine type with this job's time limit: by the forecast, at most the type's own."""
        minutes = math.ceil((2 * self.forecast_s + seconds(kind.notice) + _SPARE_S) / 60)
        return msgspec.structs.replace(kind, wall_time=f"{min(kind.wall_minutes, minutes)}m")


class Check(Chunk, frozen=True, kw_only=True, tag_field="does", tag="check"):
    """Try models in all releases of the fleet.

    `expected` is the user's file of the right outputs. `unread` is what was asked for and is no model that can be
    tried: no job's work, and told once, by the first chunk.
    """

    reader: str
    packages: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    expected: str | None = None
    unread: tuple[Unread, ...] = ()


class Inspect(Chunk, frozen=True, kw_only=True, tag_field="does", tag="inspect"):
    """Read models' files; the first of the fleet's releases, if it has one, is asked for its ops."""


Task = Measure | Check | Inspect
