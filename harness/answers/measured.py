"""What was measured of a subject in one place, and what has no value there: it failed, or was disturbed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The tainted repeats of a subject, and how many of them have each kind of taint."""

    subject: str
    repeats: int
    kinds: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class WithoutValue:
    """A row of which a subject has no value since all its repeats there are tainted, and the kinds of the taints."""

    subject: str
    metric: str
    device: str
    model: str
    variant: str
    repeats: int
    kinds: tuple[str, ...]


def measured_of(table: pd.DataFrame) -> tuple[Measured, ...]:
    """Return the medians of `store.summary.summary`, row by row, a row's subjects in the order of the columns."""
    found = []
    for key, *values in table.itertuples(name=None):
        _, metric, unit, device, model, variant = map(str, key)
        for subject, value in zip(table.columns, values, strict=True):
            number = None if pd.isna(value) else float(value)
            found.append(Measured(str(subject), metric, unit, device, model, variant, number))
    return tuple(found)


def without_value_of(tainted: pd.DataFrame, subjects: Sequence[str]) -> tuple[WithoutValue, ...]:
    """Return what taints left without a value, in the order of the subjects.

    Args:
        tainted: `store.frame.tainted_frame` of one run.
        subjects: names; rows of others are left out.
    """
    columns = ["subject", "metric", "device", "model", "variant", "repeats", "kinds"]
    found = []
    for *names, repeats, kinds in tainted.loc[tainted["without_value"], columns].itertuples(index=False):
        subject, metric, device, model, variant = map(str, names)
        if subject in subjects:
            known = tuple(str(kinds).split(", "))
            found.append(WithoutValue(subject, metric, device, model, variant, int(repeats), known))
    return tuple(sorted(found, key=lambda one: list(subjects).index(one.subject)))


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
