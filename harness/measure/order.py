"""Which subject comes first: at random, and every subject before every other as often as after it.

An order and its reverse are drawn together, so of two rounds one begins with either side. What is odd in a block, an
import or the last of three saves, has its reverse in the next one.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

_Subject = TypeVar("_Subject")


class Orders:
    """Draws the orders of one block; the same for the same seed and block."""

    def __init__(self, seed: int, block: int) -> None:
        """Prepare for block number `block` of a run with this seed."""
        self._random = random.Random(f"{seed}/{block}/order")
        self._of_both = random.Random(f"{seed}/{block // 2}/order of two blocks")
        self._is_second = block % 2 == 1

    def draw(self, subjects: Sequence[_Subject], rounds: int) -> list[list[_Subject]]:
        """Return the order of the subjects in each of the rounds."""
        drawn: list[list[_Subject]] = []
        for _ in range(rounds // 2):
            one = self._random.sample(subjects, len(subjects))
            drawn += [one, one[::-1]]
        self._random.shuffle(drawn)
        odd = self._of_both.sample(subjects, len(subjects))
        if rounds % 2:
            drawn.insert(self._random.randrange(rounds), odd[::-1] if self._is_second else odd)
        return drawn
