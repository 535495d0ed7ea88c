"""Courses over releases, nights and commits: from the results' tables to what changed, since when, in which rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.metrics import CELL_FAILED
from harness.store.asv_commits import CommitOrder
from harness.store.python_changes import python_minors
from harness.verdict.course import Course, Finding, group_changes, shared_changes
from harness.verdict.endings import End, Ending, ending
from harness.verdict.history import MARGIN, find_changes, is_long_enough

_CELL = ["machine", "device", "model", "variant"]

COURSE = 12
"""How many of the newest values a standing shows."""


@dataclass(frozen=True, slots=True)
class History:
    """All findings, those that most courses share first, then by size.

    `groups` names what the parts of a finding's group are (machine, …, what is measured), `labels` the places of each
    axis (release names, commits, nights), by the group's part before the last. Of `courses`, `too_short` have too few
    values to show a change and were not looked at. `endings` are the courses without a present value, the newest first.
    """

    groups: tuple[str, ...]
    labels: Mapping[tuple[str, ...], Sequence[str]]
    findings: tuple[Finding, ...]
    courses: int
    too_short: int
    margin: float
    endings: tuple[Ending, ...] = ()

    def label(self, finding: Finding | Ending, place: int) -> str:
        """Return what a place of a finding's axis is called."""
        return self.labels[finding.group[:-1]][place]


def find_history(
    points: pd.DataFrame,
    *,
    axis: Sequence[str],
    measured: str,
    margin: float = MARGIN,
    q_level: float = 0.05,
    progress: Callable[[int, int], None] | None = None,
) -> History:
    """Find what changed in a table of points.

    Args:
        points: the columns of `axis` and `measured`, and row, unit, label and value (in the unit, not negative). One
            row a point, in the order of their axis; rows of one axis share its labels. A column `failed`, where there
            is one, says which points are failures; they have no value, unless it counts them.
        axis: columns that must agree for points to be on one axis: machine and environment, for example.
        measured: the column that says what is measured; its rows that change together are one finding.
        margin: the change that does not matter.
        q_level: accepted false discovery rate over all courses.
        progress: is told how many courses of how many were searched.
    """
    labels: dict[tuple[str, ...], list[str]] = {}
    courses: list[Course] = []
    endings: list[Ending] = []
    for found, part in points.groupby(list(axis), observed=True, sort=True):
        names = tuple(str(name) for name in (found if isinstance(found, tuple) else (found,)))
        places, uniques = pd.factorize(part["label"])
        labels[names] = [str(label) for label in uniques]
        newest = len(uniques) - 1
        for key, rows in _rows_of_courses(part, [measured, "row", "unit"]):
            group, at = (*names, key[0]), places[rows]
            values = part["value"].to_numpy()[rows]
            # Of several values at one place the last one counts.
            good = np.flatnonzero(~np.isnan(values))
            good = good[np.append(_differ(at[good]), True)] if len(good) else good
            failed = part["failed"].to_numpy(dtype=bool)[rows] if "failed" in part else np.zeros(len(rows), dtype=bool)
            if len(good):
                courses.append(Course(group, key[1], key[2], tuple(at[good].tolist()), tuple(values[good].tolist())))
            if at[-1] < newest or failed.any():
                measured_at = at[~np.isnan(values) & ~failed].tolist()
                ended = ending(group, key[1], measured_at, sorted(set(at[failed].tolist())), newest)
                endings += [ended] if ended is not None else []
    changes = find_changes(
        courses,
        margin=margin,
        q_level=q_level,
        progress=None if progress is None else lambda done: progress(done, len(courses)),
    )
    shared = shared_changes(changes, courses)
    taken = {(id(change.course), change.since) for finding in shared for change in finding.changes}
    rest = [one for one in changes if (id(one.course), one.since) not in taken]
    findings = sorted(group_changes(rest), key=lambda finding: -finding.size)
    too_short = len(courses) - sum(map(is_long_enough, courses))
    # A cell that fails has no other values either, which is no news.
    failing = {(one.group[:-1], one.row) for one in endings if one.group[-1] == CELL_FAILED.name}
    endings = [one for one in endings if one.end is End.FAILING or (one.group[:-1], _cell(one.row)) not in failing]
    endings.sort(key=lambda one: (one.end, -one.last, one.group, one.row))
    return History((*axis, measured), labels, (*shared, *findings), len(courses), too_short, margin, tuple(endings))


def _cell(row: str) -> str:
    """Return the cell of a row over releases or nights: "cpu mlp-s tf-module/tf-load" of its batch of 32."""
    return " ".join(row.split(" ")[:3])


def _rows_of_courses(part: pd.DataFrame, key: Sequence[str]) -> Iterator[tuple[tuple[str, ...], NDArray[np.int64]]]:
    """Yield each course's names and the numbers of its rows, in their order."""
    grouped = part.groupby(list(key), observed=True, sort=True)
    numbers = grouped.ngroup().to_numpy()
    order = np.argsort(numbers, kind="stable")
    starts = np.flatnonzero(np.append(True, _differ(numbers[order])))
    names = part[list(key)].iloc[order[starts]].astype(str).itertuples(index=False, name=None)
    yield from zip(names, np.split(order, starts[1:]), strict=True)


def _differ(values: NDArray[Any]) -> NDArray[np.bool_]:
    return np.asarray(values[1:] != values[:-1])


def points_of_commits(values: pd.DataFrame, order: CommitOrder | None = None) -> pd.DataFrame:
    """Return the points of an asv project, of `AsvHistory.values` in present versions: with `row`, `label`, `failed`.

    Commits whose order nobody knows are one place, its value the median of theirs. Of units other than seconds and
    bytes nobody told which way is better; their courses change all the same.
    """
    ok, failed = values["status"] == "ok", values["status"] == "failed"
    points = values.assign(
        row=values["parameters"], failed=failed, value=values["value"].where(ok & (values["value"] >= 0))
    )
    if order is None:
        return points.assign(label=points["commit"].astype("object").str.slice(0, 8))
    places = points["commit"].map(order.places).astype("int64")
    names = {place: commit[:8] for commit, place in sorted(order.places.items(), reverse=True)}
    points = points.assign(at=places, label=places.map(names))
    points = points.sort_values(["machine", "environment", "at"], kind="stable")
    if not order.is_shared:
        return points
    key = ["machine", "environment", "at", "label", "benchmark", "row", "unit"]
    grouped = points.groupby(key, observed=True, sort=True).agg(value=("value", "median"), failed=("failed", "all"))
    return grouped.reset_index()


def points_of_releases(samples: pd.DataFrame, order: Sequence[str]) -> pd.DataFrame:
    """Return one point for each machine, environment, release and row: the median of its samples, by `order`.

    Args:
        samples: `store.export.record_samples`, of one worker version a machine.
        order: the releases by date. Subjects that are not in it (a release under a profile, a second one of the same
            release) have no place in a history and are left out.
    """
    places = {name: place for place, name in enumerate(order)}
    table = _condensed(samples[samples["subject"].isin(list(places))], ["subject"])
    table = table.assign(at=[places[name] for name in table["subject"].astype(str)], label=table["subject"])
    return table.sort_values(["machine", "environment", "at", "label"], kind="stable")


def points_of_nights(samples: pd.DataFrame) -> pd.DataFrame:
    """Return one point for each machine, environment, release, run and row, by time.

    These show what changed under one and the same release. A release cannot change; its lock, the driver or the
    machine can.
    """
    table = _condensed(samples, ["subject", "run", "created_at"])
    table = table.assign(at=pd.to_datetime(table["created_at"], utc=True), label=table["run"].astype(str))
    return table.sort_values(["machine", "environment", "subject", "at", "label"], kind="stable")


def failed_cells(samples: pd.DataFrame) -> pd.DataFrame:
    """Return samples of `cell_failed` of every cell that failed in any run: 0 where it was measured and did not fail.

    The store counts failures in those runs only in which a cell failed; a history asks since when.
    """
    counted = samples[samples["metric"] == CELL_FAILED.name]
    cells = counted.loc[counted["value"] > 0, _CELL].drop_duplicates()
    if cells.empty:
        return cells.reindex(columns=samples.columns)
    counted = counted.merge(cells, on=_CELL)
    others = samples[samples["metric"] != CELL_FAILED.name]
    others = others.assign(variant=others["variant"].str.partition(" ")[0]).merge(cells, on=_CELL)
    key = [*_CELL, "run", "subject"]
    others = others.drop_duplicates([*key, "block"]).assign(metric=CELL_FAILED.name, unit=CELL_FAILED.unit, value=0.0)
    told = pd.MultiIndex.from_frame(counted[key])
    return pd.concat([counted, others[~pd.MultiIndex.from_frame(others[key]).isin(told)]], ignore_index=True)


def standings(points: pd.DataFrame) -> pd.DataFrame:
    """Return where each row of `points_of_releases` stands: its newest release against the best so far.

    Returns:
        machine, environment, metric, row, unit, `releases` (how many have a value), `latest` and `latest_release`,
        `releases_since` (how many newer ones have values of other rows), `best` (the least: less is better for every
        metric) and `best_release`, their ratio `latest_to_best` (missing where the best is 0) and `course` (the last
        COURSE values, oldest first). Ordered by machine, environment and metric.
    """
    key = ["machine", "environment", "metric", "row", "unit"]
    grouped = points.groupby(key, observed=True, sort=True)
    table = grouped.agg(releases=("value", "size"), latest=("value", "last"), latest_release=("subject", "last"))
    best = points.sort_values("value", kind="stable").drop_duplicates(key).set_index(key)
    table = table.assign(best=best["value"], best_release=best["subject"])
    table["latest_to_best"] = (table["latest"] / table["best"]).where(table["best"] > 0)
    axes = points[["machine", "environment", "at"]].drop_duplicates()
    newer = axes.groupby(["machine", "environment"], observed=True)["at"].rank(ascending=False).astype("int64") - 1
    behind = points.merge(axes.assign(behind=newer), on=["machine", "environment", "at"], how="left")
    table["releases_since"] = behind.groupby(key, observed=True, sort=True)["behind"].last()
    table["course"] = grouped["value"].agg(lambda values: tuple(values.tail(COURSE)))  # type: ignore[type-var]
    return table.reset_index()


def row_key(metric: str, row: str) -> tuple[str, str, str, str]:
    """Return (metric, device, model, variant) of a course's row over releases or nights: "cpu mlp-s tf-module b1"."""
    device, model, variant = [*row.split(" ", 2), "", "", ""][:3]
    return metric, device or "-", model or "-", variant or "-"


def machine_names(samples: pd.DataFrame) -> pd.Series[str]:
    """Return the machine of each sample as histories name it: "desk", or "desk (reference)" in reference runs."""
    return samples["machine"].astype(str) + samples["reference"].map({True: " (reference)", False: ""}).astype(str)


def _condensed(samples: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    measured = samples[samples["value"] >= 0]
    parts = [measured[name].astype(str).where(measured[name] != "-", "") for name in ("device", "model", "variant")]
    named = (parts[0] + " " + parts[1] + " " + parts[2]).str.split().str.join(" ") if len(measured) else parts[0]
    # Forks read higher than spawned processes: the two ways to isolate repeats make no one course.
    spawned = measured["isolation"].map({"spawn": " spawn"}).fillna("")
    # Nor do two Pythons.
    python = " py" + python_minors(measured).fillna("-")
    environment = measured["wheel"].fillna("-") + " " + measured["policy"].fillna("-") + python + spawned
    rows = measured.assign(row=named, environment=environment, machine=machine_names(measured))
    grouped = rows.groupby(["machine", "environment", *by, "metric", "row", "unit"], observed=True, sort=True)
    table = grouped["value"].median().reset_index()
    return table.assign(failed=(table["metric"] == CELL_FAILED.name) & (table["value"] > 0))
