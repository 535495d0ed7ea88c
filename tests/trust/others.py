"""What other tools' rules say of the same samples: old and new with every repeat pooled, shape (..., samples)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from asv.commands.compare import _is_result_better
from asv_runner.statistics import compute_stats
from scipy import stats

from .noise import Floats
from .vectorised import Flags


def asv_compare(old: Floats, new: Floats, factor: float = 1.1) -> Flags:
    """asv 0.6.6, `asv compare`: medians differ by the factor and a Mann-Whitney test has p < 0.002.

    (asv/commands/compare.py `_is_result_better`, asv/_stats.py `is_different`; for sides so large that the test can
    reach 0.002, else asv compares intervals.)
    """
    different = _mann_whitney(old, new) < 0.002
    ratio = np.median(new, axis=-1) / np.median(old, axis=-1)
    found: Flags = different & ((ratio > factor) | (ratio < 1 / factor))
    return found


def pyperf_compare(old: Floats, new: Floats) -> Flags:
    """pyperf, `compare_to`: Student's two-sample t test at 95 %, two-tailed, variances pooled (pyperf/_utils.py)."""
    found: Flags = stats.ttest_ind(old, new, axis=-1).pvalue <= 0.05
    return found


def pooled_mann_whitney(old: Floats, new: Floats) -> Flags:
    """Mann-Whitney over all samples at p < 0.05: what a careful user would reach for."""
    found: Flags = _mann_whitney(old, new) < 0.05
    return found


def _mann_whitney(old: Floats, new: Floats) -> Floats:
    p_values: Floats = stats.mannwhitneyu(old, new, axis=-1, method="asymptotic").pvalue
    return p_values


def asv_compare_itself(old: Sequence[float], new: Sequence[float], factor: float = 1.1) -> int:
    """Ask asv's own code about one row: 1 where new is larger by its rule, -1 where it is smaller, else 0.

    It also knows what to do with few samples: then the intervals of the medians must not overlap.
    """
    (before, told_before), (after, told_after) = (compute_stats(list(side), 1) for side in (old, new))
    sides = (told_before, list(old)), (told_after, list(new))
    if _is_result_better(before, after, *sides, factor):
        return 1
    return -1 if _is_result_better(after, before, *reversed(sides), factor) else 0
