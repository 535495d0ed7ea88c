"""One GPU of a node, the same one each time: a history of one GPU is not continued by another.

`results/fleet/assignment/TYPE.gpus.json` has the UUID that each node measures on. A job reads it; `collect` writes it
once a node has measured. Slurm gives an exclusive job all GPUs of its node and one with a stated part any of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from harness.fleet.folder import NodeState, fleets_path
from harness.machine.gpu.selection import visible_gpus
from harness.machine.identity import Machine
from harness.store.runs import write_json_atomically

_SHOWN = 8
"""Characters of a UUID that a machine's name has: nvidia-smi's first group."""


@dataclass(frozen=True, slots=True)
class ChosenGpu:
    """The GPU that a job measures on; `is_other`: the node's own was not among those that Slurm gave."""

    uuid: str
    is_other: bool = False


def gpus_path(root: Path, machine_type: str) -> Path:
    """Return the file of the GPUs of a type's nodes."""
    return fleets_path(root) / "assignment" / f"{machine_type}.gpus.json"


def read_gpus(root: Path, machine_type: str) -> dict[str, str]:
    """Return the UUID that each node measures on, by the node's name; a file that is missing or damaged has none."""
    try:
        found = json.loads(gpus_path(root, machine_type).read_bytes())
    except (OSError, ValueError):
        return {}
    return {str(node): str(uuid) for node, uuid in found.items()} if isinstance(found, dict) else {}


def keep_gpu(root: Path, machine_type: str, state: NodeState | None) -> None:
    """Keep the GPU that a node measured on, where none is kept for it yet."""
    kept = read_gpus(root, machine_type)
    if state is not None and state.gpu is not None and state.node not in kept:
        path = gpus_path(root, machine_type)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json_atomically(path, {**kept, state.node: state.gpu})


def choose_gpu(environment: Mapping[str, str], kept: str | None) -> ChosenGpu | None:
    """Return which of the GPUs that a worker would see a job measures on; None where there is none.

    Args:
        environment: the variables of a worker in this job.
        kept: the UUID that the node measures on; None: it has not measured yet.
    """
    given = visible_gpus(environment)
    if not given:
        return None
    if kept is None or kept in given:
        return ChosenGpu(kept or given[0])
    return ChosenGpu(given[0], is_other=True)


def on_gpu(machine: Machine, gpu: ChosenGpu | None) -> Machine:
    """Return a machine under a name of its own where it measures on another GPU than the node usually does."""
    if gpu is None or not gpu.is_other:
        return machine
    short = gpu.uuid.partition("-")[2][:_SHOWN]
    return replace(machine, name=f"{machine.name}-gpu-{short}", named_by="person")
