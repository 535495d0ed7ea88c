"""Results in a line for each metric and model family: the course over releases, the best, the latest, what moved."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.answers.courses import Steps
from harness.answers.history import History, row_key
from harness.metrics import CELL_FAILED, METRICS, variant_order
from harness.models.families import names as family_names
from harness.models.families import order as model_order
from harness.verdict.rows import Verdict

_ORDER = {name: place for place, name in enumerate((*METRICS, CELL_FAILED.name))}
_AVERAGED = ("seconds", "CPU seconds", "bytes", "ratio", "joules")
"""Units of which several rows are averaged; of the others, which are counts, they are added up."""

_SPAWNED = " spawn"

RowKey = tuple[str, str, str, str]
"""Metric, device, model, variant."""


@dataclass(frozen=True, slots=True)
class Move:
    """A change between two releases that was shown to be one, in so many of a line's rows; `ratio` is their largest.

    `ratio` is new / old, infinite from zero. `is_next` says whether the two follow each other among all releases.
    """

    release: str
    previous: str
    ratio: float
    rows: int
    is_next: bool

    @property
    def size(self) -> float:
        """How large the change is, up or down."""
        return abs(math.log(self.ratio)) if 0 < self.ratio < math.inf else math.inf


@dataclass(frozen=True, slots=True)
class Line:
    """One metric of one model family, or of one row, over the releases of its machine and environment.

    `values` has one for each of them, None where there is none. Of several rows, the latest value is their geometric
    mean (the sum of counts, the mean where a value is not positive); that of another release is as much more or less as
    in the rows that both have. `model` and `variant` are None where rows differ in them. `moves` are the largest first.
    """

    machine: str
    environment: str
    metric: str
    unit: str
    device: str
    family: str
    model: str | None
    variant: str | None
    rows: int
    values: tuple[float | None, ...]
    latest: float
    latest_release: str
    best: float
    best_release: str
    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """All lines of one machine and environment, in the order of metrics and models, over its releases by date."""

    machine: str
    environment: str
    releases: tuple[str, ...]
    by_family: tuple[Line, ...]
    by_row: tuple[Line, ...]


def outlines(points: pd.DataFrame, history: History | None, steps: Steps | None) -> tuple[Outline, ...]:
    """Return an outline of each machine and environment; of spawned runs only where their machine has no others.

    Args:
        points: `answers.history.points_of_releases`.
        history: what changed over releases.
        steps: what paired runs found between neighbouring releases.
    """
    found = []
    forked = set(points.loc[~points["environment"].str.endswith(_SPAWNED), "machine"])
    for names, part in points.groupby(["machine", "environment"], observed=True, sort=True):
        machine, environment = map(str, names)
        if machine in forked and environment.endswith(_SPAWNED):
            continue
        releases = tuple(map(str, dict.fromkeys(part["subject"])))
        courses = dict(_courses(part, releases))
        moves = _moves((machine, environment), releases, history, steps)
        families: dict[tuple[str, str, str], list[RowKey]] = {}
        for key in sorted(courses, key=_row_order):
            families.setdefault((key[0], key[1], family_of(key[2])), []).append(key)
        lines = [_line(machine, environment, releases, keys, courses, moves) for keys in families.values()]
        rows = [
            _line(machine, environment, releases, [key], courses, moves) for keys in families.values() for key in keys
        ]
        found.append(Outline(machine, environment, releases, tuple(lines), tuple(rows)))
    return tuple(found)


def family_of(model: str) -> str:
    """Return the family of one of the project's models; any other model is one of its own."""
    return model_order(model)[0] if model in family_names() else model


def _courses(part: pd.DataFrame, releases: Sequence[str]) -> Iterator[tuple[RowKey, tuple[str, tuple[float, ...]]]]:
    """Yield the unit and the values of each row, NaN where a release has none."""
    table = part.pivot_table(index=["metric", "row", "unit"], columns="subject", values="value", observed=True)
    for key, values in zip(table.index, table.reindex(columns=list(releases)).to_numpy(dtype=float), strict=True):
        metric, row, unit = map(str, key)
        yield row_key(metric, row), (unit, tuple(values.tolist()))


def _row_order(key: RowKey) -> tuple[object, ...]:
    metric, device, model, variant = key
    return _ORDER.get(metric, len(_ORDER)), metric, device, *model_order(model), model, variant_order(variant)


def _line(
    machine: str,
    environment: str,
    releases: Sequence[str],
    keys: Sequence[RowKey],
    courses: Mapping[RowKey, tuple[str, tuple[float, ...]]],
    moves: Mapping[RowKey, Sequence[Move]],
) -> Line:
    metric, device, model, _ = keys[0]
    unit = courses[keys[0]][0]
    values, rows = _typical(np.array([courses[key][1] for key in keys]), unit)
    known = [place for place, value in enumerate(values) if value is not None]
    best = min(known, key=lambda place: (values[place], -place))
    models, variants = {key[2] for key in keys}, {key[3] for key in keys}
    return Line(
        machine=machine,
        environment=environment,
        metric=metric,
        unit=unit,
        device=device,
        family=family_of(model),
        model=models.pop() if len(models) == 1 else None,
        variant=variants.pop() if len(variants) == 1 else None,
        rows=rows,
        values=values,
        latest=values[known[-1]] or 0.0,
        latest_release=releases[known[-1]],
        best=values[best] or 0.0,
        best_release=releases[best],
        moves=_together(move for key in keys for move in moves.get(key, ())),
    )


def _typical(values: np.ndarray, unit: str) -> tuple[tuple[float | None, ...], int]:
    """Return one value for each release (columns) of all rows that the newest measured one has, and their number."""
    latest = int(np.flatnonzero(~np.isnan(values).all(axis=0))[-1])
    rows = values[~np.isnan(values[:, latest])]
    if len(rows) == 1:
        return tuple(None if math.isnan(value) else float(value) for value in rows[0]), 1
    is_averaged = unit in _AVERAGED
    is_geometric = is_averaged and bool((rows[~np.isnan(rows)] > 0).all())
    scaled = np.log(rows) if is_geometric else rows
    level = scaled[:, latest].mean() if is_averaged else scaled[:, latest].sum()
    found: list[float | None] = []
    for column in (scaled - scaled[:, [latest]]).T:
        both = column[~np.isnan(column)]
        moved = (both.mean() if is_averaged else both.sum()) if len(both) else math.nan
        value = float(math.exp(level + moved) if is_geometric else level + moved)
        found.append(None if math.isnan(value) else value)
    return tuple(found), len(rows)


def _moves(
    axis: tuple[str, str], releases: Sequence[str], history: History | None, steps: Steps | None
) -> dict[RowKey, list[Move]]:
    """Return what moved in each row: what paired runs called, and beside that what shows over all releases."""
    placed = _Axis(tuple(history.labels.get(axis, releases) if history else releases), tuple(releases))
    found: dict[tuple[RowKey, str], Move] = {}
    for (machine, key, old, new), row in (steps.rows if steps else {}).items():
        if machine == axis[0] and row.verdict in (Verdict.REGRESSION, Verdict.IMPROVEMENT):
            ratio = row.ratio if row.ratio is not None else _ratio(row.old, row.new)
            found.update({(key, move.release): move for move in placed.moves(old, new, ratio)})
    for finding in history.findings if history else ():
        if history is None or finding.group[:2] != axis:
            continue
        for one in finding.changes:
            key, ratio = row_key(one.course.group[-1], one.course.row), _ratio(one.before, one.after)
            for move in placed.moves(history.label(finding, one.previous), history.label(finding, one.since), ratio):
                found.setdefault((key, move.release), move)
    moves: dict[RowKey, list[Move]] = {}
    for (key, _), move in found.items():
        moves.setdefault(key, []).append(move)
    return moves


@dataclass(frozen=True, slots=True)
class _Axis:
    """All releases that were measured, and those of them that are shown, by date."""

    everything: tuple[str, ...]
    shown: tuple[str, ...]

    def moves(self, old: str, new: str, ratio: float) -> Iterator[Move]:
        """Yield a change between two releases, told of those that are shown around it; none if there are none."""
        if old not in self.everything or new not in self.everything:
            return
        at = [self.everything.index(one) for one in (old, new)]
        before = [name for name in self.shown if self.everything.index(name) <= at[0]]
        after = [name for name in self.shown if self.everything.index(name) >= at[1]]
        if before and after:
            is_next = (before[-1], after[0]) == (old, new) and at[1] - at[0] == 1
            yield Move(after[0], before[-1], ratio, 1, is_next)


def _ratio(old: float | None, new: float | None) -> float:
    return (new or 0.0) / old if old else math.inf


def _together(moves: Iterable[Move]) -> tuple[Move, ...]:
    """Return the moves of several rows, one for each release and direction, the largest first."""
    alike: dict[tuple[str, bool], list[Move]] = {}
    for move in moves:
        alike.setdefault((move.release, move.ratio > 1), []).append(move)
    found = []
    for some in alike.values():
        most = max(some, key=lambda move: move.size)
        found.append(Move(most.release, most.previous, most.ratio, len(some), most.is_next))
    return tuple(sorted(found, key=lambda move: -move.size))
