"""Whether findings of a history hold: what runs that measured both of their releases again say, and what would."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from harness.answers.comparison import Comparison
from harness.answers.history import Check, History, machine_names, row_key
from harness.answers.judging import compare_in_run
from harness.answers.shortfall import shortfall_of_rows
from harness.errors import UsageError
from harness.measure.own_models import AS_IS
from harness.measure.passes import OPERATIONS
from harness.measure.preset_files import read_preset
from harness.measure.presets import Cell
from harness.metrics import METRICS
from harness.store.machines import this_machine
from harness.store.nights import CONFIRM_KIND
from harness.store.runs import RunDirectory, runs_of
from harness.store.worker_versions import age
from harness.verdict.confirmation import Standing, confirm
from harness.verdict.course import Finding, Shape

KIND = CONFIRM_KIND
BUDGET_S = 20 * 60.0
Q_LEVEL = 0.05
"""Accepted share of false calls among all that runs of one pair of releases ever call."""

SAME_RELEASE = (
    "both sides are the same release, which cannot be measured as it was then: see what else changed between the two "
    "runs (lock, driver, kernel in their run.json), and whether the next night agrees"
)
OLDER_WORKER = "only a run with an older version of the measurement method measured both again; it is not comparable"
_SETTLED = (Standing.CONFIRMED, Standing.REFUTED)


@dataclass(frozen=True, slots=True)
class Sides:
    """Two releases in one environment on one machine: what a paired run has to hold."""

    machine: str
    wheel: str
    policy: str
    python: str  # the minor; "-" where it was not recorded, as the others
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Recheck:
    """The smallest run, as `compare` can be told, that measures the rows of all findings between two releases."""

    sides: Sides
    preset: str
    devices: tuple[str, ...]
    models: tuple[str, ...]
    operations: tuple[str, ...]
    worker_version: int | None  # of the runs that the findings are of

    def words(self, margin: float, budget_s: float) -> list[str]:
        """Return what a user would type after the program's name."""
        sides = self.sides
        environment = (("--wheel", sides.wheel), ("--policy", sides.policy), ("--python", sides.python))
        known = [part for option, value in environment if value != "-" for part in (option, value)]
        return [
            "compare", sides.old, sides.new, "--preset", self.preset, "--device", ",".join(self.devices),
            "--model", ",".join(self.models), "--operation", ",".join(self.operations), *known,
            "--margin", f"{margin:g}", "--budget", f"{budget_s / 60:g}m",
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Confirmations:
    """What can be known of the findings over releases of one project.

    `program` is how the user calls this command; `budget_s` what measuring a pair of releases again may take.
    """

    root: Path
    history: History
    samples: pd.DataFrame  # what the history was made of
    margin: float
    program: str
    budget_s: float = BUDGET_S

    def open_rechecks(self) -> list[Recheck]:
        """Return the runs that this machine can make for findings which nothing has settled yet."""
        here = this_machine(self.root).name
        found = []
        for sides, recheck in self._rechecks().items():
            concerned = [finding for finding in self.history.findings if sides_of(self.history, finding) == sides]
            unsettled = [one for one in concerned if self._check(one, recheck).standing not in _SETTLED]
            narrowed = _recheck(sides, unsettled, self.samples) if unsettled else None
            if sides.machine == here and narrowed is not None:
                found.append(narrowed)
        return found

    def checks(
        self,
        failed: Mapping[Sides, str] | None = None,
        measured: Mapping[Sides, Comparison] | None = None,
    ) -> tuple[Check, ...]:
        """Return what is known of each finding, in their order.

        Args:
            failed: why the runs that were made just now could not be made.
            measured: what those of them found that could.
        """
        failed, measured = failed or {}, measured or {}
        rechecks = self._rechecks()
        here = this_machine(self.root).name
        found = []
        for finding in self.history.findings:
            sides = sides_of(self.history, finding)
            reason = failed.get(sides)
            if sides.machine != here:
                reason = f"it was found in the results of {sides.machine}; this machine is {here}"
            check = self._check(finding, rechecks.get(sides), reason)
            if check.standing not in _SETTLED:
                shortfall = failed.get(sides) or _shortfall(finding, measured.get(sides))
                check = replace(check, shortfall=shortfall)
            found.append(check)
        return tuple(found)

    def _rechecks(self) -> dict[Sides, Recheck]:
        """Return one run for all findings between two releases; none where no preset that is known measures them."""
        needed: dict[Sides, list[Finding]] = {}
        for finding in self.history.findings:
            needed.setdefault(sides_of(self.history, finding), []).append(finding)
        found = {sides: _recheck(sides, findings, self.samples) for sides, findings in needed.items()}
        return {sides: recheck for sides, recheck in found.items() if recheck is not None}

    def _check(self, finding: Finding, recheck: Recheck | None, reason: str | None = None) -> Check:
        """Return a finding's standing by the first run that settled it, else by the newest that measured both again.

        Measuring again until something shows would find more than there is: run number k is judged at a share of
        6 / (pi k)^2 of the accepted rate, and these shares add up to 1 however often it is tried.
        """
        if recheck is None:
            return Check(Standing.UNCONFIRMED, reason=reason or "no test plan here measures its rows")
        command = shlex.join([self.program, *recheck.words(self.margin, self.budget_s)])
        keys = _keys(finding)
        known = Check(Standing.UNCONFIRMED, command=command, reason=reason)
        tries = 0
        for run in _paired_runs(self.root, recheck.sides):
            if age(run.worker_version) < age(recheck.worker_version):
                known = known if tries else replace(known, reason=reason or OLDER_WORKER)
                continue
            comparison = compare_in_run(
                run,
                recheck.sides.old,
                recheck.sides.new,
                margins=[(None, self.margin)],
                q_level=Q_LEVEL * 6 / (math.pi * (tries + 1)) ** 2,
            )
            found = confirm(keys, finding.ratio > 1, comparison.rows)
            if found.rows:
                tries += 1
                where = str(run.path.relative_to(self.root))
                known = Check(found.standing, found.rows, comparison.blocks, where, command=command)
                if found.standing in _SETTLED:
                    break
        return known


def sides_of(history: History, finding: Finding) -> Sides:
    """Return the releases before and at a step, or at both ends of a trend."""
    machine, environment, _ = finding.group
    wheel, policy, python = environment.split(" ")[:3]
    before, after = finding.previous, finding.since
    if finding.shape is Shape.TREND:
        before, after = finding.since, max(one.until for one in finding.changes)
    old, new = history.label(finding, before), history.label(finding, after)
    return Sides(machine, wheel, policy, python.removeprefix("py"), old, new)


def _shortfall(finding: Finding, comparison: Comparison | None) -> str | None:
    """Return why a run that was made to settle a finding does not; None where it does, or none was made."""
    if comparison is None:
        return None
    keys, old, new = _keys(finding), comparison.old.name, comparison.new.name
    rows = [row for row in comparison.rows if row.key in keys]
    return comparison.shortfall or shortfall_of_rows(rows, old, new, comparison.failures)


def _keys(finding: Finding) -> set[tuple[str, str, str, str]]:
    """Return metric, device, model and variant of each row of a finding."""
    return {row_key(one.course.group[-1], one.course.row) for one in finding.changes}


def _paired_runs(root: Path, sides: Sides) -> Iterable[RunDirectory]:
    """Yield the runs that measured these releases again in this environment, the oldest first."""
    for run in runs_of(root, sides.machine)[0]:
        subjects = {subject["name"]: subject for subject in run.facts["subjects"]}
        if run.facts["kind"] != KIND or run.facts["state"] != "complete" or list(subjects) != [sides.old, sides.new]:
            continue
        # Runs before interpreters were asked for their Python have none of it.
        if all(
            (str(one.get("wheel") or "-"), str(one.get("policy") or "-")) == (sides.wheel, sides.policy)
            and one.get("python") in (None, sides.python)
            for one in subjects.values()
        ):
            yield run


def _recheck(sides: Sides, findings: Sequence[Finding], samples: pd.DataFrame) -> Recheck | None:
    keys = [row_key(one.course.group[-1], one.course.row) for finding in findings for one in finding.changes]
    name = _preset_of(sides, {metric for metric, *_ in keys}, samples)
    try:
        cells = read_preset(name or "").cells
    except UsageError:
        return None
    devices = {device for _, device, _, _ in keys if device != "-"} or {"cpu"}
    models = {model for _, _, model, _ in keys if model != "-"}
    # What is no model of the zoo is in no preset: it is measured as the preset measures any of its kind.
    own = [
        Cell(device, model, AS_IS, "tf-load") for model in sorted(models) if "@" in model for device in sorted(devices)
    ]
    offered = [cell for cell in (*cells, *own) if cell.device in devices and (not models or cell.model in models)]
    if not offered:
        return None
    # What belongs to no model (importing TensorFlow) is measured beside any one of them.
    chosen = offered if models else offered[:1]
    operations = {METRICS[metric].operation for metric, *_ in keys} & set(OPERATIONS) or {"save"}
    return Recheck(
        sides,
        name or "",
        devices=tuple(dict.fromkeys(cell.device for cell in chosen)),
        models=tuple(dict.fromkeys(cell.model for cell in chosen)),
        operations=tuple(one for one in OPERATIONS if one in operations),
        worker_version=_worker_version(sides, samples),
    )


def _worker_version(sides: Sides, samples: pd.DataFrame) -> int | None:
    """Return the worker version of a machine's samples, which have one in common; None where they do not say it."""
    versions = samples.loc[machine_names(samples) == sides.machine, "worker_version"].dropna()
    return int(versions.iloc[0]) if len(versions) else None


def _preset_of(sides: Sides, metrics: set[str], samples: pd.DataFrame) -> str | None:
    """Return the preset of the newest run that gave either release its values."""
    of_sides = samples["subject"].isin([sides.old, sides.new]) & samples["metric"].isin(metrics)
    rows = samples[of_sides & (samples["machine"] == sides.machine)]
    presets = rows.sort_values("created_at", kind="stable")["preset"].dropna()
    return str(presets.iloc[-1]) if len(presets) else None
