"""What a history has no value of any more: a benchmark that began to fail, or that nobody measures."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, slots=True)
class Failing:
    """A row that fails in its newest results, and did not before: `since` and `before` are labels of its axis."""

    group: tuple[str, ...]  # axis and what is measured
    row: str
    since: str
    before: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """A row that the newest results of its axis do not have: its last label, and how many there are after it."""

    group: tuple[str, ...]
    row: str
    last: str
    later: int


def find_failing(results: pd.DataFrame, axis: Sequence[str], measured: str) -> tuple[Failing, ...]:
    """Return the rows that fail since some place of their axis.

    Args:
        results: the columns of `axis` and `measured`, row, label and status ("ok", "failed", others are no result), in
            the order of their axis.
        axis: columns that must agree for results to be on one axis.
        measured: the column that says what is measured.
    """
    counted = results[results["status"].isin(["ok", "failed"])]
    key = [*axis, measured, "row"]
    failed_last = counted.groupby(key, observed=True, sort=False)["status"].transform("last") == "failed"
    found = []
    for names, part in counted[failed_last].groupby(key, observed=True, sort=False):
        statuses, labels = list(part["status"]), list(part["label"].astype(str))
        good = [place for place, status in enumerate(statuses) if status == "ok"]
        # What fails now and then has not begun to fail.
        usual = max((after - before - 1 for before, after in itertools.pairwise(good)), default=0)
        if good and len(statuses) - 1 - good[-1] > usual:
            *group, row = (str(name) for name in names)
            found.append(Failing(tuple(group), row, labels[good[-1] + 1], labels[good[-1]]))
    return tuple(found)


def find_stopped(results: pd.DataFrame, axis: Sequence[str], measured: str, fewest: int) -> tuple[Stopped, ...]:
    """Return the rows that have no result, good or failed, at the newest places of their axis.

    Args:
        results: as `find_failing` takes them.
        axis: columns that must agree for results to be on one axis.
        measured: the column that says what is measured.
        fewest: how many later places there must be.
    """
    counted = results[results["status"].isin(["ok", "failed"])]
    found = []
    for names, part in counted.groupby(list(axis), observed=True, sort=False):
        codes, labels = pd.factorize(part["label"])
        placed = part.assign(place=codes)
        last = placed.groupby([measured, "row"], observed=True, sort=False)["place"].transform("max")
        left_off = placed[len(labels) - 1 - last >= fewest]
        axis_names = tuple(str(name) for name in (names if isinstance(names, tuple) else (names,)))
        for key, row_places in left_off.groupby([measured, "row"], observed=True, sort=False)["place"]:
            what, row = key
            places = sorted(set(row_places))
            later = len(labels) - 1 - places[-1]
            # What is measured at every tenth place has not been given up after nine.
            if later > 2 * max((after - before - 1 for before, after in itertools.pairwise(places)), default=0):
                found.append(Stopped((*axis_names, str(what)), str(row), str(labels[places[-1]]), later))
    return tuple(sorted(found, key=lambda one: (-one.later, one.group, one.row)))


def grouped_stops(stops: Sequence[Stopped]) -> Iterator[tuple[Stopped, int]]:
    """Yield one of the rows of each group that stopped at one place, and how many rows that are."""
    groups: dict[tuple[tuple[str, ...], str], list[Stopped]] = {}
    for one in stops:
        groups.setdefault((one.group, one.last), []).append(one)
    for members in groups.values():
        yield members[0], len(members)
