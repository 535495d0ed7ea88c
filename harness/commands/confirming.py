"""`history --confirm`: both sides of a finding measured again, side by side, before anybody is woken."""

from __future__ import annotations

import argparse
import math
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from harness.commands import compare, judging
from harness.comparison import Comparison
from harness.errors import UsageError
from harness.history import History, machine_names, row_key
from harness.measure.limits import Limits
from harness.measure.passes import OPERATIONS
from harness.measure.presets import read_preset
from harness.metrics import CELL_FAILED, METRICS
from harness.report.history import Check
from harness.shortfall import shortfall_of_rows
from harness.store.machines import this_machine
from harness.store.runs import RunDirectory, runs_of
from harness.store.worker_versions import age
from harness.verdict.confirmation import Standing, confirm
from harness.verdict.course import Finding, Shape
from harness.verdict.looks import PLANNED

_MOST_MEASURED = 3
"""Benchmarks that a command names for a change that most of them share."""
KIND = "confirm"
BUDGET_S = 20 * 60.0
Q_LEVEL = 0.05
"""Accepted share of false calls among all that runs of one pair of sides ever call."""

SAME_RELEASE = (
    "both sides are one and the same release, which cannot be measured as it was then: see what else changed between "
    "the two runs (lock, driver, kernel in their run.json), and whether the next night agrees"
)


OLDER_WORKER = (
    "only a run of an older worker version measured it side by side, and some numbers mean something else since"
)


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
    """The smallest run, as `compare` can be told, that measures the rows of all findings between two sides."""

    sides: Sides
    preset: str
    devices: tuple[str, ...]
    models: tuple[str, ...]
    operations: tuple[str, ...]
    worker_version: int | None  # of the runs that the findings are of

    def command(self, margin: float, budget_s: float) -> str:
        """Return what a user would type."""
        sides = self.sides
        environment = (("--wheel", sides.wheel), ("--policy", sides.policy), ("--python", sides.python))
        known = [part for option, value in environment if value != "-" for part in (option, value)]
        arguments = [
            "compare", sides.old, sides.new, "--preset", self.preset, "--device", ",".join(self.devices),
            "--model", ",".join(self.models), "--operation", ",".join(self.operations), *known,
            "--margin", f"{margin:g}", "--budget", f"{budget_s / 60:g}m",
        ]  # fmt: skip
        return shlex.join([judging.command_name(), *arguments])

    def options(self, given: argparse.Namespace, budget_s: float) -> argparse.Namespace:
        """Return the options of that command."""
        wheel, policy, python = self.sides.wheel, self.sides.policy, self.sides.python
        return argparse.Namespace(
            preset=self.preset, device=list(self.devices), model=",".join(self.models),
            operation=list(self.operations), blocks=None, repeats=None, budget=budget_s, margin=[(None, given.margin)],
            isolation="fork", wheel="auto" if wheel == "-" else wheel, policy=None if policy == "-" else policy,
            python=None if python == "-" else python, machine=self.sides.machine, seed=1,
        )  # fmt: skip


def checks(root: Path, history: History, samples: pd.DataFrame, options: argparse.Namespace) -> list[Check]:
    """Return what is known of each finding over releases; with `--confirm`, after measuring what nothing is known of.

    Args:
        root: the project root.
        history: over releases: its groups are machine, environment and metric.
        samples: what it was made of.
        options: of the command; `confirm` holds the seconds to spend on each pair of releases, None to measure nothing.
    """
    rechecks = _rechecks(history, samples)
    here = this_machine(root).name
    failed: dict[Sides, str] = {}
    measured: dict[Sides, Comparison] = {}
    if options.confirm is not None:
        for sides, recheck in rechecks.items():
            concerned = [finding for finding in history.findings if sides_of(history, finding) == sides]
            open_findings = [
                finding
                for finding in concerned
                if _check(root, finding, recheck, options, None).standing not in _SETTLED
            ]
            narrowed = _recheck(sides, open_findings, samples) if open_findings else None
            if sides.machine != here or narrowed is None:
                continue
            try:
                limits = Limits(budget_s=options.confirm)
                command = narrowed.options(options, options.confirm)
                outcome = compare.measure_subjects(root, command, KIND, [sides.old, sides.new], limits, PLANNED)
                if not outcome.interrupted:
                    measured[sides] = judging.compare_in_run(outcome.run, sides.old, sides.new)
            except UsageError as error:
                failed[sides] = str(error)
                continue
            if outcome.interrupted:
                raise KeyboardInterrupt
    found = []
    for finding in history.findings:
        sides = sides_of(history, finding)
        reason = failed.get(sides)
        if sides.machine != here:
            reason = f"it was found on {sides.machine}, not on this machine ({here})"
        check = _check(root, finding, rechecks.get(sides), options, reason)
        if check.standing not in _SETTLED:
            check = replace(check, shortfall=failed.get(sides) or _shortfall(finding, measured.get(sides)))
        found.append(check)
    return found


def _shortfall(finding: Finding, comparison: Comparison | None) -> str | None:
    """Return why a run that was made to settle a finding cannot tell of it; None where it does, or none was made."""
    if comparison is None:
        return None
    keys, old, new = _keys(finding), comparison.old.name, comparison.new.name
    rows = [row for row in comparison.rows if row.key in keys]
    return comparison.shortfall or shortfall_of_rows(rows, old, new, comparison.failures)


def sides_of(history: History, finding: Finding) -> Sides:
    """Return the releases before and at a step, or at both ends of a trend."""
    machine, environment, _ = finding.group
    wheel, policy, python = environment.split(" ")[:3]
    before, after = finding.previous, finding.since
    if finding.shape is Shape.TREND:
        before, after = finding.since, max(one.until for one in finding.changes)
    old, new = history.label(finding, before), history.label(finding, after)
    return Sides(machine, wheel, policy, python.removeprefix("py"), old, new)


def of_commits(history: History, results: Path) -> list[Check]:
    """Return what a user of another asv project can do about each finding: its commits are not ours to build."""
    found = []
    for finding in history.findings:
        old, new = history.label(finding, finding.previous), history.label(finding, finding.since)
        if finding.shape is Shape.TREND:
            old, new = new, history.label(finding, max(one.until for one in finding.changes))
        names = list(dict.fromkeys(one.course.group[-1] for one in finding.changes))[:_MOST_MEASURED]
        named = "|".join(map(re.escape, names))
        bench = f"^{named if len(names) == 1 else f'({named})'}(\\(|$)"
        measured = shlex.join(
            ["asv", "continuous", "--interleave-rounds", "-a", "rounds=10", "--bench", bench, old, new]
        )
        judged = shlex.join([judging.command_name(), "compare", "--results", str(results), old, new])
        found.append(Check(Standing.UNCONFIRMED, command=f"{measured} && {judged}"))
    return found


_SETTLED = (Standing.CONFIRMED, Standing.REFUTED)


def _check(
    root: Path, finding: Finding, recheck: Recheck | None, options: argparse.Namespace, reason: str | None
) -> Check:
    """Return a finding's standing by the first run that settled it, else by the newest that measured both sides again.

    Measuring again until something shows would find more than there is: run number k is judged at a share of
    6 / (pi k)^2 of the accepted rate, and these shares add up to 1 however often it is tried.
    """
    if recheck is None:
        return Check(Standing.UNCONFIRMED, reason=reason or "no preset here measures its rows: see `compare --help`")
    command = recheck.command(options.margin, options.confirm or BUDGET_S)
    keys = _keys(finding)
    known = Check(Standing.UNCONFIRMED, command=command, reason=reason)
    tries = 0
    for run in _paired_runs(root, recheck.sides):
        if age(run.worker_version) < age(recheck.worker_version):
            known = known if tries else replace(known, reason=reason or OLDER_WORKER)
            continue
        comparison = judging.compare_in_run(
            run,
            recheck.sides.old,
            recheck.sides.new,
            margins=[(None, options.margin)],
            q_level=Q_LEVEL * 6 / (math.pi * (tries + 1)) ** 2,
        )
        found = confirm(keys, finding.ratio > 1, comparison.rows)
        if found.rows:
            tries += 1
            where = str(run.path.relative_to(root))
            known = Check(found.standing, found.rows, comparison.blocks, where, command=command)
            if found.standing in _SETTLED:
                break
    return known


def _keys(finding: Finding) -> set[tuple[str, str, str, str]]:
    """Return metric, device, model and variant of each row of a finding."""
    return {row_key(one.course.group[-1], one.course.row) for one in finding.changes}


def _paired_runs(root: Path, sides: Sides) -> Iterable[RunDirectory]:
    """Yield the runs that measured these sides again in this environment, the oldest first."""
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


def _rechecks(history: History, samples: pd.DataFrame) -> dict[Sides, Recheck]:
    """Return one run for all findings between two sides; none where no preset that is known measures them."""
    needed: dict[Sides, list[Finding]] = {}
    for finding in history.findings:
        needed.setdefault(sides_of(history, finding), []).append(finding)
    found = {sides: _recheck(sides, findings, samples) for sides, findings in needed.items()}
    return {sides: recheck for sides, recheck in found.items() if recheck is not None}


def _recheck(sides: Sides, findings: Sequence[Finding], samples: pd.DataFrame) -> Recheck | None:
    keys = [key for finding in findings for key in _keys(finding)]
    name = _preset_of(sides, {metric for metric, *_ in keys}, samples)
    try:
        cells = read_preset(name or "").cells
    except UsageError:
        return None
    devices = {device for _, device, _, _ in keys if device != "-"} or {"cpu"}
    models = {model for _, _, model, _ in keys if model != "-"}
    offered = [cell for cell in cells if cell.device in devices and (not models or cell.model in models)]
    if not offered:
        return None
    # What belongs to no model (importing TensorFlow) is measured beside any one of them.
    chosen = offered if models else offered[:1]
    operations = {METRICS[metric].operation for metric, *_ in keys if metric in METRICS} & set(OPERATIONS)
    # A cell that failed did so in whatever it was doing: both writing and reading are tried again.
    if any(metric == CELL_FAILED.name for metric, *_ in keys):
        operations |= {"save", "load"}
    operations = operations or {"save"}
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
    """Return the preset of the newest run that gave either side its values."""
    of_sides = samples["subject"].isin([sides.old, sides.new]) & samples["metric"].isin(metrics)
    rows = samples[of_sides & (samples["machine"] == sides.machine)]
    presets = rows.sort_values("created_at", kind="stable")["preset"].dropna()
    return str(presets.iloc[-1]) if len(presets) else None
