"""One answer of many machines: what changed on which type, from the runs that were merged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.answers.comparison import Comparison
from harness.answers.judging import RunTables, Selection, compare_in_run
from harness.answers.shortfall import EXIT_CODE
from harness.errors import UsageError
from harness.fleet.collecting import run_of
from harness.fleet.coverage import Key, Part, absent_rows, coverage, lacking_models
from harness.fleet.folder import FleetFolder, JobPlan, fleet_names, open_fleet
from harness.fleet.status import JobStatus
from harness.metrics import METRICS
from harness.store.runs import RunDirectory, open_run
from harness.verdict.confirmation import Standing, confirm
from harness.verdict.margins import Asked
from harness.verdict.nights import fires, tried
from harness.verdict.rows import Row, Verdict
from harness.verdict.types import CHANGES, OnType, Statement, state


@dataclass(frozen=True, slots=True)
class TypeRow:
    """A row as one type's comparison has it, and where that was measured."""

    row: Row
    node: str | None
    run: Path
    standing: Standing | None = None  # of what was called: what a second wave says of it


@dataclass(frozen=True, slots=True)
class FleetRow:
    """One row over all types."""

    types: Mapping[str, TypeRow]
    statement: Statement

    @property
    def any(self) -> Row:
        """The row of one of the types: what it is called."""
        return next(iter(self.types.values())).row


@dataclass(frozen=True, slots=True)
class Arm:
    """The A/A arm of one job: the new release, measured twice on its node, against itself."""

    job: str
    node: str | None
    judged: int
    called: int


@dataclass(frozen=True, slots=True)
class FleetAnswer:
    """What a fleet found.

    `coverage` is the share of each type's rows that was measured; `missing` says for each job what is not there.
    `absent` are the rows that some types cannot have, with the reason for each of these types.
    """

    fleet: str
    old: str
    new: str
    rows: tuple[FleetRow, ...]
    comparisons: Mapping[str, tuple[Comparison, ...]]
    coverage: Mapping[str, float]
    missing: tuple[str, ...]
    waves: tuple[str, ...] = ()  # fleets that measured again what it called
    unstaged: tuple[str, ...] = ()  # types on which imports and cold loads would measure a shared file system
    absent: Mapping[Key, Mapping[str, str]] = field(default_factory=dict)
    arms: tuple[Arm, ...] = ()  # with `start --aa`

    def exit_code(self, require_coverage: float, *, require_decision: bool = False) -> int:
        """Return 1 if a regression is called on any type, else 3 where too little was measured, else 2 or 0."""
        codes = {one.exit_code(require_decision) for found in self.comparisons.values() for one in found}
        if 1 in codes:
            return 1
        is_missing = not all(self.comparisons.values()) or min(self.coverage.values(), default=0.0) < require_coverage
        if EXIT_CODE in codes or is_missing:
            return EXIT_CODE
        return max(codes, default=EXIT_CODE)


def answer(
    fleet: FleetFolder, jobs: list[JobStatus], operations: tuple[str, ...] | None, margins: Asked | None
) -> FleetAnswer:
    """Judge what a fleet measured: each run as `compare` does alone, then all types together.

    Args:
        fleet: the fleet.
        jobs: where its jobs stand.
        operations: that were asked for; None: all.
        margins: that were asked for.

    Raises:
        UsageError: it was not asked to compare, or nothing of it is in the results.
    """
    if fleet.plan.command != "compare":
        raise UsageError(
            f"Fleet {fleet.plan.fleet} was asked to `{fleet.plan.command}`, which judges nothing: the "
            "numbers are in `savedmodel-bench summary --machine NAME`."
        )
    names = list(fleet.plan.machine_types)
    comparisons: dict[str, list[Comparison]] = {name: [] for name in names}
    by_key: dict[Key, dict[str, TypeRow]] = {}
    missing = []
    arms: list[Arm] = []
    parts: list[Part] = []
    sides: tuple[str, str] | None = None
    waves = [open_fleet(fleet.root, name) for name in fleet.waves() if name in fleet_names(fleet.root)]
    for status in jobs:
        job = status.job
        path = run_of(fleet, job)
        comparison = None
        if path is not None:
            run = RunTables.of(open_run(path))
            old, new, *again = sides_of(run.run)
            sides = (old, new)
            comparison = compare_in_run(run, old, new, Selection(operations), margins=margins)
            arms += _arms(status, run, new, again, Selection(operations), margins)
            if again and arms[-1].called:
                differs = f"differs from itself in {arms[-1].called} of {arms[-1].judged} rows"
                missing.append(f"{job.name} cannot be trusted: {new} was measured twice and {differs}")
                parts.append(Part(job, None, status.blocks_planned, fleet.plan.machine_types[job.type].stage is False))
                continue
            if fleet.plan.machine_types[job.type].stage is False:
                comparison = replace(comparison, rows=tuple(row for row in comparison.rows if not of_share(row)))
        part = Part(job, comparison, status.blocks_planned, fleet.plan.machine_types[job.type].stage is False)
        parts.append(part)
        if comparison is None or path is None:
            missing.append(f"{job.name} has no results ({status.reason or status.state.value})")
            continue
        comparisons[job.type].append(comparison)
        if part.share < 1:
            missing.append(f"{job.name} has {comparison.blocks} of {status.blocks_planned} blocks ({status.reason})")
        if lacking := lacking_models(part):
            missing.append(f"{job.name} has nothing of {', '.join(lacking)}")
        second = _measured_again(waves, job, path.parent.name, operations, margins)
        for row in comparison.rows:
            found = TypeRow(row, status.node, path, _standing(row, second))
            by_key.setdefault(row.key, {})[_label(fleet, job, row)] = found
    if sides is None:
        raise UsageError(f"Nothing of fleet {fleet.plan.fleet} is in the results yet: {'; '.join(missing)}.")
    judged = [key for key, found in by_key.items() if any(one.row.judged for one in found.values())]
    tables = [{name: _on_type(one.row) for name, one in by_key[key].items()} for key in judged]
    said = dict(zip(judged, _stated(tables, names), strict=True))
    rows = tuple(FleetRow(by_key[key], said[key]) for key in judged)
    return FleetAnswer(
        fleet.plan.fleet,
        *sides,
        rows,
        {name: tuple(found) for name, found in comparisons.items()},
        coverage(parts, names),
        tuple(missing),
        tuple(wave.plan.fleet for wave in waves),
        tuple(name for name, kind in fleet.plan.machine_types.items() if kind.stage is False),
        {key: reasons for key, reasons in absent_rows(fleet.plan).items() if _is_asked(key, operations)},
        tuple(arms),
    )


def sides_of(run: RunDirectory) -> list[str]:
    """Return the old and the new subject of a run, and the new one again where it was measured twice.

    With an A/A arm the new one is the first subject, since each further one is compared with it.
    """
    names = [subject["name"] for subject in run.facts["subjects"]]
    return [names[1], names[0], *names[2:]] if len(names) > 2 else names


def _arms(
    status: JobStatus,
    run: RunTables,
    new: str,
    again: Sequence[str],
    selection: Selection,
    margins: Asked | None,
) -> list[Arm]:
    """Return the A/A arm of a job's run; nothing where it has none."""
    rows = [row for one in again for row in compare_in_run(run, new, one, selection, margins=margins).rows]
    return [Arm(status.job.name, status.node, tried(rows), len(fires(rows)))] if again else []


def _measured_again(
    waves: Sequence[FleetFolder],
    job: JobPlan,
    machine: str,
    operations: tuple[str, ...] | None,
    margins: Asked | None,
) -> list[Row]:
    """Return the rows of a job as the first second wave that measured them on the same machine judged them."""
    for wave in waves:
        again = next((one for one in wave.plan.jobs if one.name == job.name), None)
        path = None if again is None else run_of(wave, again)
        if path is not None and path.parent.name == machine:
            run = open_run(path)
            old, new, *_ = sides_of(run)
            return list(compare_in_run(run, old, new, Selection(operations), margins=margins).rows)
    return []


def _standing(row: Row, second: list[Row]) -> Standing | None:
    if not row.judged or row.verdict not in CHANGES:
        return None
    if not second:
        return Standing.UNCONFIRMED
    return confirm({row.key}, row.verdict is Verdict.REGRESSION, second).standing


def _stated(tables: list[dict[str, OnType]], names: list[str]) -> list[Statement]:
    """Say of each row where it changed; a row without a model is each node's own, so its nodes are what it is over."""
    statements = state(tables, names)
    return [
        statement if set(table) <= set(names) else Statement(
            statement.q, statement.called, statement.same,
            tuple(name for name in table if name not in statement.called and name not in statement.same),
        )
        for statement, table in zip(statements, tables, strict=True)
    ]  # fmt: skip


def of_share(row: Row) -> bool:
    """Whether a row measures the file system that environments and models are read from."""
    metric = METRICS.get(row.metric)
    return metric is not None and metric.operation == "import"


def _label(fleet: FleetFolder, job: JobPlan, row: Row) -> str:
    is_alone = sum(one.type == job.type for one in fleet.plan.jobs) == 1
    return job.type if is_alone or row.model != "-" else job.name


def _on_type(row: Row) -> OnType:
    larger = None if row.ratio is None or row.ratio == 1 else row.ratio > 1
    return OnType(row.verdict if row.judged else Verdict.INCONCLUSIVE, row.p, larger)


def _is_asked(key: Key, operations: tuple[str, ...] | None) -> bool:
    return operations is None or METRICS[key[0]].operation in operations
