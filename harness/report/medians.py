"""Medians of everything that was measured: metric, device and model down, subjects across."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from harness.answers.summary import SUMMARY_INDEX, SpawnedRuns
from harness.report.document import Table, table
from harness.report.names import one_line
from harness.report.numbers import plain
from harness.store.worker_versions import OlderRuns


def medians_table(medians: pd.DataFrame) -> Table:
    """Return `answers.summary.summary` as a table, its values in the unit that stands in each row."""
    flat = medians.reset_index()
    rows = ([_cell(value) for value in row] for row in flat.itertuples(index=False))
    return table(SUMMARY_INDEX, map(str, medians.columns), rows, is_listing=True)


def medians_data(
    medians: pd.DataFrame, spawned: Sequence[SpawnedRuns] = (), older: Sequence[OlderRuns] = ()
) -> dict[str, Any]:
    """Return the same as plain data, with the runs that were left out; missing values are None."""
    flat = medians.reset_index()
    rows = [
        {
            **{name: row[name] for name in SUMMARY_INDEX},
            "values": {name: None if pd.isna(row[name]) else float(row[name]) for name in medians.columns},
        }
        for row in flat.to_dict("records")
    ]
    return {
        "subjects": list(medians.columns),
        "spawned_runs": [asdict(one) for one in spawned],
        "older_runs": [asdict(one) for one in older],
        "rows": rows,
    }


def _cell(value: Any) -> str:
    """Return a name as it is shown, or a number whose unit stands in another column; "-" for a missing one."""
    if isinstance(value, str):
        return one_line(value)
    return "-" if pd.isna(value) else plain(float(value))
