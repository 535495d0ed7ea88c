"""The judge's arithmetic on whole arrays of rows, for simulations of many thousand; tests/test_trust.py holds it to
the judge itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from harness.verdict.looks import PLANNED, SHARES
from harness.verdict.power import POWER

from .noise import Floats

Flags = NDArray[np.bool_]


def p_values(differences: Floats, margin: float) -> tuple[Floats, Floats, Floats, Floats]:
    """Return (beyond, within, mean, spread) for log differences whose last axis counts blocks."""
    blocks = differences.shape[-1]
    mean, spread = differences.mean(axis=-1), differences.std(axis=-1, ddof=1)
    error, reach = spread / math.sqrt(blocks), math.log1p(margin)
    above = special.stdtr(blocks - 1, -(mean - reach) / error)  # H0: at most +margin
    below = special.stdtr(blocks - 1, (mean + reach) / error)  # H0: at least -margin
    return np.minimum(1.0, 2 * np.minimum(above, below)), np.maximum(1 - above, 1 - below), mean, spread


def q_values(beyond: Floats) -> Floats:
    """Return Benjamini-Hochberg adjusted p-values along the last axis."""
    adjusted: Floats = stats.false_discovery_control(beyond, axis=-1, method="bh")
    return adjusted


@dataclass(frozen=True, slots=True)
class Judged:
    """Whole runs, judged: arrays of shape (runs, rows). `blocks` is what each row got."""

    called: Flags
    same: Flags
    blocks: NDArray[np.int64]


def judged_once(differences: Floats, margin: float) -> Judged:
    """Judge whole runs whose number of blocks was fixed: log differences of shape (runs, rows, blocks)."""
    beyond, within, mean, spread = p_values(differences, margin)
    called = q_values(beyond) <= 0.05
    same = ~called & ~_clear(mean, spread, differences.shape[-1], margin, 1.0) & (within <= 0.05)
    return Judged(called, same, np.full(called.shape, differences.shape[-1]))


def budgeted(differences: Floats, margin: float, rows_per_cell: int, *, pay: bool = True, drop: bool = True) -> Judged:
    """Judge whole runs with four looks, cells dropping out as `verdict.allocation` lets them.

    Args:
        differences: log differences, shape (runs, rows, 20); row i belongs to cell i // rows_per_cell.
        margin: a fraction.
        rows_per_cell: rows of each cell, which stop together.
        pay: whether looks are paid for; else a row counts as called once any look would have called it.
        drop: whether cells stop; else all rows get all four looks.
    """
    runs, rows, _ = differences.shape
    beyond, within = np.ones((runs, rows)), np.ones((runs, rows))
    spent, clear = np.zeros((runs, rows), dtype=np.int64), np.zeros((runs, rows), dtype=np.bool_)
    is_open = np.ones((runs, rows), dtype=np.bool_)
    called = same = clear
    for blocks, share in zip(PLANNED, SHARES, strict=True):
        price = share if pay else 1.0
        p_beyond, p_within, mean, spread = p_values(differences[..., :blocks], margin)
        beyond = np.where(is_open, np.minimum(beyond, p_beyond / price), beyond)
        within = np.where(is_open, np.minimum(within, p_within / price), within)
        clear = np.where(is_open, _clear(mean, spread, blocks, margin, price), clear)
        spent = np.where(is_open, blocks, spent)
        called = q_values(beyond) <= 0.05
        same = ~called & ~clear & (within <= 0.05)
        if drop:
            level = 0.05 * np.minimum(1.0, (called.sum(axis=-1, keepdims=True) + 1) / rows)
            hopeful = settled_by_last_look(mean, _reach(spread, blocks, price), spread, margin, level)
            wanted = (~called & ~same & hopeful).reshape(runs, rows // rows_per_cell, rows_per_cell).any(axis=-1)
            is_open = is_open & np.repeat(wanted, rows_per_cell, axis=-1)
    return Judged(called, same, spent)


def settled_by_last_look(mean: Floats, half_width: Floats, spread: Floats, margin: float, level: Floats) -> Flags:
    """Return which rows the last look would settle with 80 % power, as `power.blocks_to_settle` plans."""
    freedom, reach = PLANNED[-1] - 1, math.log1p(margin)
    change = np.where(np.abs(mean) <= half_width, 0.0, mean)
    error, size = spread / math.sqrt(PLANNED[-1]), np.abs(change)
    critical = np.broadcast_to(-special.stdtrit(freedom, level * SHARES[-1] / 2), error.shape)
    called = 1 - _miss(critical, freedom, (size - reach) / error)
    critical = np.full_like(error, -special.stdtrit(freedom, 0.05 * SHARES[-1]))
    same = 1 - _miss(critical, freedom, (reach - change) / error) - _miss(critical, freedom, (reach + change) / error)
    found: Flags = np.where(size > reach, called, same) >= POWER
    return found


def _reach(spread: Floats, blocks: int, share: float) -> Floats:
    """Return half the width of the interval at a look."""
    half: Floats = special.stdtrit(blocks - 1, 1 - 0.05 * share / 2) * spread / math.sqrt(blocks)
    return half


def _clear(mean: Floats, spread: Floats, blocks: int, margin: float, share: float) -> Flags:
    """Return which intervals lie wholly beyond the margin."""
    found: Flags = np.abs(mean) - _reach(spread, blocks, share) > math.log1p(margin)
    return found


def _miss(critical: Floats, freedom: int, noncentrality: Floats) -> Floats:
    """Return P(T' <= critical) of the noncentral t distribution."""
    probability = special.nctdtr(freedom, noncentrality, critical)
    return np.where(np.isnan(probability), np.where(noncentrality > critical, 0.0, 1.0), probability)
