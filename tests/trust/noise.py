"""Noise families: what the two sides of one row look like over the blocks of a run, on the log scale.

Each family gives the noise of both sides; only differences between the sides of a block matter to a paired test. In
all of them the bulk of one block's difference has the standard deviation asked for, and no side is slower in truth.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Sides = tuple[Floats, Floats]
Family = Callable[[np.random.Generator, tuple[int, ...], float], Sides]

_ROOT_2 = float(np.sqrt(2))


def log_normal(random: np.random.Generator, shape: tuple[int, ...], spread: float) -> Sides:
    """Independent normal noise on the log scale. The last axis of `shape` counts blocks."""
    return _each_side(lambda: random.standard_normal(shape), spread)


def bimodal(random: np.random.Generator, shape: tuple[int, ...], spread: float) -> Sides:
    """A slow mode that 30 % of the samples fall into: a frequency step, a code path, a memory layout."""
    share, weight = 0.3, 0.9
    mode_spread = np.sqrt(share * (1 - share))

    def side() -> Floats:
        mode = ((random.random(shape) < share) - share) / mode_spread
        return weight * mode + np.sqrt(1 - weight**2) * random.standard_normal(shape)

    return _each_side(side, spread)


def heavy_tail(random: np.random.Generator, shape: tuple[int, ...], spread: float) -> Sides:
    """Student's t with 3 degrees of freedom."""
    return _each_side(lambda: random.standard_t(3, shape) / np.sqrt(3), spread)


def outliers(random: np.random.Generator, shape: tuple[int, ...], spread: float) -> Sides:
    """Normal noise, and one sample in twenty slower by 3 to 10 standard deviations: a neighbour woke up."""

    def side() -> Floats:
        hit = random.random(shape) < 0.05
        return random.standard_normal(shape) + hit * random.uniform(3, 10, shape) * _ROOT_2

    return _each_side(side, spread)


def drift(random: np.random.Generator, shape: tuple[int, ...], spread: float) -> Sides:
    """Normal noise on a machine that gets steadily slower, by ten standard deviations; random order in a block."""
    old, new = log_normal(random, shape, spread)
    return _in_time(
        random, np.broadcast_to(np.linspace(0, 10 * spread, 2 * shape[-1]), (*shape[:-1], 2 * shape[-1])), old, new
    )


def autocorrelated(random: np.random.Generator, shape: tuple[int, ...], spread: float) -> Sides:
    """A machine whose state wanders (AR(1), 0.8 from one slot to the next), read in turn, order random in a block."""
    kept = 0.8
    slots = 2 * shape[-1]
    state = np.empty((*shape[:-1], slots))
    state[..., 0] = random.standard_normal(shape[:-1])
    for slot in range(1, slots):
        state[..., slot] = kept * state[..., slot - 1] + np.sqrt(1 - kept**2) * random.standard_normal(shape[:-1])
    # Neighbouring slots differ with variance 2 (1 - kept).
    zeros = np.zeros(shape)
    return _in_time(random, spread / np.sqrt(2 * (1 - kept)) * state, zeros, zeros)


def mode_a_block(random: np.random.Generator, shape: tuple[int, ...], spread: float) -> Sides:
    """A mode a block, and hardly any noise within: 30 % of the blocks of a side are in a slower mode.

    Where all of a run's few blocks are in one mode, their own scatter says that nothing varies.
    """
    share = 0.3

    def side() -> Floats:
        mode = ((random.random(shape) < share) - share) / np.sqrt(share * (1 - share))
        return mode + 0.02 * random.standard_normal(shape)

    return _each_side(side, spread)


def changing(random: np.random.Generator, shape: tuple[int, ...], spread: float) -> Sides:
    """Normal noise that is another one in each run, by a factor of two or so, and in each row of it.

    The first axis of `shape` counts runs; half the rows are within a factor of 1.4 of their run's noise.
    """
    runs = np.exp(random.normal(0, 0.7, (shape[0], *(1 for _ in shape[1:]))))
    level = runs * np.exp(random.normal(0, 0.5, (*shape[:-1], 1)))
    return _each_side(lambda: level * random.standard_normal(shape), spread)


FAMILIES: dict[str, Family] = {
    "log-normal": log_normal,
    "bimodal": bimodal,
    "drift": drift,
    "heavy tail": heavy_tail,
    "autocorrelated": autocorrelated,
    "outliers": outliers,
    "a mode a block": mode_a_block,
    "changing from run to run": changing,
}


def _each_side(draw: Callable[[], Floats], spread: float) -> Sides:
    return spread / _ROOT_2 * draw(), spread / _ROOT_2 * draw()


def _in_time(random: np.random.Generator, machine: Floats, old: Floats, new: Floats) -> Sides:
    """Add what the machine does, slot by slot: two slots a block, the sides in random order."""
    early, late = machine[..., 0::2], machine[..., 1::2]
    old_first = random.random(old.shape) < 0.5
    return old + np.where(old_first, early, late), new + np.where(old_first, late, early)
