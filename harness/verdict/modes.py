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
  integrated out. Their priors are an ignorant one, and what the axis' other courses show, with as much weight as there
  are courses that come and go beside courses that changed: a mixture by expectation and maximization (Dempster, Laird
  and Rubin (1977), J. R. Stat. Soc. B 39).

A change is kept where its odds are 19 to 1: a chain gives odds of x with a chance of no more than 1 / x (Ville (1939),
"Étude critique de la notion de collectif"). Integrated chains: Kass and Raftery (1995), "Bayes factors", JASA 90. What
this finds and what it misses is simulated (docs/trust.md).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, gammaln

from harness.verdict.levels import Floats

ODDS = 19.0
"""Odds from which a change is believed."""

_IGNORANT = 0.005
"""Courses with modes that nothing else tells of, beside one that changed: how often to expect them."""
_BACK = 0.02
"""What a step back to a level that was left before is worth beside a step, apart from the choice of its place."""
_STRAYS = (1.0, 19.0)
"""Beta prior of the share of values that stray to the other side: one in twenty."""
_TIGHT = 4.5
"""Modes lie so many standard deviations apart; the two halves of a normal distribution, 2.7."""
_LONGEST_STREAK = 20
"""A mode that is kept for more values in the mean is a level: of the two modes, the one that is left sooner counts."""
_BY_CHANCE = 1.0
"""So many courses of an axis may come back without telling of modes: what was mended looks like that."""
_FEWEST_CHANGED = 0.5
_ROUNDS = 30
_STRENGTHS = tuple(2.0**power for power in range(8))
"""How alike the courses' chances may be: the sums of the parameters of their beta distribution."""

Sides = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Chain:
    """How often a course left its lower side (`rises` of `low` values) and its upper one (`falls` of `high`)."""

    low: int
    rises: int
    high: int
    falls: int

    @staticmethod
    def of(sides: Sides) -> Chain:
        """Count the transitions of a course."""
        before, after = sides[:-1], sides[1:]
        high = int(before.sum())
        return Chain(len(before) - high, int((~before & after).sum()), high, int((before & ~after).sum()))

    @property
    def crossings(self) -> int:
        """How often the course changed sides."""
        return self.rises + self.falls


@dataclass(frozen=True, slots=True)
class Accounts:
    """How well a change at one place explains a course, and how well modes do: log likelihoods."""

    chain: Chain
    at: int
    change: float
    modes: float  # of which nothing else is known


def accounts(sides: Sides, at: int) -> Accounts:
    """Return the accounts of a change.

    Args:
        sides: for each value, whether it lies above the middle of the two levels.
        at: the place of the first value of the new level.
    """
    chain = Chain.of(sides)
    return Accounts(chain, at, _change(sides, at), _ignorant(chain))


def crossing(sides: Sides) -> int:
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
    mixture = _Mixture(courses, modes)
    return [
        [
            math.exp(float(np.clip(one.change - np.logaddexp(math.log(_IGNORANT) + one.modes, usual), -700, 700)))
            for one, usual in zip(found, mixture.usual(place, found), strict=True)
        ]
        for place, found in enumerate(courses)
    ]


class _Mixture:
    """What the chains of an axis are like, and how frequent they are beside changes, as far as its courses tell."""

    def __init__(self, courses: Sequence[Sequence[Accounts]], modes: Sequence[Chain | None]) -> None:
        certain = [(place, chain) for place, chain in enumerate(modes) if chain is not None]
        open_ones = [
            (place, max(found, key=lambda one: one.change))
            for place, (found, chain) in enumerate(zip(courses, modes, strict=True))
            if found and chain is None
        ]
        chains = [*(chain for _, chain in certain), *(one.chain for _, one in open_ones)]
        self._at = {place: at for at, place in enumerate([*(p for p, _ in certain), *(p for p, _ in open_ones)])}
        self._counts = np.array([[c.rises, c.low, c.falls, c.high] for c in chains], dtype=np.float64).reshape(-1, 4)
        self._certain = len(certain)
        leaving = self._counts[:, [0, 2]] / np.maximum(self._counts[:, [1, 3]], 1)
        # Courses that changed at one place have one cause: a machine that was slow for a week is no fifty modes.
        together = Counter(one.at for _, one in open_ones)
        self._most = np.array([*(1.0 for _ in certain), *(1 / together[one.at] for _, one in open_ones)])
        self._most[leaving.max(axis=1, initial=0.0) < 1 / _LONGEST_STREAK] = 0.0
        self._weights = np.where([chain.crossings >= 2 for chain in chains], self._most, 0.0)
        self._strengths = self._likeliest_strengths()
        change = np.array([one.change for _, one in open_ones])
        doubtful = np.arange(self._certain, len(chains))
        for _ in range(_ROUNDS if len(doubtful) else 0):
            against = self._prior(doubtful) + self._likelihood(self._counts[doubtful], doubtful)
            share = 1 / (1 + np.exp(np.clip(change - against, -700, 700)))
            self._weights[doubtful] = share * self._most[doubtful]
            self._strengths = self._likeliest_strengths()

    def usual(self, place: int, found: Sequence[Accounts]) -> list[float]:
        """Return how well the axis' other courses explain a course's changes as modes; minus infinity if not at all."""
        if not found:
            return []
        own = np.full(len(found), self._at[place])
        counts = np.array([[c.rises, c.low, c.falls, c.high] for c in (one.chain for one in found)], dtype=np.float64)
        return [float(value) for value in self._prior(own) + self._likelihood(counts, own)]

    def _prior(self, own: NDArray[np.int64]) -> Floats:
        """Return the log of how many other courses have modes, beside one that changed."""
        with_modes = self._weights.sum() - self._weights[own] - _BY_CHANCE
        changed = max(_FEWEST_CHANGED, float((1 - self._weights[self._certain :]).sum()))
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(np.maximum(0.0, with_modes)) - math.log(changed), dtype=np.float64)

    def _likelihood(self, counts: Floats, own: NDArray[np.int64]) -> Floats:
        """Return the log likelihoods of courses under the chains of all others."""
        found = np.full(len(counts), -math.log(2))
        for side, strength in zip((0, 2), self._strengths, strict=True):
            sums = self._weights @ self._counts[:, side : side + 2]
            left, times = (sums - self._weights[own, None] * self._counts[own, side : side + 2]).T
            found += _beta_binomial(counts[:, side], counts[:, side + 1], (left + 0.5) / (times + 1), strength)
        return found

    def _likeliest_strengths(self) -> list[float]:
        """Return, of leaving each side, how alike the courses' chances are."""
        found = []
        for side in (0, 2):
            left, times = self._counts[:, side], self._counts[:, side + 1]
            mean = np.array((self._weights @ left + 0.5) / (self._weights @ times + 1))
            scores = [float(self._weights @ _beta_binomial(left, times, mean, strength)) for strength in _STRENGTHS]
            found.append(_STRENGTHS[int(np.argmax(scores))])
        return found


def _beta_binomial(left: Floats, times: Floats, mean: Floats, strength: float) -> Floats:
    """Return the log likelihood of leaving a side so many times, its chance having a beta distribution."""
    one, other = strength * mean, strength * (1 - mean)
    return np.asarray(betaln(one + left, other + times - left) - betaln(one, other), dtype=np.float64)


def _ignorant(chain: Chain) -> float:
    """Return the log likelihood of a chain of which nothing is known: either side first, all chances alike."""
    sides = ((chain.rises, chain.low), (chain.falls, chain.high))
    return -math.log(2) + sum(float(betaln(1 + left, 1 + times - left)) for left, times in sides)


def _change(sides: Sides, at: int) -> float:
    """Return the log likelihood of a course that changed at a place; of what is on the wrong side, the best account."""
    length = len(sides)
    rising = bool(sides[at:].mean() > sides[:at].mean())
    wrong = sides != ((np.arange(length) >= at) == rising)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], wrong, [False]]).astype(np.int8)))
    begins, ends = edges[::2], edges[1::2]
    # A stretch that reaches an end of the course takes one further step, another one takes two.
    steps = np.where((begins == 0) | (ends == length), 1, 2)
    longest_first = np.argsort(begins - ends, kind="stable")
    strays = int(wrong.sum()) - np.concatenate([[0], np.cumsum((ends - begins)[longest_first])])
    further = np.concatenate([[0], np.cumsum(steps[longest_first])])
    straying = betaln(_STRAYS[0] + strays, _STRAYS[1] + length - strays) - betaln(*_STRAYS)
    best = np.max(further * math.log(_BACK) - _log_choices(length - 1, further + 1) + straying)
    return float(best) - math.log(2)


def _log_choices(places: int, chosen: NDArray[np.int64]) -> Floats:
    some = np.minimum(chosen, places)
    return np.asarray(gammaln(places + 1) - gammaln(some + 1) - gammaln(places - some + 1), dtype=np.float64)
