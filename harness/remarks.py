"""What is to be said beside numbers: of the sides of a comparison, and of a run's subjects that nobody compares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric of one subject in one place; `value` is in `unit`, None where the subject has none there."""

    subject: str
    metric: str
    unit: str
    device: str
    model: str
    variant: str
    value: float | None

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What identifies its row: metric, device, model, variant."""
        return (self.metric, self.device, self.model, self.variant)


@dataclass(frozen=True, slots=True)
class Failure:
    """Repeats of one cell and operation that failed or are unsupported, with the reason they gave."""

    subject: str
    device: str
    model: str
    variant: str
    operation: str
    status: str  # failed or unsupported
    reason: str
    count: int


def failures_of(table: pd.DataFrame | None, subjects: Sequence[str]) -> tuple[Failure, ...]:
    """Return what failed, then what is unsupported, each in the order of the subjects.

    Args:
        table: `store.frame.failures_frame`; None where nothing is known of failures.
        subjects: names; failures of others are left out.
    """
    if table is None or table.empty:
        return ()
    key = ["subject", "device", "model", "variant", "operation", "status", "reason"]
    counted = table[table["subject"].isin(list(subjects))].groupby(key, sort=True)["count"].sum().reset_index()
    found = []
    for *texts, count in counted.itertuples(index=False):
        subject, device, model, variant, operation, status, reason = map(str, texts)
        found.append(Failure(subject, device, model, variant, operation, status, reason, int(count)))
    return tuple(sorted(found, key=lambda failure: (failure.status, list(subjects).index(failure.subject))))
