"""What a user asks to have measured, and how."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.planning.own_models import Asked as AskedModel
from harness.verdict.margins import Asked


@dataclass(frozen=True, slots=True)
class Request:
    """Subjects and everything that the options of a measuring command say; None: what the preset or the machine says.

    `models` are globs of the zoo's with commas between, `own` the user's own models, `operations` names of
    `harness.measure.passes.OPERATIONS`, `margins` what was asked for beside the preset's own.
    """

    root: Path  # of the project
    subjects: tuple[str, ...]
    preset: str = "quick"
    devices: tuple[str, ...] | None = None
    models: str | None = None
    own: tuple[AskedModel, ...] = ()
    operations: tuple[str, ...] | None = None
    blocks: int | None = None
    repeats: int | None = None
    budget_s: float | None = None
    isolation: str = "fork"
    wheel: str = "auto"
    policy: str | None = None
    python: str | None = None  # the minor of all subjects
    machine: str | None = None
    seed: int = 1
    margins: Asked | None = None
    against_first: bool = False  # each further subject is compared with the first
    may_leave_out_gpu: bool = False  # measure the CPU alone where a GPU is there and does not answer

    @property
    def chosen_models(self) -> str | None:
        """Globs of all models that are asked for, with commas between; None: those of the preset."""
        return ",".join([*([self.models] if self.models else []), *(one.name for one in self.own)]) or self.models
