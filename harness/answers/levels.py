"""Runs of different times on one level, so that releases of one can be held against those of another.

A machine is not as fast today as it was last week. Within a run that does not matter, since its releases were measured
in turn; a course over releases that come from several runs would show it as a change.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from harness.metrics import METRICS, Kind

_ROW = ["machine", "environment", "metric", "row"]
_TIMES = frozenset(name for name, metric in METRICS.items() if metric.kind is Kind.TIME)


def levelled(rows: pd.DataFrame) -> pd.DataFrame:
    """Return samples with the times of each row on the level of the run that has the most of its releases.

    A run's times of a row are divided by the median of its ratios to those releases whose level is known; then that of
    its other releases is known, too. Of two runs with equally many releases the newer one sets the level. A run that
    shares no release with the others keeps its own.

    Args:
        rows: machine, environment, metric, row, run, created_at, subject, value; one for each sample.
    """
    times = rows["metric"].isin(_TIMES) & (rows["value"] > 0)
    several = rows[times].groupby(_ROW, observed=True)["run"].transform("nunique") > 1
    found = rows.loc[several[several].index]
    if found.empty:
        return rows
    factors = [_factors(part) for _, part in found.groupby(_ROW, observed=True)]
    values = rows["value"].copy()
    values.loc[found.index] = found["value"] / pd.concat(factors)
    return rows.assign(value=values)


def _factors(row: pd.DataFrame) -> pd.Series:
    """Return by how much each sample of a row is above the common level."""
    logs = np.log(row.groupby(["run", "subject"], observed=True)["value"].median()).unstack()
    newest = row.groupby("run", observed=True)["created_at"].max()
    order = sorted(logs.index, key=lambda run: (logs.loc[run].notna().sum(), newest[run]), reverse=True)
    table = logs.loc[order].to_numpy()
    level = table[0].copy()
    shifts = np.zeros(len(order))
    waiting = list(range(1, len(order)))
    while waiting:
        shared = [place for place in waiting if not np.isnan(table[place] - level).all()]
        for place in shared or waiting[:1]:
            if shared:
                shifts[place] = np.nanmedian(table[place] - level)
            level = np.where(np.isnan(level), table[place] - shifts[place], level)
            waiting.remove(place)
    return row["run"].astype(str).map(dict(zip(map(str, order), np.exp(shifts), strict=True)))
