"""Chains that go to and fro between two modes: what those of one axis are like, and how frequent beside changes."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.verdict.levels import SHORT, Floats

LONGEST_STREAK = 12
"""A mode that is kept for more values in the mean is a level: of the two modes, the one that is left sooner counts."""
_BY_CHANCE = 2.0
"""So many courses of an axis may come back without telling of modes: what was mended looks like that."""
_FEWEST_CHANGED = 0.5
_ROUNDS = 30
_CHANCES = (
    0.002, 0.005, 0.01, 0.02, 0.035, 0.06, 0.1, 0.15, 0.22, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99,
)  # fmt: skip
"""Of leaving a side, value by value."""
CHAINS = np.array([pair for pair in itertools.product(_CHANCES, repeat=2) if max(pair) >= 1 / LONGEST_STREAK])
"""Chances of leaving the lower and the upper side of all chains that are held against a course."""
_HIGH = CHAINS[:, 0] / CHAINS.sum(axis=1)  # of the values that are on the upper side
_LOGS = np.log(np.stack([CHAINS[:, 0], 1 - CHAINS[:, 0], CHAINS[:, 1], 1 - CHAINS[:, 1]]))

Sides = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Chain:
    """How often a course left its lower side (`rises` of `low` values) and its upper one (`falls` of `high`).

    `from_high` says whether it begins on the upper side.
    """

    low: int
    rises: int
    high: int
    falls: int
    from_high: bool

    @staticmethod
    def of(sides: Sides) -> Chain:
        """Count the transitions of a course."""
        before, after = sides[:-1], sides[1:]
        high = int(before.sum())
        rises, falls = int((~before & after).sum()), int((before & ~after).sum())
        return Chain(len(before) - high, rises, high, falls, bool(sides[0]))

    @property
    def crossings(self) -> int:
        """How often the course changed sides."""
        return self.rises + self.falls

    @property
    def mean_stay(self) -> float:
        """How many values the course stays on a side in the mean, on the side that it leaves sooner."""
        return min(self.low / max(self.rises, 0.5), self.high / max(self.falls, 0.5))


@dataclass(frozen=True, slots=True)
class Accounts:
    """How well a change at one place explains a course, and how well modes do: log likelihoods."""

    chain: Chain
    at: int  # on the axis
    change: float
    modes: float  # of which nothing else is known


class Mixture:
    """How many courses of an axis changed, and how many are chains of which kind, as far as the axis tells.

    That is the likeliest by expectation and maximization (Dempster, Laird and Rubin (1977), J. R. Stat. Soc. B 39).
    Only courses that come back tell of chains, since a single crossing may be a change; for how many chains that
    crossed once or not at all these stand is known of each kind.
    """

    def __init__(self, courses: Sequence[Sequence[Accounts]], modes: Sequence[Chain | None]) -> None:
        """Take the courses as `harness.verdict.modes.odds_of_changes` does."""
        certain = [(place, chain) for place, chain in enumerate(modes) if chain is not None]
        doubtful = [
            (place, max(found, key=lambda one: one.change))
            for place, (found, chain) in enumerate(zip(courses, modes, strict=True))
            if found and chain is None
        ]
        chains = [*(chain for _, chain in certain), *(one.chain for _, one in doubtful)]
        self._at = {place: at for at, (place, _) in enumerate([*certain, *doubtful])}
        # Courses that changed at one place have one cause: a machine that was slow for a week is no fifty modes.
        together = Counter(one.at for _, one in doubtful)
        count = np.array([*(1.0 for _ in certain), *(1 / together[one.at] for _, one in doubtful)])
        is_lone = np.array([chain.crossings < 2 for chain in chains], dtype=bool)
        count[is_lone] = 0.0
        changed = np.array([*(-np.inf for _ in certain), *(one.change for _, one in doubtful)])
        is_chain = np.array([*(1.0 for _ in certain), *(0.5 for _ in doubtful)])
        likely = likelihoods(chains)
        seen, once = crossed(np.array([chain.low + chain.high for chain in chains], dtype=np.float64))
        self._stand_for = np.zeros_like(likely)  # how many courses, by kind of chain, each course stands for
        self._changed = _FEWEST_CHANGED
        usual = np.ones(len(CHAINS))
        for _ in range(_ROUNDS if count.any() else 0):
            weighed = likely - np.log(seen) + np.log(usual)
            shares = np.exp(weighed - np.logaddexp.reduce(weighed, axis=1)[:, None]) * (is_chain * count)[:, None]
            usual = np.maximum(shares.sum(axis=0), 1e-9)
            self._stand_for = shares / seen
            kinds = self._stand_for.sum(axis=0)
            once_by_chance = float(kinds @ once.mean(axis=0))
            beyond_chance = is_lone.sum() - once_by_chance - 2 * math.sqrt(once_by_chance)
            self._changed = max(_FEWEST_CHANGED, float((1 - is_chain)[~is_lone].sum()) + max(0.0, beyond_chance))
            others = np.logaddexp.reduce(likely + np.log(np.maximum(kinds - self._stand_for, 1e-12)), axis=1)
            is_chain = 1 / (1 + np.exp(np.clip(changed + math.log(self._changed) - others, -700, 700)))
        self._kinds, self._back = self._stand_for.sum(axis=0), is_chain * count

    def usual(self, place: int, found: Sequence[Accounts]) -> list[float]:
        """Return how well the axis' other courses explain a course's changes as modes; minus infinity if not at all.

        Log likelihoods, weighed by how many such courses there are beside one that changed.
        """
        if not found:
            return []
        own = self._at[place]
        others = np.maximum(0.0, self._kinds - self._stand_for[own])
        back = float(self._back.sum() - self._back[own])
        beyond_chance = max(0.0, 1 - _BY_CHANCE / back) / self._changed if back > 0 else 0.0
        told = []
        for likely in likelihoods([one.chain for one in found]):
            number = float(others @ np.exp(likely - likely.max())) * beyond_chance
            told.append(math.log(number) + float(likely.max()) if number > 0 else -math.inf)
        return told


def crossed(steps: Floats) -> tuple[Floats, Floats]:
    """Return how likely each of CHAINS is to cross twice or more, and to cross once between two levels.

    Args:
        steps: of each course, from value to value.
    """
    low, high = 1 - CHAINS[:, 0], 1 - CHAINS[:, 1]

    def stretches(steps: Floats) -> Floats:
        """Return the sum of low^k high^(steps - 1 - k) over all places of the crossing."""
        apart = np.where(low == high, 1.0, low - high)
        return np.where(low == high, steps * low ** (steps - 1), (low**steps - high**steps) / apart)

    rows = steps[:, None]
    never = (1 - _HIGH) * low**rows + _HIGH * high**rows
    crossing = (1 - _HIGH) * (1 - low) + _HIGH * (1 - high)
    beside = np.where(rows < SHORT, 1, 2)  # a level has so many steps at least
    once = crossing * (low * high) ** beside * stretches(np.maximum(rows - 2 * beside, 1))
    return np.maximum(1 - never - crossing * stretches(rows), 1e-6), once


def likelihoods(chains: Sequence[Chain]) -> Floats:
    """Return the log likelihood of each course under each of CHAINS, as frequent as they are on either side."""
    counts = np.array([[c.rises, c.low - c.rises, c.falls, c.high - c.falls] for c in chains], dtype=np.float64)
    first = np.array([c.from_high for c in chains], dtype=bool).reshape(-1, 1)
    return np.asarray(counts.reshape(-1, 4) @ _LOGS + np.log(np.where(first, _HIGH, 1 - _HIGH)), dtype=np.float64)
