"""Which models are measured on which node of a type: a file that stays from night to night.

A history belongs to a node. So a model stays on its node, and a node that joins takes new models only.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import msgspec

from harness.errors import UsageError
from harness.fleet import slurm
from harness.fleet.folder import FleetFolder, JobPlan, fleets_path
from harness.fleet.tasks import Measure
from harness.fleet.types import MachineType
from harness.measure.presets import Preset
from harness.planning.durations import ASSUMED_IMPORT_S, Durations
from harness.store.runs import ResultsLock, write_json_atomically


class AssignmentLock(ResultsLock):
    """The right to change the parts of all types' nodes: one process at a time, for a moment."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, wait_s=60.0)
        self._path = fleets_path(root) / "assignment" / ".lock"


class Slot(msgspec.Struct):
    """One node's part; `node` is None until a job ran on one, where Slurm did not name the nodes before."""

    node: str | None = None
    models: list[str] = []


def assignment_path(root: Path, machine_type: str) -> Path:
    """Return the file of a type's assignment."""
    return fleets_path(root) / "assignment" / f"{machine_type}.json"


def read_assignment(root: Path, machine_type: str) -> list[Slot]:
    """Return the parts of a type's nodes; none yet where there is no file.

    Raises:
        UsageError: the file cannot be read.
    """
    path = assignment_path(root, machine_type)
    try:
        return msgspec.convert(json.loads(path.read_bytes()), list[Slot])
    except FileNotFoundError:
        return []
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise UsageError(
            f"{path} cannot be read ({error}): repair it, or remove it to assign all models anew."
        ) from None


def write_assignment(root: Path, machine_type: str, slots: Sequence[Slot]) -> None:
    """Keep the parts of a type's nodes."""
    path = assignment_path(root, machine_type)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json_atomically(path, msgspec.to_builtins(list(slots)))


def weights_of(preset: Preset) -> dict[str, float]:
    """Return the seconds that a block of each model is expected to take, for one subject and without its import."""
    return {model: block_s(_part(preset, {model})) - ASSUMED_IMPORT_S for model in _models(preset)}


def block_s(preset: Preset) -> float:
    """Return the seconds that a block of a test plan is expected to take, for one subject."""
    return Durations({}, None, ()).block_s(preset, 0, "fork")


def _models(preset: Preset) -> list[str]:
    return list(dict.fromkeys(cell.model for cell in preset.cells))


def assign(slots: Sequence[Slot], weights: Mapping[str, float], nodes: int, names: Sequence[str] | None) -> list[Slot]:
    """Return the parts with every model in one of them; what is assigned already stays where it is.

    Args:
        slots: the parts until now.
        weights: the seconds that each model takes, by its name.
        nodes: how many nodes measure.
        names: the nodes that there are, where Slurm says so.
    """
    kept = [Slot(one.node, list(one.models)) for one in slots]
    free = [name for name in names or () if name not in {one.node for one in kept}]
    while len(kept) < nodes:
        kept.append(Slot(free.pop(0) if free else None, []))
    known = {model for slot in kept for model in slot.models}
    used = kept[:nodes]
    loads = [sum(weights.get(model, 0.0) for model in slot.models) for slot in used]
    for model in sorted(weights.keys() - known, key=lambda name: (-weights[name], name)):
        least = min(range(len(used)), key=lambda index: loads[index])
        used[least].models.append(model)
        loads[least] += weights[model]
    # Nobody measures what belongs to a node beyond their number: it moves.
    for slot in kept[nodes:]:
        for model in [name for name in slot.models if name in weights]:
            slot.models.remove(model)
            least = min(range(len(used)), key=lambda index: loads[index])
            used[least].models.append(model)
            loads[least] += weights[model]
    return kept


def jobs_of(root: Path, name: str, kind: MachineType, preset: Preset, *, is_kept: bool = True) -> list[JobPlan]:
    """Return the jobs of a type, each with its node's models; keeps the assignment.

    Args:
        root: the project's root.
        name: the type's name.
        kind: the type.
        preset: what is measured on it.
        is_kept: whether the assignment is written.
    """
    weights, names = weights_of(preset), slurm.nodes_of(kind.partition, kind.constraint)
    with AssignmentLock(root) if is_kept else nullcontext():
        slots = assign(read_assignment(root, name), weights, kind.nodes, names)
        if is_kept:
            write_assignment(root, name, slots)
    jobs = []
    for index, slot in enumerate(slots[: kind.nodes]):
        part = _part(preset, slot.models)
        if part.groups:
            jobs.append(JobPlan(f"{name}-{index + 1}", name, slot.node, Measure(part.as_dict())))
    return jobs


def _part(preset: Preset, models: Collection[str]) -> Preset:
    """Return the test plan of some models alone."""
    groups = tuple(
        replace(group, cells=tuple(cell for cell in group.cells if cell.model in models)) for group in preset.groups
    )
    own = tuple(model for model in preset.models if model.name in models)
    return replace(preset, groups=tuple(group for group in groups if group.cells), models=own)


def bind(fleet: FleetFolder, job: JobPlan) -> None:
    """Keep on which node a part was measured, where nobody had chosen one before."""
    if job.node is not None:
        return
    index = int(job.name.rpartition("-")[2]) - 1
    state = fleet.attempts(job.name)[-1].state
    if state is None:
        return
    with AssignmentLock(fleet.root):
        slots = read_assignment(fleet.root, job.type)
        if index < len(slots) and slots[index].node is None and state.node not in {slot.node for slot in slots}:
            slots[index].node = state.node
            write_assignment(fleet.root, job.type, slots)
