"""What a run measures, of what, and which sittings belong to one run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import UsageError
from harness.machine.identity import Machine
from harness.measure.guard import what_guards
from harness.measure.presets import Preset
from harness.releases.environments import Environment
from harness.verdict.differences import ESTIMATOR
from harness.worker import WORKER_VERSION

LOADER_VARIABLES = ("LD_PRELOAD", "LD_LIBRARY_PATH")
"""What workers inherit that decides which libraries they load: another allocator, or another CUDA."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure, of what, under which name."""

    kind: str  # compare, confirm, run, bench, calibrate, asv or speed
    preset: Preset
    subjects: Mapping[str, Environment]
    machine: Machine
    seed: int
    isolation: str
    absent: tuple[str, ...] = ()  # what this machine cannot measure, as the user is told
    against_first: bool = False  # each further subject is compared with the first
    looks: tuple[int, ...] = ()  # blocks after which `Limits.review` says what goes on; empty: blocks are fixed

    @property
    def on_gpu(self) -> bool:
        """Whether any cell runs on a GPU."""
        return any(cell.device == "gpu" for cell in self.preset.cells)

    def fingerprint_parts(self, gpu_uuid: str | None = None) -> dict[str, Any]:
        """Return everything that must be equal for blocks to belong to one run; `gpu_uuid` is the GPU's it uses."""
        profiles = {
            name: {"variables": dict(environment.variables), "packages": dict(environment.packages)}
            for name, environment in self.subjects.items()
            if environment.profile is not None
        }
        installed = {
            name: environment.installation
            for name, environment in self.subjects.items()
            if environment.installation is not None
        }
        wrappers = {name: found.wrapper for name, found in installed.items() if found.wrapper is not None}
        pythons = {name: found.python for name, found in installed.items() if found.python is not None}
        builds = {
            "installed TensorFlow": {name: found.tensorflow for name, found in installed.items()},
            "installed Keras": {name: found.keras for name, found in installed.items()},
            **({"installed Python": pythons} if pythons else {}),
            **({"wrappers": wrappers} if wrappers else {}),
        }
        loader = {name: value for name, value in sorted(os.environ.items()) if name in LOADER_VARIABLES}
        return {
            "kind": self.kind,
            "subjects": {name: environment.release.ident for name, environment in self.subjects.items()},
            "environments": {name: environment.name for name, environment in self.subjects.items()},
            "locks": {name: environment.lock_digest for name, environment in self.subjects.items()},
            "preset": self.preset.digest(),
            "seed": self.seed,
            "isolation": self.isolation,
            "worker version": WORKER_VERSION,
            "machine": self.machine.name,
            "boot": self.machine.boot_id,
            "CPUs": self.machine.usable_cpus,
            # Only of runs that have it.
            **({"GPU": gpu_uuid} if gpu_uuid else {}),
            **({"loader": loader} if loader else {}),
            # What a look decided by another estimator would narrow the run by another rule.
            **({"looks": list(self.looks), "estimator": ESTIMATOR} if self.looks else {}),
            **({"sandbox": what_guards().isolates} if self.preset.models else {}),
            **({"profiles": profiles} if profiles else {}),
            **(builds if installed else {}),
        }


def compared(names: Sequence[str], *, against_first: bool) -> list[tuple[str, str]]:
    """Return which subjects of a run are compared with each other: those whose processes work in turn.

    Two are; of more each with the first one where `against_first`, as in a night, else none.
    """
    return [(names[0], other) for other in names[1:]] if len(names) == 2 or against_first else []


def name_subjects(environments: Sequence[Environment]) -> dict[str, Environment]:
    """Return the environments by subject name; the same release again becomes `v2.21.0#2` (a run against itself).

    Raises:
        UsageError: there are none.
    """
    if not environments:
        raise UsageError("Name at least one release, as in `savedmodel-bench run v2.21.0`.")
    named: dict[str, Environment] = {}
    for environment in environments:
        name, count = environment.subject, 1
        while name in named:
            count += 1
            name = f"{environment.subject}#{count}"
        named[name] = environment
    return named
