"""From samples to verdicts: every row of one run, judged together.

The order of the questions, each with its own reason code, so that a verdict can be followed by hand:

1. Is there anything to compare?                        not-measured, all-tainted, no-common-blocks, failed
   (What is held against each other, block by block: `harness.verdict.differences`.)
2. Does neither side vary (times excepted)?             equal, changed-within-margin, changed
3. Can a ratio be formed, and does it vary?             non-positive (appeared, vanished), zero-variance
4. Are there blocks enough to judge by statistics?      too-few-blocks
5. Is it beyond the margin, all rows considered?        beyond-margin
6. ... or would it be, were it the only row?            multiplicity
7. Is it the same within the margin?                    within-margin
8. What was missing, then?                              near-margin, too-noisy
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.metrics import Kind
from harness.verdict import exact, hypotheses, power
from harness.verdict.compared import Compared, compared_of, finite, has_log_ratios, in_common
from harness.verdict.differences import ESTIMATOR
from harness.verdict.looks import SHARES, Evidence, separation, weigh
from harness.verdict.moderation import Prior, prior_of
from harness.verdict.rows import Method, Reason, Row, RowInput, Verdict
from harness.verdict.undecided import undecided

EQUIVALENCE_LEVEL = 0.05

_Priors = dict[int | None, Prior]
"""What like rows say of a row's noise, by look."""


@dataclass(frozen=True, slots=True)
class _Case:
    """A row on its way: what is known before the rows are looked at together."""

    row: Row
    settled: bool
    """The verdict stands whatever the other rows say."""
    evidence: Evidence | None = None

    @property
    def in_family(self) -> bool:
        return self.row.judged and not self.settled and self.row.p is not None


def judge(
    rows: Sequence[RowInput],
    *,
    q_level: float = 0.05,
    min_timed_blocks: int = 4,
    min_exact_blocks: int = 2,
    looks: Sequence[int] = (),
) -> tuple[Row, ...]:
    """Judge all rows of a run together, and return them in the order given.

    `q_level` is the false discovery rate that is accepted among the regressions and improvements that rest on
    statistics. Rows compared exactly have no noise that a test could weigh and stay out of the Benjamini-Hochberg
    family: sure findings in it would loosen the bar for noisy ones. (A quantity that is 0 or 1 by chance, as a failure
    that comes and goes, can agree with itself in two blocks and differ from the other side: docs/trust.md.) So do rows
    with under `min_timed_blocks` blocks, rows that are only shown, and the equivalence tests behind "same".
    `min_exact_blocks` equal samples a side verify determinism.
    `looks` are the numbers of blocks after which a run that may stop early was judged, this time included: its p-values
    are then paid for (`harness.verdict.looks`); empty for a run whose number of blocks was fixed.
    Never raises for the sake of a sample's value: what cannot be judged says why.
    """
    priors = _priors(rows, min_timed_blocks, looks)
    cases = [_open(row, min_timed_blocks, min_exact_blocks, looks, priors.get(row.like, {})) for row in rows]
    family = [index for index, case in enumerate(cases) if case.in_family]
    adjusted = hypotheses.false_discovery_q([cases[index].row.p or 0.0 for index in family])
    q_values = dict(zip(family, adjusted, strict=True))
    called = sum(q <= q_level for q in adjusted)
    # Benjamini-Hochberg would call one row more at this p-value: the bar that a row had to pass in this run.
    level = q_level * min(1.0, (called + 1) / len(family)) if family else q_level
    last_share = SHARES[-1] if looks else 1.0
    return tuple(
        _close(case, q_values.get(index), q_level, level, min_timed_blocks, last_share)
        for index, case in enumerate(cases)
    )


def _priors(rows: Sequence[RowInput], min_blocks: int, looks: Sequence[int]) -> dict[str | None, _Priors]:
    """Return what rows with the same `like` say of one another's noise, by look (None where there are no looks)."""
    groups: dict[str, list[Compared]] = {}
    for row in rows:
        if row.like is not None and row.paired:
            old, new = in_common(row, finite(row.old), finite(row.new))
            if old and min(*old.values(), *new.values()) > 0:
                groups.setdefault(row.like, []).append(compared_of(row, old, new))
    found: dict[str | None, _Priors] = {}
    for like, members in groups.items():
        for look in looks or (None,):
            seen = members if look is None else [one.until(look) for one in members]
            prior = prior_of([one.estimate() for one in seen if one.blocks >= min_blocks])
            if prior is not None:
                found.setdefault(like, {})[look] = prior
    return found


def _open(row: RowInput, min_timed_blocks: int, min_exact_blocks: int, looks: Sequence[int], priors: _Priors) -> _Case:
    """Answer questions 1 to 4 and prepare the test of the rest."""
    old, new = finite(row.old), finite(row.new)
    if not old or not new:
        reason = Reason.ALL_TAINTED if row.disturbed else Reason.NOT_MEASURED
        none = _row(row, list(old.values()), list(new.values()), reason)
        return _Case(replace(none, blocks_needed=min_timed_blocks if row.disturbed else None), settled=True)
    if row.is_failure:
        samples = (*old.values(), *new.values())
        if min(samples) > 0:  # two failures are not two equal measurements
            both = _row(row, list(old.values()), list(new.values()), Reason.FAILED)
            return _Case(replace(both, ratio=None), settled=True)
        if max(samples) > 0:
            min_exact_blocks = 1  # what failed on one side needs no second block to count
    if row.kind is not Kind.TIME:
        sides = [list(old.values()), list(new.values())]
        if all(exact.is_deterministic(side, min_exact_blocks) for side in sides):
            return _Case(_exact_row(row, sides[0], sides[1]), settled=True)
    if row.paired:
        common = in_common(row, old, new)
        if not common[0]:
            reason = Reason.ALL_TAINTED if old.keys() & new.keys() and row.tainted else Reason.NO_COMMON_BLOCKS
            return _Case(_row(row, list(old.values()), list(new.values()), reason), settled=True)
        old, new = common
    if min(len(old), len(new)) < min_exact_blocks and row.kind is Kind.EXACT:
        few = _row(row, list(old.values()), list(new.values()), Reason.TOO_FEW_BLOCKS)
        return _Case(replace(few, blocks_needed=min_exact_blocks), settled=True)
    return _by_statistics(row, old, new, min_timed_blocks, looks, priors)


def _by_statistics(
    row: RowInput,
    old_by_block: dict[int, float],
    new_by_block: dict[int, float],
    min_blocks: int,
    looks: Sequence[int],
    priors: _Priors,
) -> _Case:
    old, new = list(old_by_block.values()), list(new_by_block.values())
    if min(*old, *new) <= 0:
        return _with_zeros(row, old_by_block, new_by_block, min_blocks, looks)
    if min(len(old), len(new)) < 2:
        few = _row(row, old, new, Reason.TOO_FEW_BLOCKS)
        return _Case(replace(few, blocks_needed=min_blocks), settled=True)
    margin = _statistical_margin(row, math.exp(float(np.log(old).mean())))
    by_pairs = has_log_ratios(row)
    compared = compared_of(row, old_by_block, new_by_block)
    evidence = weigh(compared, margin=margin, looks=looks, min_blocks=min_blocks, priors=priors)
    estimate = evidence.estimate
    if estimate.error == 0 and by_pairs and row.kind is not Kind.TIME:
        # Pairs that agree in their middle half only: what never varies is held against each other as a whole.
        return _by_statistics(replace(row, pairs=None), old_by_block, new_by_block, min_blocks, looks, priors)
    if estimate.error == 0:
        # A clock whose readings never vary is broken or too coarse; other quantities may well agree block by block,
        # or differ by one and the same factor in every block.
        if row.kind is not Kind.TIME:
            return _Case(_exact_row(row, old, new), settled=True)
        return _Case(_row(row, old, new, Reason.ZERO_VARIANCE), settled=True)
    low, high = evidence.interval
    judged = replace(
        _row(row, old, new, Reason.TOO_NOISY),
        ratio=_ratio(estimate.mean),
        low=_ratio(low),
        high=_ratio(high),
        p=evidence.beyond,
        margin=margin,
        method=Method.PAIRED_T if row.paired else Method.WELCH_T,
        spread=estimate.spread,
        estimator=ESTIMATOR if by_pairs else None,
        pairs=len(row.pairs or ()) if by_pairs else None,
        pairs_dropped=row.pairs_dropped if by_pairs else None,
        process_pairs=row.process_pairs if by_pairs else None,
        borrowed_freedom=estimate.borrowed or None,
    )
    if estimate.blocks < min_blocks:
        return _Case(replace(judged, reason=Reason.TOO_FEW_BLOCKS), settled=True, evidence=evidence)
    return _Case(judged, settled=False, evidence=evidence)


def _with_zeros(
    row: RowInput,
    old_by_block: dict[int, float],
    new_by_block: dict[int, float],
    min_blocks: int,
    looks: Sequence[int],
) -> _Case:
    """Handle samples of 0 (or less, which only a fault can give), whose logarithm does not exist.

    A time of 0 is a fault of the clock. A count (failed repeats) may be 0 on one side and vary on the other: that it
    appeared or vanished is then tested by complete separation, each look paid for.
    """
    old, new = list(old_by_block.values()), list(new_by_block.values())
    plain = replace(_row(row, old, new, Reason.NON_POSITIVE), blocks_needed=None)
    if row.kind is Kind.TIME or min(*old, *new) < 0:
        return _Case(plain, settled=True)
    needed = max(min_blocks, hypotheses.blocks_to_separate(0.05 * (SHARES[-1] if looks else 1.0), row.paired))
    if min(len(old), len(new)) < min_blocks:
        return _Case(replace(plain, blocks_needed=needed), settled=True)
    p = separation(old_by_block, new_by_block, paired=row.paired, looks=looks, min_blocks=min_blocks)
    return _Case(replace(plain, p=p, method=Method.SEPARATION, blocks_needed=needed), settled=False)


def _close(case: _Case, q: float | None, q_level: float, level: float, min_timed_blocks: int, last_share: float) -> Row:
    """Answer questions 5 to 8, and say what the run could have seen and what another look could."""
    row, evidence = replace(case.row, q=q), case.evidence
    if not case.settled and row.judged:
        row = _decide(row, evidence, q_level)
    elif not row.judged and row.reason is not Reason.NOT_MEASURED:
        row = replace(row, verdict=Verdict.INCONCLUSIVE, reason=Reason.NOT_JUDGED)
    if evidence is None:
        return row
    estimate = evidence.estimate
    detectable = power.detectable_log_change(estimate.error, estimate.freedom, row.margin, level * evidence.share)
    row = replace(row, detectable_ratio=None if detectable is None else math.exp(detectable))
    if not row.judged:
        return row
    if row.verdict is not Verdict.INCONCLUSIVE:
        return replace(row, blocks_needed=estimate.blocks)
    at_least = max(min_timed_blocks, estimate.blocks + (row.reason is not Reason.TOO_FEW_BLOCKS))
    low, high = evidence.interval
    needed = power.blocks_to_settle(
        # What may be no change at all is planned for as none: an estimate made of noise would plan by its noise.
        0.0 if low <= 0 <= high else estimate.mean,
        estimate.expected_spread,
        row.margin,
        level=level * last_share,
        same_level=EQUIVALENCE_LEVEL * last_share,
        freedom_per_block=estimate.freedom_per_block,
        at_least=at_least,
    )
    return replace(row, blocks_needed=needed)


def _decide(row: Row, evidence: Evidence | None, q_level: float) -> Row:
    """Decide a judged row that is in the family, hence has p and q."""
    worse = row.new is not None and row.old is not None and row.new > row.old
    called = row.q is not None and row.q <= q_level
    if evidence is None:
        if not called:
            reason = Reason.MULTIPLICITY if row.p is not None and row.p <= q_level else Reason.NON_POSITIVE
            return replace(row, verdict=Verdict.INCONCLUSIVE, reason=reason)
        reason = Reason.APPEARED if worse else Reason.VANISHED
        return replace(row, verdict=Verdict.REGRESSION if worse else Verdict.IMPROVEMENT, reason=reason)
    if called:
        verdict = Verdict.REGRESSION if evidence.is_larger else Verdict.IMPROVEMENT
        return replace(row, verdict=verdict, reason=Reason.BEYOND_MARGIN)
    low, high = evidence.interval
    if low > math.log1p(row.margin) or high < -math.log1p(row.margin):
        return replace(row, verdict=Verdict.INCONCLUSIVE, reason=Reason.MULTIPLICITY)
    if evidence.within <= EQUIVALENCE_LEVEL:
        return replace(row, verdict=Verdict.SAME, reason=Reason.WITHIN_MARGIN)
    # An interval that excludes "no change" but reaches over the margin: something moved, how far is open.
    moved = low > 0 or high < 0
    return replace(row, verdict=Verdict.INCONCLUSIVE, reason=Reason.NEAR_MARGIN if moved else Reason.TOO_NOISY)


def _statistical_margin(row: RowInput, old: float) -> float:
    """Return the margin against which a row that varies is tested.

    A quantity that was thought exact but varies gets at least the tolerance of the exact comparison: against a margin
    of 0 it could never be called the same. Bytes likewise get at least what is of interest. Times keep theirs, even 0.
    """
    if row.kind is Kind.TIME:
        return row.margin
    tolerance = exact.TOLERANCE if row.kind is Kind.EXACT or row.least_change else 0.0
    # A margin bounds the ratio from below as its inverse: half of `old` is a decrease by half, but a margin of 1.
    share = row.least_change / old
    return max(row.margin, tolerance, share / (1 - share) if share < 0.9 else 10 * share)


def _exact_row(row: RowInput, old: list[float], new: list[float]) -> Row:
    verdict, reason = exact.compare(old[0], new[0], row.least_change, row.margin)
    reach = exact.threshold(old[0], row.least_change, row.margin) / abs(old[0]) if old[0] != 0 else None
    return replace(
        _row(row, old, new, reason),
        verdict=verdict,
        method=Method.EXACT,
        blocks_needed=min(len(old), len(new)),
        detectable_ratio=None if reach is None else 1 + reach,
    )


def _row(row: RowInput, old: list[float], new: list[float], reason: Reason) -> Row:
    """Return an inconclusive row with the centres of both sides; `old` and `new` are the samples that count."""
    return undecided(row, _centre(old), _centre(new), reason, blocks=min(len(old), len(new)))


def _centre(samples: list[float]) -> float | None:
    if not samples:
        return None
    if len(set(samples)) == 1:
        return samples[0]
    if min(samples) > 0:
        return math.exp(float(np.log(samples).mean()))
    return sum(value / len(samples) for value in samples)


def _ratio(log_ratio: float) -> float | None:
    """Return exp(log_ratio), None beyond what a float holds: an interval of two blocks may reach that far."""
    return math.exp(log_ratio) if log_ratio < 700 else None
