"""What goes into a verdict and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.metrics import Kind


class Verdict(StrEnum):
    """The four answers. Less is better for every metric, so a regression is always "more"."""

    REGRESSION = "regression"
    IMPROVEMENT = "improvement"
    SAME = "same"
    INCONCLUSIVE = "inconclusive"


class Reason(StrEnum):
    """Why a row has its verdict: a stable, machine-readable code. `harness.report.wording` has the human words."""

    # regression, improvement
    BEYOND_MARGIN = "beyond-margin"
    CHANGED = "changed"
    APPEARED = "appeared"
    VANISHED = "vanished"
    # same
    WITHIN_MARGIN = "within-margin"
    EQUAL = "equal"
    CHANGED_WITHIN_MARGIN = "changed-within-margin"
    # inconclusive
    MULTIPLICITY = "multiplicity"
    NEAR_MARGIN = "near-margin"
    TOO_NOISY = "too-noisy"
    TOO_FEW_BLOCKS = "too-few-blocks"
    ZERO_VARIANCE = "zero-variance"
    NON_POSITIVE = "non-positive"
    NO_COMMON_BLOCKS = "no-common-blocks"
    ALL_TAINTED = "all-tainted"
    NOT_MEASURED = "not-measured"
    NOT_JUDGED = "not-judged"
    # inconclusive, of results that are read as another project's asv left them
    NO_SAMPLES = "no-samples"
    SINGLE_VALUE = "single-value"
    TOO_FEW_SAMPLES = "too-few-samples"
    OTHER_VERSION = "other-version"
    FAILED = "failed"
    UNKNOWN_DIRECTION = "unknown-direction"


class Method(StrEnum):
    """How a row's two sides were compared."""

    EXACT = "exact"
    PAIRED_T = "paired-t"
    WELCH_T = "welch-t"
    SEPARATION = "separation"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class RowInput:
    """The samples of one row, for both sides.

    `old` and `new` hold (block, sample) pairs, at most one a block; tainted samples are left out before and counted in
    `tainted`. `disturbed`: a side has no sample only because all its repeats are tainted. A sample that is not a finite
    number counts as absent. `margin` is a fraction (0.10 is 10 %). Rows with the same `like` have noise of one kind, so
    that each tells of the others' (`moderation`); None: of no other. `pairs` holds (block, old, new) of each whole
    round behind the samples, `pairs_dropped` counts the rounds that a taint, failure or retry on either side left
    without their pair; None where the samples are not made of rounds that pair: then a block's two samples are its only
    pair; of them `process_pairs` pairs of processes took turns in slices, None where none did. `least_change` is what a
    change must reach to be of interest, in the row's unit (`margins.least_change`).
    `is_failure`: the samples say whether an attempt failed (1) or not (0), so no sample is a measurement.
    """

    metric: str
    unit: str
    kind: Kind
    device: str
    model: str
    variant: str
    judged: bool
    margin: float
    old: tuple[tuple[int, float], ...]
    new: tuple[tuple[int, float], ...]
    tainted: int = 0
    disturbed: bool = False
    paired: bool = True
    least_change: float = 0.0
    is_failure: bool = False
    pairs: tuple[tuple[int, float, float], ...] | None = None
    pairs_dropped: int = 0
    process_pairs: int | None = None
    like: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One judged (or only shown) row.

    `old` and `new` are geometric means over the blocks that were compared, or the very value where it never varied, or
    arithmetic means where a sample is not positive. `ratio` is the change that was judged, new / old: of a row judged
    by pairs that of its blocks' differences (`estimator` says how they are made, `pairs` how many there were), else of
    `old` and `new` themselves; `low` and `high` bound its 95 % interval. `p` is two-sided against the margin, `q` is
    `p` after Benjamini-Hochberg. `detectable_ratio` is the smallest true ratio that would have been called with 80 %
    power; `blocks_needed` are the blocks, in all, that would settle the row if the truth is the estimate (no change,
    where the interval allows that), and of a settled row those that did. What does not exist is None, never zero.
    """

    metric: str
    unit: str
    kind: Kind
    device: str
    model: str
    variant: str
    old: float | None
    new: float | None
    ratio: float | None
    low: float | None
    high: float | None
    p: float | None
    q: float | None
    verdict: Verdict
    reason: Reason
    judged: bool
    margin: float
    blocks: int
    tainted: int
    detectable_ratio: float | None
    blocks_needed: int | None
    method: Method
    spread: float | None
    """Standard deviation of one block's log difference (a fraction: 0.02 is about 2 %)."""
    estimator: str | None = None
    """How a block's difference was made of its pairs (`differences.ESTIMATOR`); None where pairs were not judged."""
    pairs: int | None = None
    pairs_dropped: int | None = None
    process_pairs: int | None = None
    """Pairs of processes that took turns in slices, over all blocks; None where the row was not measured so."""
    borrowed_freedom: float | None = None
    """Degrees of freedom that like rows added to those of the row's own blocks; None where they said nothing."""

    @property
    def medians_disagree(self) -> bool:
        """Whether new / old of the values shown lies outside the interval of the change that was judged."""
        if self.estimator is None or not self.old or self.new is None or self.low is None:
            return False
        shown = self.new / self.old
        return shown < self.low or (self.high is not None and shown > self.high)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What identifies a row: metric, device, model, variant."""
        return (self.metric, self.device, self.model, self.variant)
