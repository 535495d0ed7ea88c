"""Whole runs with known truth, judged: false findings, power, "same" at the margin, budgets, other tools."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.metrics import Kind
from harness.verdict.differences import middle
from harness.verdict.judge import judge
from harness.verdict.looks import PLANNED
from harness.verdict.rows import RowInput, Verdict

from . import others
from .noise import FAMILIES, Family, Floats
from .vectorised import Flags, Judged, budgeted, estimates, judged_once, moderated, p_values

ROWS, ROWS_PER_CELL = 40, 4
CHANGED_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Rates:
    """What became of whole runs of one kind; fractions.

    `false_rate` is the mean over runs of false calls / calls (0 where nothing was called), `alarm_rate` the share of
    runs with any false call, `found` the share of changed rows that were called, `blocks` the mean blocks a row.
    """

    false_rate: float
    alarm_rate: float
    found: float
    blocks: float


def differences(
    random: np.random.Generator, family: Family, shape: tuple[int, int, int], spread: float, shared: float = 0.5
) -> Floats:
    """Return log differences without a change, shape (runs, rows, blocks).

    The rows of a cell share `shared` of their variance: they are measured in the same processes.
    """
    runs, rows, blocks = shape
    old, new = family(random, shape, spread)
    cell_old, cell_new = family(random, (runs, rows // ROWS_PER_CELL, blocks), spread)
    together = np.repeat(cell_new - cell_old, ROWS_PER_CELL, axis=1)
    return math.sqrt(shared) * together + math.sqrt(1 - shared) * (new - old)


def unchanged_runs(
    random: np.random.Generator, family: Family, runs: int, blocks: int, margin: float = 0.0, *, moderate: bool = True
) -> Rates:
    """Runs in which no row changed, judged once; at margin 0, the hardest, where nothing protects but the tests."""
    noise = differences(random, family, (runs, ROWS, blocks), 0.02)
    return rates(judged_once(noise, margin, moderate=moderate), np.zeros(ROWS, dtype=np.bool_))


def mixed_runs(
    random: np.random.Generator, family: Family, runs: int, blocks: int, margin: float = 0.05, *, moderate: bool = True
) -> Rates:
    """Runs in which one row in ten changed by three margins and every other lies exactly at the margin."""
    noise, changed = _mixed(random, family, runs, blocks, margin)
    return rates(judged_once(noise, margin, moderate=moderate), changed)


def unlike_runs(
    random: np.random.Generator, runs: int, blocks: int, noisy: float, share: float, *, moderate: bool = True
) -> Rates:
    """Unchanged runs whose rows count as alike and are not: a share of them is so many times as noisy as the rest.

    Judged at margin 0. The noisy ones are those whose noise the others would play down.
    """
    level = np.where(np.arange(ROWS) % round(1 / share) == 0, noisy, 1.0)
    noise = differences(random, FAMILIES["log-normal"], (runs, ROWS, blocks), 0.02) * level[:, None]
    return rates(judged_once(noise, 0.0, moderate=moderate), np.zeros(ROWS, dtype=np.bool_))


def budgeted_runs(
    random: np.random.Generator,
    family: Family,
    runs: int,
    *,
    margin: float,
    mixed: bool,
    pay: bool = True,
    drop: bool = True,
) -> Rates:
    """Runs with looks after 5, 8, 12 and 20 blocks: unchanged ones, or mixed as in `mixed_runs`."""
    if mixed:
        noise, changed = _mixed(random, family, runs, PLANNED[-1], margin)
    else:
        noise, changed = differences(random, family, (runs, ROWS, PLANNED[-1]), 0.02), np.zeros(ROWS, dtype=np.bool_)
    return rates(budgeted(noise, margin, ROWS_PER_CELL, pay=pay, drop=drop), changed)


def rates(judged: Judged, changed: Flags) -> Rates:
    """Hold verdicts against the truth; `changed` has shape (rows,)."""
    false = (judged.called & ~changed).sum(axis=-1)
    calls = judged.called.sum(axis=-1)
    found = float(judged.called[:, changed].mean()) if changed.any() else math.nan
    return Rates(
        false_rate=float((false / np.maximum(calls, 1)).mean()),
        alarm_rate=float((false > 0).mean()),
        found=found,
        blocks=float(judged.blocks.mean()),
    )


def power(
    random: np.random.Generator, trials: int, *, spread: float, blocks: int, margin: float, change: float
) -> float:
    """Return how often a true change is called beyond the margin in its direction, before correction."""
    old, new = FAMILIES["log-normal"](random, (trials, blocks), spread)
    found = estimates(new - old + math.log1p(change))
    return float(((p_values(found, margin)[0] <= 0.05) & (np.sign(found.mean) == np.sign(change))).mean())


def same_at_margin(random: np.random.Generator, family: Family, trials: int, blocks: int, margin: float) -> float:
    """Return how often a change exactly at the margin is called the same, where runs of 40 rows are judged once."""
    noise = differences(random, family, (max(1, trials // ROWS), ROWS, blocks), 0.02) + math.log1p(margin)
    return float((p_values(moderated(estimates(noise)), margin)[1] <= 0.05).mean())


def same_at_margin_budgeted(random: np.random.Generator, family: Family, runs: int, margin: float) -> float:
    """Return the same for runs with four looks, cells dropping out."""
    noise = differences(random, family, (runs, ROWS, PLANNED[-1]), 0.02) + math.log1p(margin)
    return float(budgeted(noise, margin, ROWS_PER_CELL).same.mean())


@dataclass(frozen=True, slots=True)
class Rival:
    """How one rule did: shares of rows called among those unchanged and those changed by 5 % and 15 %, and the share
    of runs with any false alarm."""

    name: str
    false: float
    alarm_rate: float
    found_5: float
    found_15: float


def rivals(
    random: np.random.Generator,
    family: Family,
    runs: int,
    *,
    machine: float = 0.01,
    blocks: int = 10,
    repeats: int = 5,
    margin: float = 0.02,
) -> list[Rival]:
    """Judge the same samples by every rule: runs of 40 rows, two changed by +5 % and two by +15 %.

    A sample differs between blocks by `machine` (both sides alike), between the sides of a block by 2 %, of the given
    family, and between repeats in a process by 1 % (log-normal). This project pairs rounds; the others pool repeats.
    """
    change = np.zeros(ROWS)
    change[:2], change[2:4] = math.log1p(0.05), math.log1p(0.15)
    block = random.normal(0, machine, (runs, ROWS, blocks, 1))
    noise = family(random, (runs, ROWS, blocks), 0.02)
    old, new = (block + side[..., None] + random.normal(0, 0.01, (runs, ROWS, blocks, repeats)) for side in noise)
    new = new + change[:, None, None]
    ours = judged_once(middle(new - old), margin).called
    pooled = [np.exp(side).reshape(runs, ROWS, blocks * repeats) for side in (old, new)]
    calls = {
        f"this project, margin {100 * margin:.0f} %": ours,
        "asv compare, factor 1.1": others.asv_compare(*pooled),
        "asv compare, factor 1.02": others.asv_compare(*pooled, factor=1.02),
        "pyperf compare_to": others.pyperf_compare(*pooled),
        "pooled Mann-Whitney, p < .05": others.pooled_mann_whitney(*pooled),
    }
    return [
        Rival(
            name,
            false=float(called[:, 4:].mean()),
            alarm_rate=float(called[:, 4:].any(axis=-1).mean()),
            found_5=float(called[:, :2].mean()),
            found_15=float(called[:, 2:4].mean()),
        )
        for name, called in calls.items()
    ]


def asv_samples(random: np.random.Generator, runs: int, *, processes: int, margin: float) -> Rates:
    """Two unchanged commits of an asv project, judged by the samples that asv kept, as `compare --results` does.

    40 benchmarks of 10 samples a commit, from so many processes: these differ by 2 %, samples within one by 0.5 %.
    Nothing in asv's files says which process a sample is from, so the judge cannot know.
    """
    called = np.zeros((runs, ROWS), dtype=np.bool_)
    for run in range(runs):
        sides = [
            np.repeat(random.normal(0, 0.02, (ROWS, processes)), 10 // processes, axis=1)
            + random.normal(0, 0.005, (ROWS, 10))
            for _ in range(2)
        ]
        rows = [
            RowInput(
                metric=str(row), unit="seconds", kind=Kind.TIME, device="-", model="-", variant="-", judged=True,
                margin=margin, paired=False,
                old=tuple(enumerate(np.exp(sides[0][row]).tolist())),
                new=tuple(enumerate(np.exp(sides[1][row]).tolist())),
            )
            for row in range(ROWS)
        ]  # fmt: skip
        called[run] = [row.verdict in (Verdict.REGRESSION, Verdict.IMPROVEMENT) for row in judge(rows)]
    alarms = called.any(axis=1)
    return Rates(float(alarms.mean()), float(alarms.mean()), float(called.mean()), 10.0)


def _mixed(random: np.random.Generator, family: Family, runs: int, blocks: int, margin: float) -> tuple[Floats, Flags]:
    changed = np.zeros(ROWS, dtype=np.bool_)
    changed[:: round(1 / CHANGED_SHARE)] = True
    truth = np.where(changed, math.log1p(3 * margin), math.log1p(margin))
    return differences(random, family, (runs, ROWS, blocks), 0.02) + truth[:, None], changed
