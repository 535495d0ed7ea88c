"""What other tools' rules say of the same samples: old and new with every repeat pooled, shape (..., samples)."""

from __future__ import annotations

import numpy as np
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
