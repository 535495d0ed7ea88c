"""What of the results a question is about: metrics, models, devices, operations and releases, named or by pattern."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

import pandas as pd

from harness.answers.history import row_key
from harness.errors import UsageError
from harness.measure.presets import matches
from harness.metrics import CELL_FAILED, METRICS

_OPERATIONS = {name: metric.operation for name, metric in METRICS.items()} | {CELL_FAILED.name: CELL_FAILED.operation}


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Globs with commas between, any of which may match; all where None. A release may be named by its beginning."""

    metrics: str | None = None
    models: str | None = None
    devices: str | None = None
    operations: str | None = None
    releases: str | None = None

    def rows(self, table: pd.DataFrame, *, is_needed: bool = True) -> pd.DataFrame:
        """Return the rows of a table with the columns metric, model and device that are asked for.

        What no device or model is part of, an import, stays when these are narrowed. Where there is a column `subject`,
        releases count, too.

        Raises:
            UsageError: nothing is left of what is needed; says which option matches nothing, and what there is.
        """
        for option, globs, column in (
            ("--metric", self.metrics, "metric"),
            ("--operation", self.operations, "operation"),
            ("--model", self.models, "model"),
            ("--device", self.devices, "device"),
            ("--release", self.releases, "subject"),
        ):
            if globs is None or (column not in table and column != "operation"):
                continue
            values = (table["metric"].map(_OPERATIONS) if column == "operation" else table[column]).astype(str)
            known = list(dict.fromkeys(values))
            kept = _kept(column, known, globs)
            if is_needed and known and not kept - {"-"}:
                raise _nothing(option, globs, known)
            table = table[values.isin(kept)]
        if is_needed and table.empty and self != Narrowing():
            raise UsageError("No result matches all of these options: leave one of them out.")
        return table

    def names_other_than(self, metrics: Iterable[str]) -> bool:
        """Return whether a metric is asked for by its name that is none of these."""
        words = {word.strip() for word in (self.metrics or "").split(",")}
        return bool({word for word in words if word in _OPERATIONS} - set(metrics))

    def medians(self, medians: pd.DataFrame) -> pd.DataFrame:
        """Return the rows and columns of `answers.summary.summary` that are asked for.

        Raises:
            UsageError: as `rows` does.
        """
        rows = self.rows(medians.index.to_frame(index=False).assign(place=range(len(medians))))["place"]
        subjects = [name for name in medians.columns if _is_asked(str(name).partition(" [")[0], self.releases)]
        if not subjects:
            raise _nothing("--release", self.releases or "", map(str, medians.columns))
        kept = medians.iloc[rows.tolist()][subjects].dropna(how="all")
        if kept.empty:
            raise UsageError("No result matches all of these options: leave one of them out.")
        return kept

    def points(self, points: pd.DataFrame) -> pd.DataFrame:
        """Return the points of `answers.history.points_of_releases` that are asked for; there may be none."""
        keys = [row_key(metric, row) for metric, row in zip(points["metric"], points["row"].astype(str), strict=True)]
        placed = points.assign(device=[key[1] for key in keys], model=[key[2] for key in keys])
        return self.rows(placed, is_needed=False)


_MOST_LISTED = 12


def _kept(column: str, known: Iterable[str], globs: str) -> set[str]:
    if column == "model":
        return {name for name in known if name == "-" or matches(name, globs)}
    if column == "subject":
        return {name for name in known if _is_asked(name, globs)}
    words = [word.strip() for word in globs.split(",")]
    found = {name for name in known if any(fnmatchcase(name, word) for word in words)}
    return found | {"-"} if column == "device" else found


def _is_asked(name: str, globs: str | None) -> bool:
    """Return whether a glob matches a subject with or without its "v", or is a version that begins its own."""
    if globs is None:
        return True
    bare = name.removeprefix("v")
    words = (word.strip().removeprefix("v") for word in globs.split(","))
    return any(fnmatchcase(bare, word) or bare.startswith((f"{word}.", f"{word}@")) for word in words)


def _nothing(option: str, globs: str, known: Iterable[str]) -> UsageError:
    names = [name for name in dict.fromkeys(known) if name != "-"]
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    there = f" The results have: {', '.join(names[:_MOST_LISTED])}{more}." if names else ""
    return UsageError(f"Nothing matches {option} {globs!r}.{there}")
