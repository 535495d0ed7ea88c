"""Courses over releases, nights and commits: from the results' tables to what changed, since when, in which rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd

from harness.answers.common_cause import with_common_causes
from harness.answers.lapses import Failing, Stopped, find_failing, find_stopped
from harness.answers.levels import levelled
from harness.store.model_changes import ModelChange
from harness.store.python_changes import PythonChange, ReleasesOfPython, python_minors
from harness.verdict.appearance import find_appearances
from harness.verdict.confirmation import Standing
from harness.verdict.course import Course, Finding, group_changes
from harness.verdict.history import MARGIN, Each, is_long_enough, search_changes
from harness.verdict.rows import Row

FEWEST_LATER = 3
"""Places of an axis without a result, before a row counts as no longer measured: asv measures parts now and then."""

COURSE = 12
"""How many of the newest values a standing shows."""


@dataclass(frozen=True, slots=True)
class History:
    """All findings, the largest first; and which rows began to fail, or have no result at the newest places.

    `groups` names what the parts of a finding's group are (machine, …, what is measured), `labels` the places of each
    axis (release names, commits, nights), by the group's part before the last. Of `courses`, `too_short` have too few
    values to show a change and were not looked at. `untold` are changes that may be noise of two modes.
    """

    groups: tuple[str, ...]
    labels: Mapping[tuple[str, ...], Sequence[str]]
    findings: tuple[Finding, ...]
    courses: int
    too_short: int
    margin: float
    order: str | None = None  # what is to be said of the order of the places
    failing: tuple[Failing, ...] = ()
    stopped: tuple[Stopped, ...] = ()
    untold: tuple[Finding, ...] = ()

    def label(self, finding: Finding, place: int) -> str:
        """Return what a place of a finding's axis is called."""
        return self.labels[finding.group[:-1]][place]


@dataclass(frozen=True, slots=True)
class Check:
    """What is known of a finding: its rows as a paired run judged them, or what would find out.

    `command` measures it, again or at last; `reason` says why it could not be. `shortfall` says why the run that was
    made just now to settle it measured too little.
    """

    standing: Standing
    rows: tuple[Row, ...] = ()
    blocks: int = 0
    run: str | None = None
    command: str | None = None
    reason: str | None = None
    shortfall: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether measuring the finding again, or longer, could tell more."""
        return self.standing in (Standing.UNCONFIRMED, Standing.UNDECIDED)


@dataclass(frozen=True, slots=True)
class HistorySection:
    """One axis that was looked along: "releases", "nights" or "commits".

    `checks` has one for each finding, in their order.
    """

    name: str
    history: History
    checks: tuple[Check, ...]
    pythons: tuple[PythonChange | ReleasesOfPython, ...] = ()  # where the Python changed, which no series goes over
    models: tuple[ModelChange, ...] = ()  # where a model did, under its name

    @property
    def is_worse(self) -> bool:
        """Whether a paired run confirmed that something got worse."""
        pairs = zip(self.history.findings, self.checks, strict=True)
        return any(one.standing is Standing.CONFIRMED and finding.ratio > 1 for finding, one in pairs)


def find_history(
    points: pd.DataFrame,
    *,
    axis: Sequence[str],
    measured: str,
    margin: float = MARGIN,
    q_level: float = 0.05,
    results: pd.DataFrame | None = None,
    order: str | None = None,
    each: Each = map,
) -> History:
    """Find what changed in a table of points.

    Args:
        points: the columns of `axis` and `measured`, and row, unit, label, value (in the unit, from zero on), status,
            and is_exact where it is known whether a value was read several times and never varied. One row a point, in
            the order of their axis; rows of one axis share its labels.
        axis: columns that must agree for points to be on one axis: machine and environment, for example.
        measured: the column that says what is measured; its rows that change together are one finding.
        margin: the change that does not matter.
        q_level: accepted false discovery rate over all courses.
        results: the same with what failed, where that is no value; by default the points.
        order: what is to be said of the order of the places.
        each: as `search_changes` takes it.
    """
    labels: dict[tuple[str, ...], list[str]] = {}
    courses: list[Course] = []
    for found, part in points.groupby(list(axis), observed=True, sort=True):
        names = tuple(str(name) for name in (found if isinstance(found, tuple) else (found,)))
        codes, uniques = pd.factorize(part["label"])
        labels[names] = [str(label) for label in uniques]
        courses += _courses(part.assign(place=codes), names, measured)
    search = search_changes(courses, margin=margin, q_level=q_level, each=each)
    changes = (*search.changes, *find_appearances(courses, q_level=q_level))
    findings = with_common_causes(group_changes(changes), courses)
    too_short = sum(not is_long_enough(course) and min(course.values) > 0 for course in courses)
    counted = points if results is None else results
    return History(
        groups=(*axis, measured),
        labels=labels,
        findings=findings,
        courses=len(courses),
        too_short=too_short,
        margin=margin,
        order=order,
        failing=find_failing(counted, axis, measured),
        stopped=find_stopped(counted, axis, measured, FEWEST_LATER),
        untold=group_changes(search.untold),
    )


def _courses(placed: pd.DataFrame, axis: tuple[str, ...], measured: str) -> Iterator[Course]:
    """Yield the course of every row on one axis; of several values at one place the last counts."""
    placed = placed.drop_duplicates([measured, "row", "unit", "place"], keep="last")
    exact = placed["is_exact"].to_numpy() if "is_exact" in placed else np.zeros(len(placed), dtype=bool)
    places, values = placed["place"].to_numpy(), placed["value"].to_numpy(dtype=float)
    for key, rows in placed.groupby([measured, "row", "unit"], observed=True, sort=True).indices.items():
        what, row, unit = cast(tuple[object, object, object], key)
        yield Course(
            group=(*axis, str(what)),
            row=str(row),
            unit=str(unit),
            places=tuple(places[rows].tolist()),
            values=tuple(values[rows].tolist()),
            is_exact=bool(exact[rows].all()),
        )


def points_of_commits(values: pd.DataFrame) -> pd.DataFrame:
    """Return the points of an asv project: `AsvHistory.values`, present versions only, with `row` and `label`.

    Of units other than seconds and bytes nobody told which way is better; their courses change all the same.
    """
    results = results_of_commits(values)
    points = results[(results["status"] == "ok") & (results["value"] >= 0)]
    key = ["machine", "environment", "benchmark", "row", "unit", "label"]
    shared = points.duplicated(key, keep=False)
    if not shared.any():
        return points
    # Of commits that share a place nothing says which came first: their median counts.
    medians = points[shared].groupby(key, observed=True, sort=False)["value"].transform("median")
    return points.assign(value=medians.reindex(points.index).fillna(points["value"])).drop_duplicates(key, keep="last")


def results_of_commits(values: pd.DataFrame) -> pd.DataFrame:
    """Return all results of an asv project, good and failed, with `row`, and `label` where they have none yet."""
    labels = values["label"] if "label" in values else values["commit"].astype("object").str.slice(0, 8)
    return values.assign(row=values["parameters"], label=labels)


def points_of_releases(samples: pd.DataFrame, order: Sequence[str]) -> pd.DataFrame:
    """Return one point for each machine, environment, release and row: the median of its samples, by `order`.

    Times of several runs are put on one level first (harness/answers/levels.py).

    Args:
        samples: `store.export.record_samples`, of one worker version a machine.
        order: the releases by date. Subjects that are not in it (a release under a profile, a second one of the same
            release) have no place in a history and are left out.
    """
    places = {name: place for place, name in enumerate(order)}
    table = _condensed(levelled(_named(samples[samples["subject"].isin(list(places))])), ["subject"])
    table = table.assign(at=[places[name] for name in table["subject"].astype(str)], label=table["subject"])
    return table.sort_values(["machine", "environment", "at", "label"], kind="stable")


def points_of_nights(samples: pd.DataFrame) -> pd.DataFrame:
    """Return one point for each machine, environment, release, run and row, by time.

    These show what changed under one and the same release. A release cannot change; its lock, the driver or the
    machine can.
    """
    table = _condensed(_named(samples), ["subject", "run", "created_at"])
    table = table.assign(at=pd.to_datetime(table["created_at"], utc=True), label=table["run"].astype(str))
    return table.sort_values(["machine", "environment", "subject", "at", "label"], kind="stable")


def standings(points: pd.DataFrame) -> pd.DataFrame:
    """Return where each row of `points_of_releases` stands: its newest release against the best so far.

    Returns:
        machine, environment, metric, row, unit, `releases` (how many have a value), `latest` and `latest_release`,
        `best` (the least: less is better for every metric) and `best_release`, their ratio `latest_to_best` and
        `course` (the last COURSE values, oldest first). Ordered by machine, environment and metric.
    """
    key = ["machine", "environment", "metric", "row", "unit"]
    grouped = points.groupby(key, observed=True, sort=True)
    table = grouped.agg(releases=("value", "size"), latest=("value", "last"), latest_release=("subject", "last"))
    best = points.sort_values("value", kind="stable").drop_duplicates(key).set_index(key)
    table = table.assign(best=best["value"], best_release=best["subject"])
    table["latest_to_best"] = table["latest"] / table["best"]
    table["course"] = grouped["value"].agg(lambda values: tuple(values.tail(COURSE)))  # type: ignore[type-var]
    return table.reset_index()


def row_key(metric: str, row: str) -> tuple[str, str, str, str]:
    """Return (metric, device, model, variant) of a course's row over releases or nights: "cpu mlp-s tf-module b1"."""
    device, model, variant = [*row.split(" ", 2), "", "", ""][:3]
    return metric, device or "-", model or "-", variant or "-"


def machine_names(samples: pd.DataFrame) -> pd.Series[str]:
    """Return the machine of each sample as histories name it: "desk", or "desk (reference)" in reference runs."""
    return samples["machine"].astype(str) + samples["reference"].map({True: " (reference)", False: ""}).astype(str)


def _named(samples: pd.DataFrame) -> pd.DataFrame:
    """Return the samples that have a value, with the names of their course: machine, environment and row."""
    measured = samples[samples["value"] >= 0]
    parts = [measured[name].astype(str).where(measured[name] != "-", "") for name in ("device", "model", "variant")]
    named = (parts[0] + " " + parts[1] + " " + parts[2]).str.split().str.join(" ") if len(measured) else parts[0]
    # Forks read higher than spawned processes: the two ways to isolate repeats make no one course.
    spawned = measured["isolation"].map({"spawn": " spawn"}).fillna("")
    # Nor do two Pythons.
    python = " py" + python_minors(measured).fillna("-")
    environment = measured["wheel"].fillna("-") + " " + measured["policy"].fillna("-") + python + spawned
    return measured.assign(row=named, environment=environment, machine=machine_names(measured))


def _condensed(rows: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    grouped = rows.groupby(["machine", "environment", *by, "metric", "row", "unit"], observed=True, sort=True)
    values = grouped["value"]
    # What was read in several blocks and never varied changed for sure where it differs.
    exact = (values.min() == values.max()) & (values.size() > 1)
    return values.median().reset_index().assign(is_exact=exact.to_numpy(), status="ok")
