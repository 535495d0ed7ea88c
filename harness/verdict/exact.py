"""Comparing what does not vary.

Determinism is verified, not declared: a side is deterministic if at least two blocks gave the very same number. Such
numbers carry no noise, so any difference is real, and the only question is whether it matters.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.verdict.rows import Reason, Verdict

TOLERANCE = 0.001
"""A choice of this project, no statistic: a change that is smaller concerns nobody."""


def is_deterministic(samples: Sequence[float], min_blocks: int) -> bool:
    """Tell whether at least `min_blocks` samples are there and all are equal."""
    return len(samples) >= min_blocks and len(set(samples)) == 1


def threshold(old: float, least: float, margin: float = 0.0) -> float:
    """Return the smallest change of `old` that matters, in its own unit: the margin, 0.1 %, and `least`."""
    return max(max(TOLERANCE, margin) * abs(old), least)


def compare(old: float, new: float, least: float, margin: float = 0.0) -> tuple[Verdict, Reason]:
    """Compare two noise-free numbers, less being better; works for an old value of 0 as well."""
    if new == old:
        return Verdict.SAME, Reason.EQUAL
    if abs(new - old) < threshold(old, least, margin):
        return Verdict.SAME, Reason.CHANGED_WITHIN_MARGIN
    return (Verdict.REGRESSION if new > old else Verdict.IMPROVEMENT), Reason.CHANGED
