"""A second wave: what changed is measured again, on the node of the finding, before anybody is alarmed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

import msgspec

from harness.errors import UsageError
from harness.fleet.answer import FleetAnswer
from harness.fleet.folder import FleetFolder, FleetPlan, JobPlan, new_name, now
from harness.fleet.tasks import Measure
from harness.measure.presets import Cell, Preset
from harness.metrics import Kind
from harness.planning.fixed import FixedSubject, preset_of
from harness.verdict.rows import Row
from harness.verdict.types import CHANGES

EXACT_BLOCKS = 2
"""What is compared exactly needs no more to be confirmed."""


def confirming(fleet: FleetFolder, answer: FleetAnswer, nodes: Mapping[str, str | None]) -> FleetPlan:
    """Return the plan of a fleet that measures again what another one found: the same subjects, in another order.

    Args:
        fleet: the first one.
        answer: what it found.
        nodes: the node of each of its jobs.

    Raises:
        UsageError: nothing was called on any type.
    """
    called = {
        name: [row for comparison in found for row in comparison.rows if row.judged and row.verdict in CHANGES]
        for name, found in answer.comparisons.items()
    }
    plan = second_wave(fleet, {job.name: called[job.type] for job in fleet.plan.jobs}, nodes)
    if not plan.jobs:
        raise UsageError(f"Fleet {fleet.plan.fleet} found no change on any type, so there is nothing to confirm.")
    return plan


def second_wave(
    fleet: FleetFolder,
    called: Mapping[str, Sequence[Row]],
    nodes: Mapping[str, str | None],
    subjects: Mapping[str, tuple[FixedSubject, ...]] | None = None,
) -> FleetPlan:
    """Return the plan of a fleet that measures some rows of each job again; it has no jobs where there are none.

    Args:
        fleet: the first one.
        called: the rows, by job.
        nodes: the node of each of its jobs.
        subjects: what is measured, by job; None: what the first fleet measured.
    """
    jobs = []
    for job in fleet.plan.jobs:
        preset = preset_of(job.preset)
        rows = called.get(job.name, ())
        cells = [asdict(cell) for cell in preset.cells if any(_is_in(cell, row) for row in rows)]
        if cells:
            part = _part(preset, cells)
            if all(row.kind is Kind.EXACT for row in rows):
                part = replace(part, blocks=EXACT_BLOCKS)
            jobs.append(JobPlan(job.name, job.type, nodes.get(job.name) or job.node, Measure(part.as_dict())))
    kinds = {name: kind for name, kind in fleet.plan.machine_types.items() if any(job.type == name for job in jobs)}
    measured = fleet.plan.subjects if subjects is None else subjects
    return msgspec.structs.replace(
        fleet.plan,
        fleet=new_name(),
        created_at=str(now()),
        seed=fleet.plan.seed + 1,
        jobs=tuple(jobs),
        machine_types=kinds,
        subjects={name: found for name, found in measured.items() if name in {*kinds, *(one.name for one in jobs)}},
        nights={},
        confirms=fleet.plan.fleet,
    )


def _part(preset: Preset, cells: list[dict[str, str]]) -> Preset:
    """Return the test plan of some cells alone."""
    part = preset.with_cells(cells)
    own = tuple(model for model in part.models if any(cell["model"] == model.name for cell in cells))
    return replace(part, groups=tuple(group for group in part.groups if group.cells), models=own)


def _is_in(cell: Cell, row: Row) -> bool:
    """Whether a row is measured in a cell; what has no model is, in any."""
    if row.model == "-":
        return row.device in ("-", cell.device)
    return (row.device, row.model) == (cell.device, cell.model) and row.variant.split(" ")[0] in (
        "-",
        cell.writer,
        f"{cell.writer}/{cell.reader}",
    )
