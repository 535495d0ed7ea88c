"""Where every row begins: both sides' values, no verdict yet, and the reason why it may stay so."""

from __future__ import annotations

from harness.verdict.rows import Method, Reason, Row, RowInput, Verdict

_SAYS_NOTHING = (Reason.NOT_MEASURED, Reason.UNKNOWN_DIRECTION)
"""Reasons that leave nothing to decide; for all others a verdict was wanted and is open."""


def undecided(row: RowInput, old: float | None, new: float | None, reason: Reason, *, blocks: int | None = None) -> Row:
    """Return an inconclusive row that shows what either side has and, where it exists, their ratio.

    Args:
        row: what is compared.
        old, new: the values to show, in the row's unit; None where there is none.
        reason: why it is not judged. Where one side is missing, or nobody knows which way is better, the row counts
            as shown only; else as judged and open, so that `--require-decision` sees it.
        blocks: how many of the smaller side's samples count; all where None.
    """
    positive = old is not None and new is not None and old > 0 and new >= 0
    return Row(
        metric=row.metric,
        unit=row.unit,
        kind=row.kind,
        device=row.device,
        model=row.model,
        variant=row.variant,
        old=old,
        new=new,
        ratio=new / old if positive and old and new is not None else None,
        low=None,
        high=None,
        p=None,
        q=None,
        verdict=Verdict.INCONCLUSIVE,
        reason=reason,
        judged=row.judged and reason not in _SAYS_NOTHING,
        margin=row.margin,
        blocks=min(len(row.old), len(row.new)) if blocks is None else blocks,
        tainted=row.tainted,
        detectable_ratio=None,
        blocks_needed=None,
        method=Method.NONE,
        spread=None,
    )
