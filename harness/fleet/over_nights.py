"""What changed where, over many nights of one question: since when, and what is over; from kept answers alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.fleet.kept import VERDICTS, KeptAnswer
from harness.verdict.rows import Verdict

_CALLED = {VERDICTS.index(Verdict.REGRESSION): 1, VERDICTS.index(Verdict.IMPROVEMENT): -1}
_NOT_MEASURED = 2


@dataclass(frozen=True, slots=True)
class Standing:
    """A row on one type that was called: its direction, since which night, and until which (None: still).

    `ratio` is the change in the last night in which it was called; `nights` counts those of `measured` in which it was.
    """

    verdict: Verdict
    ratio: float | None
    since: int  # places among the nights
    until: int | None
    nights: int
    measured: int


@dataclass(frozen=True, slots=True)
class NightsRow:
    """One row and the types on which it was called in any night; in the newest: `is_open`."""

    metric: str
    device: str
    model: str
    variant: str
    unit: str
    types: Mapping[str, Standing]

    @property
    def is_open(self) -> bool:
        """Whether it is called on some type in the newest night that measured it there."""
        return any(one.until is None for one in self.types.values())


@dataclass(frozen=True, slots=True)
class Night:
    """One night in a line: how many rows the fleet called there, and the least share of a type's plan it measured."""

    fleet: str
    day: str
    old: str
    new: str
    rows: int
    called: int
    coverage: float
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NightsAnswer:
    """What the fleet said over many nights."""

    nights: tuple[Night, ...]
    rows: tuple[NightsRow, ...]
    types: tuple[str, ...]


def over_nights(tables: Sequence[KeptAnswer]) -> NightsAnswer:
    """Put the answers of some nights beside each other.

    A change on a type stays open over nights that did not measure the row there; a night that measured it and did not
    call it ends it.

    Args:
        tables: oldest first, one at least.
    """
    keys: dict[tuple[str, ...], int] = {}
    names: dict[str, int] = {}
    for table in tables:
        for key in table.keys:
            keys.setdefault(key, len(keys))
        for name in table.names:
            names.setdefault(name, len(names))
    said = np.full((len(tables), len(keys), len(names)), _NOT_MEASURED, dtype=np.int8)
    ratios = np.full(said.shape, np.nan, dtype=np.float32)
    for night, table in enumerate(tables):
        rows = np.array([keys[key] for key in table.keys], dtype=np.int32)[table.columns["row"]]
        on = np.array([names[name] for name in table.names], dtype=np.int32)[table.columns["on"]]
        codes = table.columns["stated"]
        said[night, rows, on] = sum((codes == code) * sign for code, sign in _CALLED.items())
        ratios[night, rows, on] = table.columns["ratio"]
    found: dict[int, dict[str, Standing]] = {}
    labels, known = list(names), list(keys)
    for row, name in zip(*np.nonzero((np.abs(said) == 1).any(axis=0)), strict=True):
        found.setdefault(int(row), {})[labels[name]] = _standing(said[:, row, name], ratios[:, row, name])
    rows_found = []
    for place in sorted(found):
        metric, device, model, variant, unit = known[place]
        rows_found.append(NightsRow(metric, device, model, variant, unit, found[place]))
    return NightsAnswer(tuple(_night(table) for table in tables), tuple(rows_found), tuple(labels))


def _standing(said: NDArray[np.int8], ratios: NDArray[np.float32]) -> Standing:
    measured = np.flatnonzero(said != _NOT_MEASURED)
    course = said[measured]
    called = np.flatnonzero(course)
    last = int(called[-1])
    begin = last
    while begin > 0 and course[begin - 1] == course[last]:
        begin -= 1
    ratio = float(ratios[measured[last]])
    return Standing(
        Verdict.REGRESSION if course[last] > 0 else Verdict.IMPROVEMENT,
        None if np.isnan(ratio) else ratio,
        int(measured[begin]),
        None if last == len(course) - 1 else int(measured[last]),
        len(called),
        len(measured),
    )


def _night(table: KeptAnswer) -> Night:
    stated: NDArray[Any] = table.columns["stated"]
    called = np.unique(table.columns["row"][np.isin(stated, list(_CALLED))])
    coverage = min(table.coverage.values(), default=0.0)
    return Night(table.fleet, table.day, table.old, table.new, len(table.keys), len(called), coverage, table.missing)
