"""Rounds of two subjects side by side: what a comparison pairs."""

from __future__ import annotations

import pandas as pd

from harness.store.frame import ROW_KEY, SLICES

PAIRS_DTYPES = {
    "run": "string", "block": "int64", "metric": "string", "device": "string", "model": "string", "variant": "string",
    "old": "float64", "new": "float64", "whole": "bool", "processes": "string",
}  # fmt: skip
"""Columns of `pairs_frame`. `whole`: both sides have a value in this round and no taint concerns either; of a round
that is not whole, `old` or `new` is NaN where that side has no value. `processes`: of a slice, which two processes
of the block took turns; else missing."""

_ROUND = ["run", "block", *ROW_KEY, "cell", "operation", "page_cache", "repeat", "turn"]


def pairs_frame(repeats: pd.DataFrame, old: str, new: str) -> pd.DataFrame:
    """Return the rounds in which at least one of two subjects has a value of a metric (columns: PAIRS_DTYPES).

    A round is a repeat of an operation in a cell, with a state of the page cache, in one block; where one repeat gives
    a metric several times, the first of one side belongs to the first of the other: a repeat in slices gives one for
    each slice. Where a block has slices of a row, they alone are its rounds.

    Args:
        repeats: `store.frame.repeats_frame`; only complete blocks count.
        old, new: the two subjects' names.
    """
    measured = repeats[repeats["complete_block"] & (repeats["status"] == "ok")]
    measured = measured.assign(turn=measured.groupby(["run", "record", *ROW_KEY]).cumcount())
    sides = [measured.loc[measured["subject"] == name, [*_ROUND, "value", "tainted"]] for name in (old, new)]
    rounds = sides[0].merge(sides[1], on=_ROUND, how="outer", suffixes=("_old", "_new"))
    rounds = rounds[_is_judged(rounds)].reset_index(drop=True)
    calm = [rounds[f"tainted_{side}"].eq(False) & rounds[f"value_{side}"].notna() for side in ("old", "new")]
    found = rounds.rename(columns={"value_old": "old", "value_new": "new"}).assign(
        whole=calm[0] & calm[1],
        processes=(rounds["cell"].astype("string") + " " + rounds["repeat"].astype("string")).where(
            rounds["operation"] == SLICES
        ),
    )
    return found[list(PAIRS_DTYPES)].astype(dict(PAIRS_DTYPES)).reset_index(drop=True)


def _is_judged(rounds: pd.DataFrame) -> pd.Series:
    """Return which rounds count: the slices where a block has some that are calm, else everything but slices."""
    is_slice = rounds["operation"] == SLICES
    tainted = rounds["tainted_old"].fillna(True).astype(bool) | rounds["tainted_new"].fillna(True).astype(bool)
    has_slices = (is_slice & ~tainted).groupby([rounds[name] for name in ("run", "block", *ROW_KEY)]).transform("any")
    return is_slice == has_slices
