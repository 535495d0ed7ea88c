"""What a job has on its node."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.fleet.folder import Attempt, FleetFolder, JobPlan
from harness.fleet.types import MachineType


@dataclass(frozen=True, slots=True)
class NodeWork:
    """What a job has on its node."""

    fleet: FleetFolder
    job: JobPlan
    attempt: Attempt
    scratch: Path

    @property
    def type(self) -> MachineType:
        """The machine type."""
        return self.fleet.plan.machine_types[self.job.type]

    @property
    def project(self) -> Path:
        """The project's root on the node, with results of its own."""
        return self.scratch / "project"
