"""What a subject measured against itself says about the machine: noise by source, and how finely it can measure.

The model, on the natural-log scale, for side s (both are the same release), block b and round k of one row:

    y = mean + machine_b + round_bk + process_sb + repeat_sbk

`machine` and `round` are what moves both sides, for a block or a round; they cancel in a pair's difference. `process`
is new with each import (address layout, hash seeds, what the machine did meanwhile); `repeat` is new with each fork.
The components come from the mean squares of this nested design, by the method of moments: Searle, Casella and McCulloch
(1992), "Variance components", chapter 3; estimates below zero are set to zero. A block's difference is the middle of
its k pairs (`harness.verdict.differences`), so it has the variance

    2 (process^2 + repeat^2 * middle_variance(k))
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from harness.verdict import power
from harness.verdict.differences import Pair, block_differences, middle_variance
from harness.verdict.looks import SHARES

FEWEST_BLOCKS = 4
"""Fewer decide nothing about time, so no plan goes below."""

MOST_REPEATS = 12

_P90 = float(stats.norm.isf(0.10))


class Source(StrEnum):
    """Where a row's noise comes from: a stable code; the report has the words and what to do about it."""

    PROCESS = "process"
    REPEAT = "repeat"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Rounds:
    """The whole pairs of one row of a run against itself: (block, value of side 0, value of side 1)."""

    metric: str
    device: str
    model: str
    variant: str
    margin: float
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Noise:
    """The noise of one row: standard deviations on the log scale (0.02 is about 2 %).

    `floor` is that of one block's difference as it was measured, of `repeats` pairs (the median number); `machine`,
    `process` and `repeat` are the components, None where nothing tells them apart (a single repeat a block, two
    blocks); `p` is the p-value of "the two sides differ", against a margin of 0.
    """

    metric: str
    device: str
    model: str
    variant: str
    margin: float
    blocks: int
    repeats: int
    floor: float
    machine: float | None
    process: float | None
    repeat: float | None
    p: float | None

    @property
    def source(self) -> Source:
        """The component that makes most of a block difference's noise."""
        if self.process is None or self.repeat is None or self.floor == 0:
            return Source.NONE
        of_repeats = self.repeat**2 * middle_variance(self.repeats)
        return Source.REPEAT if of_repeats > self.process**2 else Source.PROCESS

    def spread(self, repeats: int) -> float:
        """Return the standard deviation of a block's log difference with so many repeats a sample."""
        if self.process is None or self.repeat is None:
            return self.floor
        return math.sqrt(2 * (self.process**2 + self.repeat**2 * middle_variance(repeats)))


@dataclass(frozen=True, slots=True)
class Split:
    """A budget spent on `blocks` blocks of `repeats` repeats, and the log change that the median row then shows.

    `repeats` is None for those that the preset has, which may differ from operation to operation.
    """

    blocks: int
    repeats: int | None
    seconds: float
    detectable: float | None


def noise_of(row: Rounds) -> Noise | None:
    """Estimate one row's noise; None with under two blocks that have a pair, or where a value is not positive."""
    if any(min(old, new) <= 0 for _, old, new in row.pairs):
        return None
    found: dict[int, list[tuple[float, float]]] = {}
    for block, old, new in row.pairs:
        found.setdefault(block, []).append((math.log(old), math.log(new)))
    if len(found) < 2:
        return None
    blocks = [np.array(logs) for logs in found.values()]
    differences = np.array(list(block_differences(row.pairs).values()))
    floor = float(differences.std(ddof=1))
    machine, process, repeat = _components(blocks)
    return Noise(
        row.metric,
        row.device,
        row.model,
        row.variant,
        row.margin,
        blocks=len(blocks),
        repeats=int(np.median([len(logs) for logs in blocks])),
        floor=floor,
        machine=machine,
        process=process,
        repeat=repeat,
        p=float(stats.ttest_1samp(differences, 0.0).pvalue) if floor > 0 else None,
    )


def _components(blocks: Sequence[NDArray[np.float64]]) -> tuple[float | None, float | None, float | None]:
    """Return (machine, process, repeat) standard deviations; None each where repeats cannot be told from processes.

    Each block has the shape (pairs, 2). What moves both sides for a round counts neither as repeat nor as process.
    """
    freedom = sum(len(logs) - 1 for logs in blocks)
    if freedom == 0:
        return None, None, None
    differences = [logs[:, 1] - logs[:, 0] for logs in blocks]
    repeat = sum(float(np.var(each)) * len(each) for each in differences) / freedom / 2
    inverse = float(np.mean([1 / len(each) for each in differences]))
    process = max(0.0, float(np.var([each.mean() for each in differences], ddof=1)) / 2 - repeat * inverse)
    machine = max(0.0, float(np.var([logs.mean() for logs in blocks], ddof=1)) - (process + repeat * inverse) / 2)
    return math.sqrt(machine), math.sqrt(process), math.sqrt(repeat)


def calls_spread(p50: Iterable[float], p90: Iterable[float]) -> float | None:
    """Return the standard deviation of single calls on the log scale, from medians and 90th percentiles of windows.

    The median over windows of ln(p90 / p50) / 1.2816, the normal distribution's 90th percentile: the upper half's
    spread, which is the half that users wait for. None without a window.
    """
    spreads = [math.log(high / middle) / _P90 for middle, high in zip(p50, p90, strict=True) if middle > 0 < high]
    return float(np.median(spreads)) if spreads else None


def detectable(noise: Noise, blocks: int, repeats: int, rows: int = 1, share: float = 1.0) -> float | None:
    """Return the smallest true ratio that would be called with 80 % power, as `power.planned_detectable_ratio`."""
    return power.planned_detectable_ratio(noise.spread(repeats), blocks, noise.margin, rows, share)


def false_alarms(rows: Iterable[Noise], level: float = 0.05) -> tuple[int, int]:
    """Return (rows whose sides differ at `level` against a margin of 0, rows that vary); chance gives `level`."""
    p_values = [row.p for row in rows if row.p is not None]
    return sum(p <= level for p in p_values), len(p_values)


def best_split(
    rows: Sequence[Noise],
    *,
    budget_s: float,
    block_s: float,
    repeat_s: float,
    at_least: int = FEWEST_BLOCKS,
    at_most: int = power.MOST_BLOCKS,
    share: float = 1.0,
) -> Split | None:
    """Return the split of a budget between blocks and repeats that shows the smallest change in the median row.

    Args:
        rows: the noise of the rows that matter.
        budget_s: seconds in all.
        block_s: seconds of a block whatever its repeats (imports, saves): the price of a new process.
        repeat_s: seconds that one more repeat of everything adds to a block.
        at_least: blocks that a verdict needs.
        at_most: blocks that are made of any budget.
        share: of the error rate, that the look at the end may spend.

    None if the budget does not hold `at_least` blocks of one repeat, or without rows. Without the t distribution's
    penalty for few blocks the answer would be Cochran's, repeats = sqrt(block_s / repeat_s) * repeat / process
    (Cochran (1977), "Sampling techniques", section 10.6); trying every number includes that penalty.
    """
    best: Split | None = None
    for repeats in range(1, MOST_REPEATS + 1):
        seconds = block_s + repeats * repeat_s
        blocks = min(int(budget_s / seconds), at_most) if seconds > 0 else 0
        if blocks < at_least:
            break
        shown = _median_detectable(rows, blocks, repeats, share)
        if best is None or (shown is not None and (best.detectable is None or shown < best.detectable - 1e-9)):
            best = Split(blocks, repeats, blocks * seconds, shown)
    return best if rows else None


def plan_budget(
    rows: Sequence[Noise],
    *,
    budget_s: float,
    as_measured_s: float,
    block_s: float,
    repeat_s: float,
    at_least: int,
    at_most: int,
) -> Split | None:
    """Return how `--budget` spends its time: with the preset's repeats, or others where those show a smaller change.

    What is shown is what the last look can show, with its share of the error rate (`looks.SHARES`).

    Args:
        rows, budget_s, block_s, repeat_s, at_least, at_most: as in `best_split`.
        as_measured_s: seconds of a block with the preset's own repeats.

    None if neither fits. Others must show a change that is smaller by a tenth: the model is not finer than that.
    """
    last = SHARES[-1]
    other = best_split(
        rows, budget_s=budget_s, block_s=block_s, repeat_s=repeat_s, at_least=at_least, at_most=at_most, share=last
    )
    blocks = min(int(budget_s / as_measured_s), at_most) if as_measured_s > 0 else 0
    if blocks < at_least or not rows:
        return other
    own = Split(blocks, None, blocks * as_measured_s, _median_detectable(rows, blocks, None, last))
    if other is None or other.detectable is None:
        return own
    return other if own.detectable is None or other.detectable < 0.9 * own.detectable else own


def _median_detectable(rows: Sequence[Noise], blocks: int, repeats: int | None, share: float) -> float | None:
    """Return the log change that the median row shows; `repeats` None: with the repeats that each was measured with."""
    found = [detectable(row, blocks, repeats or row.repeats, share=share) for row in rows]
    logs = sorted(math.inf if ratio is None else math.log(ratio) for ratio in found)
    middle = logs[len(logs) // 2] if logs else math.inf
    return middle if math.isfinite(middle) else None
