"""asv's fit of levels to a course for many penalties of a jump: `asv.step_detect.solve_potts_approx`, shared work once.

asv 0.6.6 fits each penalty from the beginning. Here what does not depend on the penalty is done once for all of them,
so the levels are the same, sooner.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from asv.step_detect import get_mu_dist, solve_potts

LONGEST = 20
"""Values of a level before levels are merged: what asv takes where a level may be as short as one value."""


class Potts:
    """The fits of levels to one course: `levels` gives one for each penalty of a jump."""

    def __init__(self, values: Sequence[float]) -> None:
        """Take the values of the course."""
        self._values, self._weights = list(values), [1] * len(values)
        self._distances = get_mu_dist(self._values, self._weights)
        self._found: list[tuple[float, tuple[int, ...]]] = []  # penalties, rising, and the best short levels of each
        self._bounds: dict[tuple[int, int, int], int] = {}  # by a bound and those around it
        self._moved: dict[tuple[int, ...], tuple[int, ...]] = {}

    @property
    def distance(self) -> float:
        """The sum of the absolute deviations from the median of all values."""
        return float(self._distances.dist(0, len(self._values) - 1))

    def levels(self, penalty: float) -> tuple[int, ...]:
        """Return the right ends of the levels that asv finds for a penalty of a jump; the last one is the length."""
        merged = self._merged(self._short_levels(penalty), penalty)
        if merged not in self._moved:
            self._moved[merged] = self._better_placed(merged)
        return self._moved[merged]

    def heights(self, rights: Sequence[int]) -> list[float]:
        """Return the median of each level."""
        return [self._distances.mu(left, right - 1) for left, right in itertools.pairwise([0, *rights])]

    def _short_levels(self, penalty: float) -> tuple[int, ...]:
        """Return the best levels of at most LONGEST values each.

        Their cost is a straight line over the penalty, which rises with their number: what is best at two penalties is
        best between them, and what has the fewest levels that there can be is best for every larger one.
        """
        below = max((one for one in self._found if one[0] <= penalty), default=None)
        above = min((one for one in self._found if one[0] >= penalty), default=None)
        fewest = -(-len(self._values) // LONGEST)
        if below and ((above and below[1] == above[1]) or len(below[1]) == fewest):
            return below[1]
        rights, _, _ = solve_potts(self._values, self._weights, penalty, max_size=LONGEST, mu_dist=self._distances)
        self._found.append((penalty, tuple(rights)))
        return tuple(rights)

    def _merged(self, rights: tuple[int, ...], penalty: float) -> tuple[int, ...]:
        """Return the levels after merging neighbours as long as that costs less, the first such pair each time."""
        dist = self._distances.dist
        ends = list(rights)
        alone = [dist(left, right - 1) for left, right in itertools.pairwise([0, *ends])]
        both = [dist(left, right - 1) for left, right in zip([0, *ends], ends[1:], strict=False)]
        while True:
            least, at = 0.0, len(ends)
            for place, together in enumerate(both):
                if at < place - 1:
                    break
                change = together - (alone[place] + alone[place + 1] + penalty)
                if change <= least:
                    least, at = change, place
            if at == len(ends):
                return tuple(ends)
            alone[at : at + 2] = [both[at]]
            del ends[at], both[at]
            for place in (at - 1, at):
                if 0 <= place < len(both):
                    both[place] = dist(ends[place - 1] if place else 0, ends[place + 1] - 1)

    def _better_placed(self, rights: tuple[int, ...]) -> tuple[int, ...]:
        """Return the levels with each bound moved by up to LONGEST values to where it costs least."""
        ends, left = list(rights), 0
        for place in range(len(ends) - 1):
            around = (left, ends[place], ends[place + 1])
            if around not in self._bounds:
                self._bounds[around] = self._best_bound(*around)
            ends[place] = left = self._bounds[around]
        return tuple(ends)

    def _best_bound(self, left: int, bound: int, right: int) -> int:
        dist = self._distances.dist
        best, score = bound, dist(left, bound - 1) + dist(bound, right - 1)
        for other in range(max(left + 1, bound - LONGEST), min(right - 1, bound + LONGEST) + 1):
            moved = dist(left, other - 1) + dist(other, right - 1)
            if moved < score and other != bound:
                best, score = other, moved
        return best
