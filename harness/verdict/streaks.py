"""Short courses that left a level and did not come back: steps, or streaks that had no time to end?

Of one course of twelve values nobody can tell, and a step is the simpler account. Of several on one axis one can: were
they chains that stay on a side for some ten values, then some of the axis' courses would have come back, and of the
others fewer would be quiet. So one question is asked of all of an axis' courses: does one kind of chain explain them
better than steps do? The longer the courses are, the surer the answer.

Rows that changed at one place, more of them than chance brings together, have one cause and are no streaks.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from harness.verdict.chains import LONGEST_STREAK, Accounts, Chain, crossed, likelihoods
from harness.verdict.modes import STRAYS

SHORT = 3 * LONGEST_STREAK
"""Values of a course: in longer ones streaks end, and other courses show what they are like (`chains.py`)."""
_PRIOR = 0.35
"""Log odds for steps before anything is seen: one step among quiet courses is believed."""
_FOR_EACH, _AT_MOST = 0.13, 0.8
"""Log odds that each step must add, and all of them."""
_MENDED = 0.1
"""Beside so many courses that changed, one came back because somebody mended it."""
_TOGETHER = 0.01
"""Chance of so many rows' crossing at one place, below which they have one cause."""
_STREAK = 2.0
"""A course that came back tells of streaks if it stays on both sides for so many values in the mean."""
_SHARES = np.array([0.1, 0.2, 0.35, 0.5, 0.75, 1.0])
"""Of an axis' courses that are chains."""


@dataclass(frozen=True, slots=True)
class Crossings:
    """What the courses of an axis show: those that crossed once, those that came back, and how many do neither."""

    once: Sequence[Accounts]
    back: Sequence[Chain]
    quiet: int


def may_be_streaks(seen: Crossings) -> list[bool]:
    """Return which of the courses that crossed once may have streaks."""
    if not seen.once:
        return []
    length = max(one.chain.low + one.chain.high for one in seen.once) + 1
    if length > SHORT:
        return [False] * len(seen.once)
    rows = Counter(one.at for one in seen.once)
    chance = 1 / (length - 1)
    together = {
        at
        for at, number in rows.items()
        if number > 1 and stats.binom.sf(number - 1, len(seen.once), chance) / chance < _TOGETHER
    }
    alone = [one for one in seen.once if one.at not in together]
    streaks = [chain for chain in seen.back if chain.mean_stay >= _STREAK]
    quiet = seen.quiet + len(seen.back) - len(streaks)
    doubtful = bool(alone) and _log_odds(alone, streaks, quiet, length) + _PRIOR < min(_AT_MOST, _FOR_EACH * len(alone))
    return [doubtful and one.at not in together for one in seen.once]


def _log_odds(once: Sequence[Accounts], back: Sequence[Chain], quiet: int, length: int) -> float:
    """Return the log odds of steps against the one kind of chain that explains all courses best."""
    courses = len(once) + len(back) + quiet
    no_strays = math.log(STRAYS[1] / (STRAYS[1] + length))  # which an account pays, and quiet courses do not
    at_a_place = -math.log(2 * (length - 1))
    as_steps = sum(at_a_place if one.chain.crossings < 2 else one.change - no_strays for one in once)
    as_steps += len(once) * math.log(len(once) / courses)
    as_steps += quiet * math.log(quiet / courses) if quiet else 0.0
    twice_seen, once_seen = crossed(np.array([length - 1.0]))
    share = _SHARES[:, None]
    as_chains = len(once) * np.log(share) + likelihoods([one.chain for one in once]).sum(axis=0)
    as_chains = as_chains + quiet * np.log(1 - share + share * np.clip(1 - twice_seen[0] - once_seen[0], 1e-9, 1))
    if back:  # beside steps they are chains of any kind
        of_back = np.exp(likelihoods(back))
        otherwise = of_back.max(axis=1) * len(back) / courses
        gained = np.sort(np.log1p(share[..., None] * of_back.T / otherwise), axis=-1)
        as_chains += gained[..., : max(0, len(back) - int(_MENDED * len(once)))].sum(axis=-1)
    return as_steps - float(as_chains.max())
