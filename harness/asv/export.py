"""Every sample of an asv project's results as a tidy table (docs/export.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from harness.asv.directory import AsvHistory

ASV_COLUMNS = {
    "machine": "the machine's name",
    "environment": "asv's environment",
    "python": "version of Python",
    "commit": "whole hash",
    "date": "the commit's date, UTC",
    "benchmark": "name of the benchmark",
    "version": "asv's version of the benchmark; values of two versions measure different things",
    "parameters": "values of the parameters in order, as asv writes them or as a JSON list; empty where it has none",
    "unit": "of value: seconds, bytes, or what a track_ benchmark says",
    "status": "ok, failed (asv has null), n/a (NaN) or unusable",
    "kind": "sample, or result where asv kept only its summary",
    "number": "number of the sample, from 0",
    "value": "in unit; empty unless status is ok",
}
"""Columns of `asv_samples`, in order, with what they hold."""


def asv_samples(history: AsvHistory, machine: str | None = None) -> pd.DataFrame:
    """Return every sample of a result directory (columns: ASV_COLUMNS).

    A result whose samples asv did not keep is one row of kind "result". A failed one or one that is n/a has such a row
    without a value.
    """
    rows = history.of_machine(machine)
    counts = rows["count"].to_numpy()
    repeated = rows.loc[rows.index.repeat(np.maximum(counts, 1))]
    places = _places(rows["first"].to_numpy(), np.maximum(counts, 1))
    is_sample = np.repeat(counts > 0, np.maximum(counts, 1))
    values = repeated["value"].to_numpy(copy=True)
    values[is_sample] = history.samples[places[is_sample]]
    table = repeated.assign(
        kind=pd.Categorical.from_codes(is_sample.astype(np.int64), categories=pd.Index(["result", "sample"])),
        number=places - repeated["first"].to_numpy(),
        value=values,
    )
    return table[list(ASV_COLUMNS)].reset_index(drop=True)


def _places(first: Sequence[int] | np.ndarray[Any, Any], counts: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return first[0], first[0] + 1, … (counts[0] of them), then the same of the next row, in one array."""
    starts = np.cumsum(counts) - counts
    return np.repeat(np.asarray(first) - starts, counts) + np.arange(int(counts.sum()))
