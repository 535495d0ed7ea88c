"""Levels that a course keeps coming back to: modes of its noise, or a change?

A frequency step, a memory layout, a code path chosen by luck: many quantities have two tight modes and fall into one or
the other, by the throw of a coin or for some values in a row. Whoever fits levels to such a course finds one wherever
a few values happened to agree, and a test of two fitted levels knows nothing of how they were found. A step and the
beginning of a streak look alike, too; what tells them apart is whether the course comes back, and how often the other
courses on the same axis do. So each change is asked which account explains its course better, values taken as below or
above the middle between the two levels:

- change: the course stays on one side until there and on the other from there on. Single values may stray to the other
  side; coming back to the level that was left costs a further step, and that to the same level, which is rare.
- modes: a chain that leaves the lower side with one chance and the upper side with another, anywhere. Both chances are
  integrated out: over all there are, as far as nothing else is known (Kass and Raftery (1995), "Bayes factors", JASA
  90), and over those that the axis' other courses show, with as much weight as there are courses that come and go
  beside courses that changed (`chains.py`).

Changes are kept, the likeliest first, as long as of all kept ones one in twenty is a mode in the mean of their chances
(Newton et al. (2004), "Detecting differential gene expression with a semiparametric hierarchical mixture method",
Biostatistics 5). What this finds and what it misses is simulated (docs/trust.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, gammaln

from harness.verdict.chains import Accounts, Chain, Mixture, Sides
from harness.verdict.levels import Floats

MODES_LEVEL = 0.05
"""Accepted share of modes among the changes of an axis that are believed."""

_IGNORANT = 0.005
"""Courses with modes that nothing else tells of, beside one that changed: how often to expect them."""
_BACK = 0.02
"""What a step back to a level that was left before is worth beside a step, apart from the choice of its place."""
_ELSEWHERE = 0.2
"""What a step to yet another level is worth, likewise."""
_SAME_LEVEL = 0.25
"""Of the step: a stretch that lies nearer to a level is back at it."""
STRAYS = (1.0, 19.0)
"""Beta prior of the share of values that stray to the other side: one in twenty."""
_TIGHT = 4.5
"""Modes lie so many standard deviations apart; the two halves of a normal distribution, 2.7."""


def accounts(heights: Floats, places: NDArray[np.int64], since: int | None = None) -> Accounts:
    """Return the accounts of a change.

    Args:
        heights: the values, so that 0 is the lower and 1 the upper of the two levels.
        places: where they are on the axis.
        since: the place of the first value of the new level; None of a trend, which crosses the middle somewhere.
    """
    sides = heights > 0.5
    chain = Chain.of(sides)
    at = _crossing(sides) if since is None else int(np.searchsorted(places, since))
    return Accounts(chain, int(places[at]), _change(heights, at), _ignorant(chain))


def _crossing(sides: Sides) -> int:
    """Return where a course changes sides if it does so once: where the fewest values, or the most, are wrong."""
    below_after = np.arange(len(sides) - 1, 0, -1) - (int(sides.sum()) - np.cumsum(sides)[:-1])
    return 1 + int(np.argmax(np.abs(np.cumsum(sides)[:-1] + below_after - len(sides) / 2)))


def two_modes(logs: Floats, reach: float) -> Chain | None:
    """Return the chain of a course that goes to and fro between two tight modes further apart than `reach`, else None.

    The split with the least squares within both (Otsu (1979), "A threshold selection method from gray-level
    histograms", IEEE Trans. SMC 9). Few crossings between long stretches are steps, and no such chain.
    """
    ordered = np.sort(logs)
    length = len(ordered)
    sums, squares = np.cumsum(ordered), float(ordered @ ordered)
    counts = np.arange(1, length)
    low, high = sums[:-1] / counts, (sums[-1] - sums[:-1]) / (length - counts)
    between = counts * low**2 + (length - counts) * high**2
    at = int(np.argmax(between))
    apart = float(high[at] - low[at])
    within = math.sqrt(max(0.0, squares - float(between[at])) / max(1, length - 2))
    if apart <= reach or apart < _TIGHT * within:
        return None
    chain = Chain.of(logs > (ordered[at] + ordered[at + 1]) / 2)
    if chain.crossings < 2:
        return None
    places = _log_choices(length - 1, np.array([chain.crossings]))
    as_steps = (chain.crossings - 1) * math.log(_BACK) - float(places[0])
    return chain if as_steps < _ignorant(chain) else None


def odds_of_changes(courses: Sequence[Sequence[Accounts]], modes: Sequence[Chain | None]) -> list[list[float]]:
    """Return the odds of each change of each course against modes.

    Args:
        courses: for each course of one axis, the accounts of its changes; none where it has no change.
        modes: for each course, its chain where it goes to and fro between two modes (`two_modes`).
    """
    mixture = Mixture(courses, modes)
    return [
        [
            math.exp(float(np.clip(one.change - np.logaddexp(math.log(_IGNORANT) + one.modes, usual), -700, 700)))
            for one, usual in zip(found, mixture.usual(place, found), strict=True)
        ]
        for place, found in enumerate(courses)
    ]


def _ignorant(chain: Chain) -> float:
    """Return the log likelihood of a chain of which nothing is known: either side first, all chances alike."""
    sides = ((chain.rises, chain.low), (chain.falls, chain.high))
    return -math.log(2) + sum(float(betaln(1 + left, 1 + times - left)) for left, times in sides)


def _change(heights: Floats, at: int) -> float:
    """Return the log likelihood of a course that changed at a place; of what is on the wrong side, the best account."""
    sides, length = heights > 0.5, len(heights)
    rising = bool(sides[at:].mean() > sides[:at].mean())
    wrong = sides != ((np.arange(length) >= at) == rising)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], wrong, [False]]).astype(np.int8)))
    begins, ends = edges[::2], edges[1::2]
    # A stretch that reaches an end of the course takes one further step, another one takes two.
    steps = np.where((begins == 0) | (ends == length), 1, 2)
    back = [abs(float(np.median(heights[b:e])) - sides[b]) < _SAME_LEVEL for b, e in zip(begins, ends, strict=True)]
    costs = steps * np.where(back, math.log(_BACK), math.log(_ELSEWHERE))
    longest_first = np.argsort(begins - ends, kind="stable")
    strays = int(wrong.sum()) - np.concatenate([[0], np.cumsum((ends - begins)[longest_first])])
    further = np.concatenate([[0], np.cumsum(steps[longest_first])])
    straying = betaln(STRAYS[0] + strays, STRAYS[1] + length - strays) - betaln(*STRAYS)
    best = np.max(
        np.concatenate([[0.0], np.cumsum(costs[longest_first])]) - _log_choices(length - 1, further + 1) + straying
    )
    return float(best) - math.log(2)


def _log_choices(places: int, chosen: NDArray[np.int64]) -> Floats:
    some = np.minimum(chosen, places)
    return np.asarray(gammaln(places + 1) - gammaln(some + 1) - gammaln(places - some + 1), dtype=np.float64)
