"""Looking at a run more than once, and paying for it.

A run that is judged after every few blocks and stopped once it "shows" something finds more than there is: each look
is one more chance of a false alarm. `--budget` therefore takes at most four looks, at numbers of blocks that were fixed
before, and each look may spend only a share of the error rates:

    share of look j = f(blocks at look j) - f(blocks at look j-1),   f(n) = (n / 20) ** 1.5

f is the power-family spending function of Kim and DeMets (1987), "Design and analysis of group sequential tests based
on the type I error spending rate function", Biometrika 74, with exponent 1.5: little for the first looks, half for the
last. The spent shares are added up by Bonferroni: a row's paid p-value after its looks 1 .. J is

    P = min over j <= J of  p_j / share_j        (at most 1)

Under the null hypothesis P(P <= a) <= sum of share_j * a <= a: for every a, however the looks depend on one another,
and whatever made the row's cell stop after look J (its own values, those of other rows, the clock). So P can go into
Benjamini-Hochberg with the other rows' like any p-value; boundaries computed for one level, which would use the
dependence between looks, could not. P never rises with another look, so what was called once stays called as long as
the family of rows stays the same. "Same" is paid for in the same way. Intervals at look j have the confidence
1 - 0.05 * share_j (repeated confidence intervals: Jennison and Turnbull (1989), "Interim analyses: the repeated
confidence interval approach", J. R. Stat. Soc. B 51): all of a row's together hold the truth in 95 % of all rows.
The one that is shown is the last look's; a row that an earlier look called keeps that look's direction, and its
interval may by then reach over the margin again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.verdict import hypotheses, intervals
from harness.verdict.compared import Apart, Compared
from harness.verdict.intervals import Estimate
from harness.verdict.moderation import Prior, moderated

PLANNED = (5, 8, 12, 20)
"""Blocks after which a budgeted run is judged."""

EXPONENT = 1.5
"""Of the spending function. Simulated (docs/trust.md): 1 spends on looks that five blocks can hardly use, 3 leaves
them nothing."""


def _shares() -> tuple[float, ...]:
    spent = [(blocks / PLANNED[-1]) ** EXPONENT for blocks in (0, *PLANNED)]
    return tuple(after - before for before, after in pairwise(spent))


SHARES = _shares()
"""The share of the error rates that each look may spend; they add up to 1."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a row's samples say against its margin, all looks paid for.

    `beyond` and `within` are the paid p-values of "beyond the margin" and "within the margin"; `estimate` is that of
    the row's last look, `share` what that look could spend (1 where there was a single look).
    """

    estimate: Estimate
    beyond: float
    within: float
    share: float
    is_larger: bool
    """Which way the look went that says most against "within the margin": the new side was larger."""

    @property
    def interval(self) -> tuple[float, float]:
        """The interval of the log ratio at the last look: 95 % for a single look, wider where there were more."""
        return self.estimate.interval(1 - (1 - intervals.CONFIDENCE) * self.share)


def weigh(
    compared: Compared,
    *,
    margin: float,
    looks: Sequence[int] = (),
    min_blocks: int = 4,
    priors: Mapping[int | None, Prior] = {},
) -> Evidence:
    """Weigh one row.

    Args:
        compared: its blocks, at least two a side, numbered from 0.
        margin: a fraction.
        looks: blocks after which the run was judged, ascending, at most four; the last look is the one now taken.
            Empty for a run that is judged once, whose number of blocks did not depend on its values.
        min_blocks: a look at fewer blocks decides nothing, and is not counted.
        priors: what like rows say of the row's noise, by look; without looks that of None.

    Blocks after the last look are left out: they belong to the next one. A row whose cell stopped keeps the p-value of
    its last look; a look without a new block is none.
    """
    if not looks:
        estimate = _estimate(compared, priors.get(None), min_blocks)
        return Evidence(estimate, *_tests(estimate, margin), share=1.0, is_larger=estimate.mean > 0)
    if len(looks) > len(SHARES):
        raise ValueError(f"{len(looks)} looks were taken and {len(SHARES)} can be paid for")
    beyond = within = 1.0
    found: tuple[Estimate, float] | None = None
    larger: bool | None = None
    for share, blocks in _looked_at(compared, looks):
        seen = compared.until(blocks)
        estimate = _estimate(seen, priors.get(blocks), min_blocks)
        found = (estimate, share)
        if seen.blocks >= min_blocks and estimate.error > 0:
            p_beyond, p_within = _tests(estimate, margin)
            if larger is None or p_beyond / share < beyond:
                larger = estimate.mean > 0
            beyond, within = min(beyond, p_beyond / share), min(within, p_within / share)
    estimate, share = found or (compared.estimate(), SHARES[0])
    return Evidence(estimate, beyond, within, share, estimate.mean > 0 if larger is None else larger)


def separation(
    old: Mapping[int, float], new: Mapping[int, float], *, paired: bool, looks: Sequence[int], min_blocks: int = 4
) -> float:
    """Return the p-value of complete separation, its looks paid for as `weigh` pays.

    `old` and `new` are samples by block number, the same blocks where `paired`; `looks` and `min_blocks` as in `weigh`.
    """
    if not looks:
        return hypotheses.complete_separation(list(old.values()), list(new.values()), paired)
    p = 1.0
    apart = Apart(old, new)
    for share, blocks in _looked_at(apart, looks):
        seen = apart.until(blocks)
        if seen.blocks >= min_blocks:
            sides = list(seen.old.values()), list(seen.new.values())
            p = min(p, hypotheses.complete_separation(*sides, paired) / share)
    return p


def _looked_at(compared: Compared, looks: Sequence[int]) -> Iterator[tuple[float, int]]:
    """Yield share and number of blocks of each look that had new blocks of the row, two a side at least."""
    before = 0
    for blocks, share in zip(looks, SHARES, strict=False):
        seen = compared.until(blocks)
        if seen.blocks >= 2 and seen.blocks != before:
            before = seen.blocks
            yield share, blocks


def _estimate(compared: Compared, prior: Prior | None, min_blocks: int) -> Estimate:
    estimate = compared.estimate()
    return moderated(estimate, prior) if compared.blocks >= min_blocks else estimate


def _tests(estimate: Estimate, margin: float) -> tuple[float, float]:
    if estimate.error == 0:
        return 1.0, 1.0
    return hypotheses.beyond_margin(estimate, margin), hypotheses.within_margin(estimate, margin)
