"""Courses over releases, nights and commits: from the results' tables to what changed, since when, in which rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from harness.store.python_changes import python_minors
from harness.verdict.course import Course, Finding, group_changes
from harness.verdict.history import MARGIN, find_changes, is_long_enough

COURSE = 12
"""How many of the newest values a standing shows."""


@dataclass(frozen=True, slots=True)
class History:
    """All findings, the newest first within each axis.

    `groups` names what the parts of a finding's group are (machine, …, what is measured), `labels` the places of each
    axis (release names, commits, nights), by the group's part before the last. Of `courses`, `too_short` have too few
    values to show a change and were not looked at.
    """

    groups: tuple[str, ...]
    labels: Mapping[tuple[str, ...], Sequence[str]]
    findings: tuple[Finding, ...]
    courses: int
    too_short: int
    margin: float

    def label(self, finding: Finding, place: int) -> str:
        """Return what a place of a finding's axis is called."""
        return self.labels[finding.group[:-1]][place]


def find_history(
    points: pd.DataFrame, *, axis: Sequence[str], measured: str, margin: float = MARGIN, q_level: float = 0.05
) -> History:
    """Find what changed in a table of points.

    Args:
        points: the columns of `axis` and `measured`, and row, unit, label and value (in the unit, positive). One row a
            point, in the order of their axis; rows of one axis share its labels.
        axis: columns that must agree for points to be on one axis: machine and environment, for example.
        measured: the column that says what is measured; its rows that change together are one finding.
        margin: the change that does not matter.
        q_level: accepted false discovery rate over all courses.
    """
    labels: dict[tuple[str, ...], list[str]] = {}
    courses = []
    for found, part in points.groupby(list(axis), observed=True, sort=True):
        names = tuple(str(name) for name in (found if isinstance(found, tuple) else (found,)))
        codes, uniques = pd.factorize(part["label"])
        labels[names] = [str(label) for label in uniques]
        placed = part.assign(place=codes)
        for (what, row, unit), course in placed.groupby([measured, "row", "unit"], observed=True, sort=True):
            course = course.drop_duplicates("place", keep="last")
            courses.append(
                Course(
                    group=(*names, str(what)),
                    row=str(row),
                    unit=str(unit),
                    places=tuple(course["place"].tolist()),
                    values=tuple(course["value"].astype(float).tolist()),
                )
            )
    findings = group_changes(find_changes(courses, margin=margin, q_level=q_level))
    too_short = len(courses) - sum(map(is_long_enough, courses))
    return History((*axis, measured), labels, findings, len(courses), too_short, margin)


def points_of_commits(values: pd.DataFrame) -> pd.DataFrame:
    """Return the points of an asv project: `AsvHistory.values`, present versions only, with `row` and `label`.

    Of units other than seconds and bytes nobody told which way is better; their courses change all the same.
    """
    good = values[(values["status"] == "ok") & (values["value"] > 0)]
    return good.assign(row=good["parameters"], label=good["commit"].astype("object").str.slice(0, 8))


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


def _condensed(samples: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    measured = samples[samples["value"] > 0]
    parts = [measured[name].astype(str).where(measured[name] != "-", "") for name in ("device", "model", "variant")]
    named = (parts[0] + " " + parts[1] + " " + parts[2]).str.split().str.join(" ") if len(measured) else parts[0]
    # Forks read higher than spawned processes: the two ways to isolate repeats make no one course.
    spawned = measured["isolation"].map({"spawn": " spawn"}).fillna("")
    # Nor do two Pythons.
    python = " py" + python_minors(measured).fillna("-")
    environment = measured["wheel"].fillna("-") + " " + measured["policy"].fillna("-") + python + spawned
    rows = measured.assign(row=named, environment=environment, machine=machine_names(measured))
    grouped = rows.groupby(["machine", "environment", *by, "metric", "row", "unit"], observed=True, sort=True)
    return grouped["value"].median().reset_index()
