"""Where each series of an asv project stands: its latest value against the best so far, and its course."""

from __future__ import annotations

from typing import cast

import pandas as pd

from harness.asv.directory import SERIES_KEY, AsvHistory

COURSE = 12
"""How many of the latest values a course shows."""

SUMMARY_COLUMNS = [
    *SERIES_KEY, "unit", "state", "results", "failed", "since", "until", "commit", "latest", "best", "best_commit",
    "latest_to_best", "commits_since", "course",
]  # fmt: skip
"""Columns of `asv_summary`, one row a series in its present version.

`state` is "current", "retired" (benchmarks.json has it no more) or "outdated" (only results of an earlier version).
`since`, `until` and `commit` are of its first and last commit with a value; `latest`, `best` and `course` (the last
values, oldest first) are in `unit`. `commits_since` counts the
commits of its machine and environment that were measured after the latest value. `best` is the least, of seconds and
bytes only: of other units nobody told which
way is better."""

_DIRECTED = ("seconds", "bytes")


def asv_summary(history: AsvHistory, machine: str | None = None) -> pd.DataFrame:
    """Return the state of every series (columns: SUMMARY_COLUMNS), by machine, environment and benchmark.

    Args:
        history: what the result directory holds.
        machine: only this machine's series; all where None.

    Raises:
        UsageError: no result is of that machine.
    """
    rows = present_versions(history, history.of_machine(machine))
    rows = rows.assign(ok=rows["status"] == "ok", bad=rows["status"] == "failed")
    counted = rows.groupby(SERIES_KEY, observed=True, sort=True)[["ok", "bad"]].sum()
    table = counted.rename(columns={"ok": "results", "bad": "failed"})
    good = rows[rows["ok"]]
    if not good.empty:  # a series that never had a value is told as well
        table = table.join(_standing(good), how="left")
    table = table.reset_index()
    table["commits_since"] = _commits_since(rows, table)
    table["state"] = _states(table, history)
    return table.reindex(columns=SUMMARY_COLUMNS)


def _commits_since(rows: pd.DataFrame, table: pd.DataFrame) -> list[int | None]:
    """Return how many commits of its machine and environment were measured after each series' latest value."""
    places: dict[tuple[str, str], dict[str, int]] = {}
    for names, part in rows.groupby(["machine", "environment"], observed=True, sort=False):
        machine, environment = (str(name) for name in cast(tuple[object, object], names))
        commits = [str(commit) for commit in part["commit"].unique()]
        places[machine, environment] = {commit: place for place, commit in enumerate(commits)}
    found: list[int | None] = []
    known = table["commit"] if "commit" in table else [None] * len(table)
    for machine, environment, commit in zip(table["machine"], table["environment"], known, strict=True):
        axis = places[str(machine), str(environment)]
        found.append(None if pd.isna(commit) else len(axis) - 1 - axis[str(commit)])
    return found


def _standing(good: pd.DataFrame) -> pd.DataFrame:
    """Return latest value, best value and course of each series that has values, by SERIES_KEY."""
    grouped = good.groupby(SERIES_KEY, observed=True, sort=True)
    table = grouped.agg(
        unit=("unit", "last"), since=("date", "first"), until=("date", "last"), commit=("commit", "last"),
        latest=("value", "last"),
    )  # fmt: skip
    best = good.sort_values("value", kind="stable").drop_duplicates(SERIES_KEY).set_index(SERIES_KEY)
    directed = table["unit"].isin(_DIRECTED)
    table["best"] = best["value"].where(directed)
    table["best_commit"] = best["commit"].astype("object").where(directed, None)
    table["latest_to_best"] = (table["latest"] / table["best"]).where(table["best"] > 0)
    tail = grouped.tail(COURSE).groupby(SERIES_KEY, observed=True, sort=True)["value"]
    table["course"] = tail.agg(tuple)
    return table


def present_versions(history: AsvHistory, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of each benchmark's present version: the one in benchmarks.json, else that of the newest result.

    Values of two versions measure different things, so they are never one course.
    """
    newest = rows.sort_values("date", kind="stable", na_position="first").groupby("benchmark", observed=True)["version"]
    present = {str(name): str(version) for name, version in newest.last().items()}
    seen = rows[["benchmark", "version"]].drop_duplicates().astype(str)
    held = set(zip(seen["benchmark"], seen["version"], strict=True))
    for name, definition in history.definitions.items():
        if (name, definition.version) in held:
            present[name] = definition.version
    wanted = rows["benchmark"].astype("object").map(present)
    version = rows["version"].astype("object")
    if not (version == "").any():
        return rows[version == wanted]
    # asv before it kept versions wrote none: such results belong to whatever version there is.
    kept = (version == wanted) | (version == "")
    return rows[kept].assign(version=wanted[kept].astype("category"))


def _states(table: pd.DataFrame, history: AsvHistory) -> list[str]:
    states = []
    for benchmark, version in zip(table["benchmark"].astype(str), table["version"].astype(str), strict=True):
        definition = history.definitions.get(benchmark)
        if definition is None:
            states.append("retired" if history.definitions else "current")
        else:
            # Results of asv before it kept versions have none.
            states.append("current" if version in ("", definition.version) else "outdated")
    return states
