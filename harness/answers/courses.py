"""The course of every row over releases, with its interval at each, and what paired runs found between neighbours."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from harness.answers.comparison import Comparison
from harness.answers.history import machine_names
from harness.answers.judging import RunTables, compare_in_run
from harness.errors import UsageError
from harness.metrics import METRICS, variant_order
from harness.models.families import order as model_order
from harness.store.python_changes import python_minors
from harness.store.runs import RunDirectory, runs_of
from harness.verdict.rows import Row

FEWEST_BLOCKS = 3
"""From so many blocks on a value has an interval."""
_MOST_PAIRS = 24
_NOT_COMPARED = ("speed", "calibrate", "canary")


@dataclass(frozen=True, slots=True)
class CoursePoint:
    """What was measured of one release: the geometric mean of its blocks and the 95 % interval of that.

    `low` and `high` are None below three blocks. Where a block's value is not positive, the mean is arithmetic and has
    no interval. `tainted` counts the measurements that were left out.
    """

    subject: str
    value: float
    low: float | None
    high: float | None
    blocks: int
    tainted: int
    keras: str


@dataclass(frozen=True, slots=True)
class RowCourse:
    """One row over releases, oldest first, on one machine in one environment."""

    machine: str  # "desk", or "desk (reference)"
    environment: str
    metric: str
    unit: str
    device: str
    model: str
    variant: str
    points: tuple[CoursePoint, ...]

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What identifies its row: metric, device, model, variant."""
        return self.metric, self.device, self.model, self.variant


@dataclass(frozen=True, slots=True)
class Steps:
    """What paired runs found between neighbouring releases: rows by machine, row key, old and new release."""

    comparisons: tuple[Comparison, ...]
    rows: Mapping[tuple[str, tuple[str, str, str, str], str, str], Row]

    def row(self, course: RowCourse, old: str, new: str) -> Row | None:
        """Return how a course's step from one release to the next was judged; None where no run holds both."""
        return self.rows.get((course.machine, course.key, old, new))


def courses_of_releases(samples: pd.DataFrame, order: Sequence[str]) -> tuple[RowCourse, ...]:
    """Return the courses of all rows, in the order of machines, metrics, models and variants.

    Args:
        samples: `store.export.record_samples`, of one worker version a machine.
        order: the releases by date; other subjects are left out.
    """
    places = {name: place for place, name in enumerate(order)}
    rows = samples[samples["subject"].isin(list(places)) & samples["value"].notna()]
    if rows.empty:
        return ()
    environment = rows["wheel"].fillna("-") + " " + rows["policy"].fillna("-") + " py" + python_minors(rows).fillna("-")
    rows = rows.assign(machine=machine_names(rows), environment=environment)
    key = ["machine", "environment", "metric", "unit", "device", "model", "variant"]
    found = []
    for names, part in rows.groupby(key, observed=True, sort=False):
        machine, where, metric, unit, device, model, variant = (str(name) for name in names)
        by_subject = {str(subject): members for subject, members in part.groupby("subject", observed=True, sort=False)}
        subjects = sorted(by_subject, key=lambda name: places[name])
        points = tuple(_point(name, by_subject[name]) for name in subjects)
        found.append(RowCourse(machine, where, metric, unit, device, model, variant, points))
    return tuple(sorted(found, key=_order))


def steps_between_releases(root: Path, order: Sequence[str], machine: str | None = None) -> Steps:
    """Return how neighbouring releases compare, each pair in the newest run that holds both.

    Neighbours are releases that follow each other among those of one run, so that a run of 2.19 and 2.21 says what
    happened between these two.
    """
    places = {name: place for place, name in enumerate(order)}
    comparisons: list[Comparison] = []
    rows: dict[tuple[str, tuple[str, str, str, str], str, str], Row] = {}
    for reference in (False, True):
        runs = [run for run in runs_of(root, machine, reference=reference)[0] if run.facts["kind"] not in _NOT_COMPARED]
        read: dict[str, RunTables] = {}
        for run, old, new in _pairs(runs, places):
            try:
                tables = read[run.run] if run.run in read else read.setdefault(run.run, RunTables.of(run))
            except UsageError:  # a run without a finished block tells nothing
                continue
            comparison = compare_in_run(tables, old, new)
            comparisons.append(comparison)
            named = f"{run.machine} (reference)" if reference else run.machine
            for row in comparison.rows:
                rows.setdefault((named, row.key, old, new), row)
    return Steps(tuple(comparisons), rows)


def _pairs(runs: Sequence[RunDirectory], places: Mapping[str, int]) -> Iterator[tuple[RunDirectory, str, str]]:
    """Yield neighbours, the newest run first; a pair and a test plan only once, and not more than a page can use."""
    seen: set[tuple[str, str, str, str]] = set()
    for run in reversed(runs):
        names = sorted((one["name"] for one in run.facts["subjects"] if one["name"] in places), key=places.__getitem__)
        for old, new in itertools.pairwise(names):
            pair = (run.machine, str(run.facts["preset"].get("name")), old, new)
            if pair not in seen and len(seen) < _MOST_PAIRS:
                seen.add(pair)
                yield run, old, new


def _point(subject: str, rows: pd.DataFrame) -> CoursePoint:
    values = rows["value"].to_numpy(dtype=float)
    keras = [str(one) for one in rows["keras"].dropna().unique()]
    tainted, known = int(rows["tainted"].sum()), ", ".join(keras)
    if values.min() <= 0 or values.min() == values.max():
        return CoursePoint(subject, float(values.mean()), None, None, len(values), tainted, known)
    logs = np.log(values)
    mean, low, high = float(np.exp(logs.mean())), None, None
    if len(values) >= FEWEST_BLOCKS:
        reach = float(stats.t.isf(0.025, len(values) - 1)) * float(logs.std(ddof=1)) / len(values) ** 0.5
        low, high = float(np.exp(logs.mean() - reach)), float(np.exp(logs.mean() + reach))
    return CoursePoint(subject, mean, low, high, len(values), tainted, known)


def _order(course: RowCourse) -> tuple[object, ...]:
    metrics = list(METRICS)
    at = metrics.index(course.metric) if course.metric in METRICS else len(metrics)
    family, rung = model_order(course.model)
    return (
        course.machine,
        course.environment,
        at,
        course.metric,
        course.device,
        family,
        rung,
        variant_order(course.variant),
    )
