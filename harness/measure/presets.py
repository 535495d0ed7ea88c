"""Presets: the plan of a run as data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from harness.measure.own_models import OwnModel

DEVICES = ("cpu", "gpu")


@dataclass(frozen=True, slots=True)
class Cell:
    """What one repeat measures under a subject."""

    device: str
    model: str
    writer: str
    reader: str

    @property
    def artifact(self) -> str:
        """The variant of rows about the artifact as it is read."""
        return f"{self.writer}/{self.reader}"


@dataclass(frozen=True, slots=True)
class Group:
    """Cells that are measured alike: how many repeats of what, in how many of the run's blocks."""

    cells: tuple[Cell, ...]
    repeats: Mapping[str, int]  # by pass, a cell, subject and block
    later_saves: int
    durable_saves: int
    batches: tuple[int, ...]
    window_s: float
    blocks: int | None
    exact_only: bool

    def is_in(self, block: int) -> bool:
        """Whether block number `block` (from 0) measures this group."""
        return self.blocks is None or block < self.blocks

    def with_repeats(self, **counts: int) -> Group:
        """Return the group with other numbers of repeats for some passes."""
        return replace(self, repeats={**self.repeats, **counts})

    @property
    def repeats_in_all(self) -> int:
        """Repeats a cell, subject and block."""
        return sum(self.repeats.values())


@dataclass(frozen=True, slots=True)
class Preset:
    """A plan: groups of cells, the number of blocks, and the change in time that matters."""

    name: str
    title: str
    time_margin: float
    blocks: int
    timeout_s: float
    memory_limit_gib: float | None
    groups: tuple[Group, ...]
    margins: Mapping[str, float] = field(default_factory=dict)
    """Other margins, by pattern (harness/verdict/margins.py)."""
    models: tuple[OwnModel, ...] = ()
    """Those of its cells that are not of the zoo."""
    work: bool = False
    """Whether work is counted beside the blocks (harness/measure/work.py)."""
    import_turns: int = 0
    """Pairs of imports a block that take turns (harness/measure/turns.py)."""

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All cells, in the order in which a block measures them."""
        return tuple(cell for group in self.groups for cell in group.cells)

    @property
    def packages(self) -> tuple[str, ...]:
        """What its models need beside each release."""
        return tuple(dict.fromkeys(package for model in self.models for package in model.packages))

    def with_cells(self, cells: Iterable[Mapping[str, str]] | None) -> Preset:
        """Return the plan with only these cells (as `asdict` gives them), all where None; emptied groups stay."""
        if cells is None:
            return self
        kept = {Cell(**cell) for cell in cells}
        groups = (replace(group, cells=tuple(cell for cell in group.cells if cell in kept)) for group in self.groups)
        return replace(self, groups=tuple(groups))

    def as_dict(self) -> dict[str, Any]:
        """Return the whole plan as plain data for run.json; what few plans have only where it has some."""
        plan = asdict(self)
        return {name: value for name, value in plan.items() if value or name not in ("models", "work", "import_turns")}

    def own_model(self, cell: Cell) -> OwnModel | None:
        """Return the model of a cell where it is not one of the zoo."""
        return next((model for model in self.models if model.name == cell.model), None)

    def digest(self) -> str:
        """Return a hash of everything that must be equal for two runs' blocks to be pooled (not their number).

        Work is counted beside the blocks, which are the same without it.
        """
        plan = dict(replace(self, work=False).as_dict(), blocks=None)
        for model in plan.get("models", ()):
            del model["path"]  # the same content elsewhere is the same model
        return hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()[:16]


def matches(model: str, globs: str | None) -> bool:
    """Return whether a model's name matches one of the globs with commas between; all do where None.

    What people call a model that is not of the zoo matches, too: `basic-pitch` is `basic-pitch@3fa91c2b`.
    """
    names = (model, model.partition("@")[0])
    return globs is None or any(fnmatchcase(name, glob) for glob in globs_of(globs) for name in names)


def globs_of(text: str | None) -> list[str]:
    """Return the globs of a text with commas between."""
    return [glob.strip() for glob in (text or "").split(",") if glob.strip()]
