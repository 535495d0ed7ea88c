"""Where the levels of a course lie: asv's step detection on the log scale, single outliers taken out.

The places are those of `asv.step_detect.detect_steps`; its search for the penalty is written anew here with arrays,
since the Python loop over all values took three quarters of the time of a large history. So is the fit (`potts`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from asv.step_detect import golden_search
from numpy.typing import NDArray
from scipy import stats

from harness.verdict.potts import Potts

FEWEST_FOR_STEPS = 5
"""Values of a course: fewer show no change, whatever they are."""
SHORT = 24
"""One value alone is an outlier until a second one agrees with it; in a course longer than this, until a third does."""
MOST_PASSES = 8
_OUTLIERS = 0.1  # of a course, at most
_MOST_AT_ONCE = 1000
MAD_TO_DEVIATION = 1.4826  # of a normal distribution
_RECENT = 400
"""The newest values of a long course are never condensed: a change of last week must be seen."""

Floats = NDArray[np.float64]


def levels(places: NDArray[np.int64], logs: Floats) -> tuple[NDArray[np.int64], Floats, list[int]]:
    """Return the course without outliers, and the bounds of its levels: [0, …, length]."""
    bounds = _jumps(logs)
    whole = len(logs)
    for _ in range(MOST_PASSES):
        alone = _outliers(logs, bounds)
        # Where every other value stands alone these are no outliers, but noise or a slope.
        left = len(logs) - len(alone)
        if not alone or whole - left > max(1, _OUTLIERS * whole) or left < FEWEST_FOR_STEPS:
            break
        places, logs = np.delete(places, alone), np.delete(logs, alone)
        bounds = _jumps(logs)
    return places, logs, bounds


def fewest(logs: Floats) -> int:
    """Return how many values a level needs."""
    return 2 if len(logs) <= SHORT else 3


def may_have_steps(logs: Floats, reach: float) -> bool:
    """Return whether a step beyond `reach` is possible: if not, the search for levels would find none that holds.

    Two neighbouring levels show as two neighbouring windows, each of about a level's length, whose means are further
    apart than `reach` and part of what the test of a jump will ask for: two standard errors are left to chance. Most
    courses of a large history end here, a hundred times sooner than after the search.
    """
    length = len(logs)
    deviation = noise(logs)
    centre = _running_median(logs)
    sums = np.concatenate([[0.0], np.cumsum(np.clip(logs, centre - 4 * deviation, centre + 4 * deviation))])
    asked = max(0.5, float(stats.norm.isf(0.025 / (length - 1))) - 2) * deviation
    sizes = [size for size in (fewest(logs), *(2**k + 1 for k in range(2, 20))) if size < length]
    before = {size: (sums[size:] - sums[:-size]) / size for size in sizes}  # of the window that begins at each place
    ends = {size: (float(means.min()), float(means.max())) for size, means in before.items()}
    for left, right in itertools.product(sizes, sizes):
        needed = reach + asked * math.sqrt(1 / left + 1 / right)
        furthest = max(ends[right][1] - ends[left][0], ends[left][1] - ends[right][0])
        if left + right > length or furthest <= needed:
            continue
        apart = np.abs(before[right][left:] - before[left][: length - left - right + 1])
        if float(apart.max()) > needed:
            return True
    return False


def noise(logs: Floats) -> float:
    """Return the standard deviation of one value by the differences of neighbours, which know of no levels."""
    return MAD_TO_DEVIATION * float(np.median(np.abs(np.diff(logs)))) / math.sqrt(2)


def without_outliers(places: NDArray[np.int64], logs: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Return a course that has no steps without what is far from all around."""
    deviation = noise(logs)
    alone = np.abs(logs - _running_median(logs)) > 5 * deviation
    if deviation <= 0 or alone.sum() > max(1, _OUTLIERS * len(logs)):
        return places, logs
    return places[~alone], logs[~alone]


def _running_median(logs: Floats) -> Floats:
    """Return the median of the values around each place, so many that a level as short as one may be is the most."""
    beside = fewest(logs) - 1
    around = np.median(np.lib.stride_tricks.sliding_window_view(logs, 2 * beside + 1), axis=1)
    return np.concatenate([np.repeat(around[0], beside), around, np.repeat(around[-1], beside)])


def _outliers(logs: Floats, bounds: Sequence[int]) -> list[int]:
    """Return the places of levels too short to be one; of neighbours, only the one that is furthest from all around."""
    spans = itertools.pairwise(bounds)
    short = [at for left, right in spans if right - left < fewest(logs) for at in range(left, right)]
    groups: list[list[int]] = []
    for at in short:
        if groups and groups[-1][-1] == at - 1:
            groups[-1].append(at)
        else:
            groups.append([at])
    return [max(group, key=lambda at: abs(logs[at] - np.median(logs[max(0, at - 3) : at + 4]))) for group in groups]


def _jumps(logs: Floats) -> list[int]:
    """Return the bounds of asv's levels: [0, …, length].

    Its cost grows faster than the length, so the older part of a long course is condensed to medians of short
    stretches, and each bound then moved, within its stretch, to where the two levels fit best.
    """
    if len(logs) <= _MOST_AT_ONCE:
        return [0, *_detected(logs)]
    older = len(logs) - _RECENT
    stretch = math.ceil(older / (_MOST_AT_ONCE - _RECENT))
    edges = [*range(0, older, stretch), *range(older, len(logs) + 1)]
    bounds = [0, *(edges[right] for right in _detected(_condensed(logs, older, stretch)))]
    triples = zip(bounds, bounds[1:], bounds[2:], strict=False)
    return [0, *(_best_place(logs, *triple, stretch) for triple in triples), len(logs)]


def _condensed(logs: Floats, older: int, stretch: int) -> Floats:
    """Return the medians of the stretches of the older part, the last of which may be short, then the newer values."""
    whole = older - older % stretch
    medians = [np.median(logs[:whole].reshape(-1, stretch), axis=1)]
    if whole < older:
        medians.append(np.median(logs[whole:older], keepdims=True))
    return np.concatenate([*medians, logs[older:]])


def _detected(logs: Floats) -> list[int]:
    """Return the right ends of asv's levels: `solve_potts_autogamma` of asv 0.6.6, the last right end is the length.

    The penalty of a jump is searched for that has the least information measure, neighbours' likeness taken out of the
    residuals.
    """
    length, fit = len(logs), Potts(logs.tolist())
    scale, per_level = fit.distance or 1.0, 4 * math.log(length) / length
    measures: dict[tuple[int, ...], float] = {}  # by levels, those that were found first come first

    def measure(rights: tuple[int, ...]) -> float:
        heights = fit.heights(rights)
        residuals = logs - np.repeat(heights, np.diff([0, *rights]))
        earlier, later = residuals[:-1], residuals[1:]

        def unlike(likeness: float) -> float:
            return float(abs(residuals[0]) + np.abs(later - likeness * earlier).sum())

        jumps = np.abs(np.diff(heights))
        floor = 0.1 * jumps.min() if len(heights) > 2 else 0.001 * np.abs(heights).min()
        rest = unlike(golden_search(unlike, -1, 1, xatol=0.05, expand_bounds=True))
        return float(per_level * len(rights) + math.log(max(1e-300, floor) + rest))

    def information(exponent: float) -> float:
        rights = fit.levels(scale * math.exp(exponent))
        if rights not in measures:
            measures[rights] = measure(rights)
        return measures[rights]

    lowest = math.log(0.1 / length)
    golden_search(information, lowest, 0.0, xatol=abs(lowest) * 0.1, ftol=0, expand_bounds=True)
    _, best = min((measure, place) for place, measure in enumerate(measures.values()))
    return list(list(measures)[best])


def _best_place(logs: Floats, left: int, bound: int, right: int, stretch: int) -> int:
    """Return the place near `bound` at which the absolute deviations from both levels are least."""
    low, high = max(left + 1, bound - stretch), min(right - 1, bound + stretch)
    window = logs[low:high]
    before = np.abs(window - np.median(logs[left:bound]))
    after = np.abs(window - np.median(logs[bound:right]))
    costs = np.concatenate([[0.0], np.cumsum(before - after)])
    return low + int(np.argmin(costs))
