"""Rounds of two subjects side by side: what a comparison pairs."""

from __future__ import annotations

import pandas as pd

from harness.store.frame import ROW_KEY, is_in_turn
from harness.store.records import IN_TURN

PAIRS_DTYPES = {
    "run": "string", "block": "int64", "metric": "string", "device": "string", "model": "string", "variant": "string",
    "old": "float64", "new": "float64", "whole": "bool", "cell": "string", "operation": "string",
    "page_cache": "string", "processes": "string",
}  # fmt: skip
"""Columns of `pairs_frame`. `cell`, `operation` and `page_cache`: what the round repeats. `whole`: both sides have a
value in this round and no taint concerns either; of a round that is not whole, `old` or `new` is NaN where that side
has no value. `processes`: of a slice, which two processes of the block took turns; else missing."""

CPU_IS_WALL = 0.05
"""CPU seconds stand for the wall's where their median differs from it by no more than this share."""

_ROUND = ["run", "block", *ROW_KEY, "cell", "operation", "page_cache", "repeat", "turn"]


def pairs_frame(repeats: pd.DataFrame, old: str, new: str) -> pd.DataFrame:
    """Return the rounds in which at least one of two subjects has a value of a metric (columns: PAIRS_DTYPES).

    A round is a repeat of an operation in a cell, with a state of the page cache, in one block; where one repeat gives
    a metric several times, the first of one side belongs to the first of the other: a repeat in slices gives one for
    each slice. Where a block has rounds of a row in which two processes took turns, they alone are its rounds; CPU
    seconds of such processes only where the row's CPU seconds are the wall's, in what each process did alone.

    Args:
        repeats: `store.frame.repeats_frame`; only complete blocks count.
        old, new: the two subjects' names.
    """
    measured = repeats[repeats["complete_block"] & (repeats["status"] == "ok")]
    measured = measured[measured["partner"].isin(["", old, new])]  # "": in no turn, or in a run of two subjects
    measured = measured[~_waits(measured)]
    measured = measured.assign(turn=measured.groupby(["run", "record", *ROW_KEY]).cumcount())
    sides = [measured.loc[measured["subject"] == name, [*_ROUND, "value", "tainted"]] for name in (old, new)]
    rounds = sides[0].merge(sides[1], on=_ROUND, how="outer", suffixes=("_old", "_new"))
    rounds = rounds[_is_judged(rounds)].reset_index(drop=True)
    calm = [rounds[f"tainted_{side}"].eq(False) & rounds[f"value_{side}"].notna() for side in ("old", "new")]
    found = rounds.rename(columns={"value_old": "old", "value_new": "new"}).assign(
        whole=calm[0] & calm[1],
        processes=(rounds["cell"].astype("string") + " " + rounds["repeat"].astype("string")).where(
            is_in_turn(rounds["operation"])
        ),
    )
    return found[list(PAIRS_DTYPES)].astype(dict(PAIRS_DTYPES)).reset_index(drop=True)


def _is_judged(rounds: pd.DataFrame) -> pd.Series:
    """Return which rounds count: those in turn where a block has some that are calm, else all others."""
    in_turn = is_in_turn(rounds["operation"])
    tainted = rounds["tainted_old"].fillna(True).astype(bool) | rounds["tainted_new"].fillna(True).astype(bool)
    has_turns = (in_turn & ~tainted).groupby([rounds[name] for name in ("run", "block", *ROW_KEY)]).transform("any")
    return in_turn == has_turns


def _waits(measured: pd.DataFrame) -> pd.Series:
    """Return which values are CPU seconds of rows that several threads work for, or that wait."""
    by_cpu = measured["operation"].str.endswith(IN_TURN)
    if not by_cpu.any():
        return by_cpu
    plain = measured[~is_in_turn(measured["operation"])]
    wall = plain[plain["metric"].isin(measured.loc[by_cpu, "metric"].unique())]
    cpu = plain.assign(metric=plain["metric"].str.replace(r"_cpu_s$", "_s", regex=True))[
        plain["metric"].str.endswith("_cpu_s")
    ]
    both = wall.merge(cpu, on=["run", "record", *ROW_KEY], suffixes=("", "_cpu"))
    share = (both["value_cpu"] / both["value"]).groupby([both[name] for name in ROW_KEY]).median()
    fits = share[(share - 1).abs() <= CPU_IS_WALL].index
    return by_cpu & ~pd.MultiIndex.from_frame(measured[ROW_KEY]).isin(fits)
