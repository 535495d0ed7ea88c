"""How much of a plan was measured, counted in rows, and which rows a machine type cannot have.

What a job that delivered nothing would have had is known from the other types' rows of its models, or else counted
from its test plan. Of a job that ended early each row counts for the share of its blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.answers.comparison import Comparison
from harness.fleet.folder import FleetPlan, JobPlan
from harness.measure.narrowing import without_pass
from harness.measure.passes import PASSES
from harness.measure.presets import Cell, Preset
from harness.metrics import METRICS, Kind, Metric, Scope
from harness.planning.fixed import preset_of
from harness.verdict.rows import Reason, Row

Key = tuple[str, str, str, str]

UNSTAGED = "staging is off: it would measure the shared file system"

_NOT_THERE = (Reason.NOT_MEASURED, Reason.NO_COMMON_BLOCKS, Reason.ALL_TAINTED)
_NO_MODEL = "-"


@dataclass(frozen=True, slots=True)
class Part:
    """A job's part of the plan: what became of it; `comparison` is None where nothing was merged."""

    job: JobPlan
    comparison: Comparison | None
    blocks_planned: int
    is_unstaged: bool = False

    @property
    def share(self) -> float:
        """The share of its blocks that was measured."""
        return 0.0 if self.comparison is None else min(1.0, self.comparison.blocks / max(1, self.blocks_planned))


def coverage(parts: Iterable[Part], types: Iterable[str]) -> dict[str, float]:
    """Return the share of each type's rows that was measured."""
    known = list(parts)
    rows = [row for part in known if part.comparison is not None for row in part.comparison.rows if row.judged]
    by_cell: dict[tuple[str, str], set[Key]] = {}
    for row in rows:
        by_cell.setdefault((row.device, row.model), set()).add(row.key)
    planned, measured = dict.fromkeys(types, 0.0), dict.fromkeys(types, 0.0)
    for part in known:
        own = [] if part.comparison is None else [row for row in part.comparison.rows if row.judged]
        planned[part.job.type] += len(own) + sum(
            len(by_cell.get(cell) or expected) for cell, expected in _expected(_lacking(part, own)).items()
        )
        measured[part.job.type] += part.share * sum(row.reason not in _NOT_THERE for row in own)
    return {name: measured[name] / planned[name] if planned[name] else 0.0 for name in planned}


def lacking_models(part: Part) -> list[str]:
    """Return the models of a part that was measured of which nothing is there, on a device at least."""
    if part.comparison is None:
        return []
    own = [row for row in part.comparison.rows if row.judged]
    return sorted({cell.model for cell in _lacking(part, own).cells})


def absent_rows(plan: FleetPlan) -> dict[Key, dict[str, str]]:
    """Return the rows that types without staging cannot have, each with its types and the reason."""
    found: dict[Key, dict[str, str]] = {}
    for job in plan.jobs:
        if plan.machine_types[job.type].stage is not False:
            continue
        cold = [cell for group in preset_of(job.preset).groups if group.repeats.get("cold") for cell in group.cells]
        keys = [("import_s", _NO_MODEL, _NO_MODEL, _NO_MODEL)]
        keys += [("load_cold_s", cell.device, cell.model, cell.artifact) for cell in cold]
        for key in keys:
            found.setdefault(key, {})[job.type] = UNSTAGED
    return found


def _lacking(part: Part, own: Iterable[Row]) -> Preset:
    """Return the part of a job's test plan of which no row is there, and no failure says why."""
    there = {(row.device, row.model) for row in own}
    failures = () if part.comparison is None else part.comparison.failures
    told = {(failure.device, failure.model) for failure in failures}
    preset = preset_of(part.job.preset)
    cells = [cell for cell in preset.cells if (cell.device, cell.model) not in there | told]
    # What a type without staging cannot have is n/a, not missing.
    preset = without_pass(preset, "cold") if part.is_unstaged else preset
    return preset.with_cells([_as_dict(cell) for cell in cells])


def _expected(preset: Preset) -> Mapping[tuple[str, str], set[Key]]:
    """Return the rows of each (device, model) that a test plan asks for, as far as it tells."""
    found: dict[tuple[str, str], set[Key]] = {}
    for group in preset.groups:
        operations = {PASSES[name].operation for name, count in group.repeats.items() if count}
        metrics = [one for one in METRICS.values() if one.judged and one.operation in operations]
        if not group.repeats.get("cold"):
            metrics = [one for one in metrics if not one.name.startswith("load_cold")]
        for cell in group.cells:
            for metric in metrics:
                if metric.scope in _OF_A_CELL and not (cell.device == "cpu" and _is_of_a_gpu(metric)):
                    batches = group.batches if metric.scope is Scope.CALL else (1,)
                    keys = {(metric.name, *_place(metric, cell, batch)) for batch in batches}
                    found.setdefault((cell.device, cell.model), set()).update(keys)
    return found


_OF_A_CELL = (Scope.MODEL, Scope.WRITER, Scope.READER, Scope.CALL)


def _is_of_a_gpu(metric: Metric) -> bool:
    return metric.kind is Kind.ALLOCATOR or "device" in metric.name or metric.name.endswith("_energy_j")


def _place(metric: Metric, cell: Cell, batch: int) -> tuple[str, str, str]:
    variant = {Scope.MODEL: "-", Scope.WRITER: cell.writer, Scope.CALL: f"{cell.artifact} b{batch}"}
    return cell.device, cell.model, variant.get(metric.scope, cell.artifact)


def _as_dict(cell: Cell) -> dict[str, str]:
    return {"device": cell.device, "model": cell.model, "writer": cell.writer, "reader": cell.reader}
