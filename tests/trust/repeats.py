"""Simulated runs whose later blocks have the repeats that the noise of the first ones asks for.

    python -m tests.trust.repeats

Two operations share a block's time: one is settled easily, the other is not. What is simulated is the rule of
`harness/verdict/repeats.py` itself; the truth is known, so it is counted how often a row is called that has not
changed, how often "unchanged" is said of a change at the margin, and how noisy the mean difference is.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from harness.verdict.differences import middle, middle_variance
from harness.verdict.repeats import Repeated, RowNoise, allotted, settling_spread

BLOCKS, LEARNT, PLANNED, MARGIN = 6, 3, 4, 0.10
Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Family:
    """How pairs of a block scatter, and blocks."""

    name: str
    within: Draw
    between: float


FAMILIES = (
    Family("log-normal", lambda draw, size: draw.normal(size=size), 0.0),
    Family("heavy tail", lambda draw, size: draw.standard_t(3, size=size) / math.sqrt(3), 0.0),
    Family("blocks scatter as much as pairs", lambda draw, size: draw.normal(size=size), 1.0),
    Family("one pair in ten is three times as noisy", lambda draw, size: _sometimes(draw, size), 0.0),
)


@dataclass(frozen=True, slots=True)
class Rates:
    """Of many runs: rows called without a change, "unchanged" of a change at the margin, and the error of the mean."""

    called: float
    unchanged: float
    error: float


def simulate(family: Family, noise: float, *, follows: bool, runs: int, seed: int = 1) -> Rates:
    """Simulate runs of a row whose pairs have the noise `noise`, beside one with a fifth of it.

    Args:
        family: the form of the noise.
        noise: standard deviation of a pair's log ratio.
        follows: whether the later blocks' repeats follow the noise.
        runs: how many runs.
        seed: of the random numbers.
    """
    draw = np.random.default_rng(seed)
    means, errors = np.empty(runs), np.empty(runs)
    for run in range(runs):
        blocks = [_block(draw, family, noise, PLANNED) for _ in range(LEARNT)]
        easy = [_block(draw, family, noise / 5, PLANNED) for _ in range(LEARNT)]
        repeats = _chosen(blocks, easy) if follows else PLANNED
        later = [_block(draw, family, noise, repeats) for _ in range(BLOCKS - LEARNT)]
        differences = np.array([middle(one) for one in (*blocks, *later)])
        means[run], errors[run] = differences.mean(), differences.std(ddof=1) / math.sqrt(BLOCKS)
    freedom, edge = BLOCKS - 1, math.log1p(MARGIN)
    called = np.abs(means) > stats.t.isf(0.025, freedom) * errors
    shifted = means + edge  # the same runs, of a row that changed by exactly the margin
    reach = stats.t.isf(0.05, freedom) * errors
    unchanged = (shifted + reach < edge) & (shifted - reach > -edge)
    return Rates(float(called.mean()), float(unchanged.mean()), float(means.std()))


def _block(draw: np.random.Generator, family: Family, noise: float, pairs: int) -> NDArray[np.float64]:
    return noise * (family.within(draw, pairs) + family.between * draw.normal())


def _sometimes(draw: np.random.Generator, size: int) -> NDArray[np.float64]:
    values: NDArray[np.float64] = draw.normal(size=size) * np.where(draw.random(size) < 0.1, 3.0, 1.0)
    return values


def _chosen(hard: list[NDArray[np.float64]], easy: list[NDArray[np.float64]]) -> int:
    return allotted({"hard": _repeated(hard), "easy": _repeated(easy)})["hard"]


def _repeated(blocks: list[NDArray[np.float64]]) -> Repeated:
    within = math.sqrt(float(np.mean([one.var(ddof=1) for one in blocks])))
    spread = float(np.std([middle(one) for one in blocks], ddof=1))
    between = math.sqrt(max(0.0, spread**2 - within**2 * middle_variance(PLANNED)))
    noise = RowNoise(within, between, PLANNED, 0.0, settling_spread(BLOCKS, MARGIN))
    return Repeated(PLANNED, 1.0, [noise])


def main() -> None:
    """Print the rates of all families."""
    parser = argparse.ArgumentParser(prog="python -m tests.trust.repeats", description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10_000, help="runs of each family (default: 10000)")
    options = parser.parse_args()
    print("| noise of a pair | repeats | called without a change | unchanged, at the margin | error of the mean |")
    print("|---|---|---|---|---|")
    for family in FAMILIES:
        for follows in (False, True):
            found = simulate(family, 0.2, follows=follows, runs=options.runs)
            rule = "follow the noise" if follows else "as planned"
            print(f"| {family.name} | {rule} | {found.called:.1%} | {found.unchanged:.1%} | {found.error:.4f} |")


if __name__ == "__main__":
    main()
