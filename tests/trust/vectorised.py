"""The judge's arithmetic on whole arrays of rows, for simulations of many thousand; tests/test_trust.py holds it to
the judge itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from harness.verdict.looks import PLANNED, SHARES
from harness.verdict.moderation import ENOUGH, LOW, MOST
from harness.verdict.power import POWER

from .noise import Floats

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Estimates:
    """Rows' log ratios, as `harness.verdict.intervals.Estimate` has them; arrays of shape (..., rows)."""

    mean: Floats
    spread: Floats
    error: Floats
    freedom: Floats
    blocks: Floats

    @property
    def expected_spread(self) -> Floats:
        """What a further block's difference is expected to have."""
        return self.error * np.sqrt(self.blocks)


def estimates(differences: Floats) -> Estimates:
    """Return the estimates of rows, each by itself; the last axis of the log differences counts blocks."""
    blocks = differences.shape[-1]
    spread = differences.std(axis=-1, ddof=1)
    each = np.ones_like(spread)
    return Estimates(differences.mean(axis=-1), spread, spread / math.sqrt(blocks), (blocks - 1) * each, blocks * each)


def moderated(own: Estimates) -> Estimates:
    """Return the same with what the rows of a run, the last axis, say of one another's noise, as the judge does.

    All rows count as alike.
    """
    half, rows = own.freedom / 2, own.spread.shape[-1]
    logs = np.log(own.spread**2) - special.digamma(half) + np.log(half)
    by_chance = special.polygamma(1, half)
    logs = np.maximum(logs, np.median(logs, axis=-1, keepdims=True) - LOW * np.sqrt(by_chance))
    location, scatter = logs.mean(axis=-1, keepdims=True), logs.var(axis=-1, ddof=1, keepdims=True)
    scatter = scatter - by_chance.mean(axis=-1, keepdims=True)
    prior = _inverse_trigamma(np.where(scatter > 0, scatter, 1.0))
    location = location + np.where(scatter > 0, special.digamma(prior) - np.log(prior), 0.0)
    borrowed = np.minimum(np.where(scatter > 0, 2 * prior, np.inf), MOST) * (rows - 1) / (rows + 5)
    borrowed = np.where(own.blocks < ENOUGH, borrowed, 0.0)
    freedom = own.freedom + borrowed
    variance = (borrowed * np.exp(location) + own.freedom * own.spread**2) / freedom
    return replace(own, error=np.sqrt(variance / own.blocks), freedom=freedom)


def p_values(own: Estimates, margin: float) -> tuple[Floats, Floats]:
    """Return (beyond, within)."""
    reach = math.log1p(margin)
    above = special.stdtr(own.freedom, -(own.mean - reach) / own.error)  # H0: at most +margin
    below = special.stdtr(own.freedom, (own.mean + reach) / own.error)  # H0: at least -margin
    return np.minimum(1.0, 2 * np.minimum(above, below)), np.maximum(1 - above, 1 - below)


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


def judged_once(differences: Floats, margin: float, *, moderate: bool = True) -> Judged:
    """Judge whole runs whose number of blocks was fixed: log differences of shape (runs, rows, blocks).

    `moderate`: whether like rows tell of one another's noise, as in the judge; else by the plain t test.
    """
    own = estimates(differences)
    return judged(moderated(own) if moderate else own, margin)


def judged(found: Estimates, margin: float) -> Judged:
    """Judge whole runs by their rows' estimates, of shape (runs, rows)."""
    beyond, within = p_values(found, margin)
    called = q_values(beyond) <= 0.05
    same = ~called & ~_clear(found, margin, 1.0) & (within <= 0.05)
    return Judged(called, same, found.blocks.astype(np.int64))


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
    own = estimates(differences[..., : PLANNED[0]])
    for blocks, share in zip(PLANNED, SHARES, strict=True):
        price = share if pay else 1.0
        # What stopped has the blocks that it stopped with, and still tells of the others' noise.
        latest = estimates(differences[..., :blocks])
        own = Estimates(*(np.where(is_open, getattr(latest, f.name), getattr(own, f.name)) for f in fields(Estimates)))
        found = moderated(own)
        p_beyond, p_within = p_values(found, margin)
        beyond = np.where(is_open, np.minimum(beyond, p_beyond / price), beyond)
        within = np.where(is_open, np.minimum(within, p_within / price), within)
        clear = np.where(is_open, _clear(found, margin, price), clear)
        spent = np.where(is_open, blocks, spent)
        called = q_values(beyond) <= 0.05
        same = ~called & ~clear & (within <= 0.05)
        if drop:
            level = 0.05 * np.minimum(1.0, (called.sum(axis=-1, keepdims=True) + 1) / rows)
            hopeful = settled_by_last_look(found.mean, _reach(found, price), found.expected_spread, margin, level)
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


def _reach(found: Estimates, share: float) -> Floats:
    """Return half the width of the interval at a look."""
    half: Floats = special.stdtrit(found.freedom, 1 - 0.05 * share / 2) * found.error
    return half


def _clear(found: Estimates, margin: float, share: float) -> Flags:
    """Return which intervals lie wholly beyond the margin."""
    clear: Flags = np.abs(found.mean) - _reach(found, share) > math.log1p(margin)
    return clear


def _inverse_trigamma(values: Floats) -> Floats:
    """Return where the trigamma function has these positive values."""
    found = 0.5 + 1 / values
    for _ in range(50):
        trigamma = special.polygamma(1, found)
        step = trigamma * (1 - trigamma / values) / special.polygamma(2, found)
        found = found + step
        if np.all(np.abs(step) < 1e-8 * found):
            break
    return found


def _miss(critical: Floats, freedom: int, noncentrality: Floats) -> Floats:
    """Return P(T' <= critical) of the noncentral t distribution."""
    probability = special.nctdtr(freedom, noncentrality, critical)
    return np.where(np.isnan(probability), np.where(noncentrality > critical, 0.0, 1.0), probability)
