"""From called rows to findings: rows that moved together are one thing to look into, not many.

"Load is slower in seven models" is one finding with seven rows. The rows of one metric share code, so they are
correlated; a report that lists them one by one looks like seven problems. Grouping happens after the verdicts and
changes none of them: Benjamini-Hochberg counts rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from harness.metrics import Kind
from harness.verdict.rows import Row, Verdict

_ORDER = (Verdict.REGRESSION, Verdict.IMPROVEMENT)


@dataclass(frozen=True, slots=True)
class Finding:
    """Judged rows of one metric that have the same verdict, hence the same direction (less is better everywhere).

    `rows` are in the order given to `findings`, never empty. Ratios are new / old.
    """

    verdict: Verdict
    metric: str
    rows: tuple[Row, ...]

    @property
    def kind(self) -> Kind:
        """The metric's kind."""
        return self.rows[0].kind

    @property
    def worst(self) -> Row:
        """The row that changed most; one that left zero, where no ratio exists, above all others."""
        return max(self.rows, key=_size)

    @property
    def least_ratio(self) -> float | None:
        """The ratio of the row that changed least; None or 0 where no row has one to compare."""
        return min(self._with_ratio(), key=_size, default=self.worst).ratio

    @property
    def most_ratio(self) -> float | None:
        """The ratio of the row that changed most, among those that have one; None or 0 where no row has."""
        return max(self._with_ratio(), key=_size, default=self.worst).ratio

    @property
    def q(self) -> float | None:
        """The largest q of its rows: all of them pass at this false discovery rate. None where all are exact."""
        return max((row.q for row in self.rows if row.q is not None), default=None)

    @property
    def models(self) -> tuple[str, ...]:
        """The models concerned, in order; empty for what is measured without one."""
        return tuple(dict.fromkeys(row.model for row in self.rows if row.model != "-"))

    def _with_ratio(self) -> list[Row]:
        return [row for row in self.rows if row.ratio]


def findings(rows: Iterable[Row]) -> tuple[Finding, ...]:
    """Group the regressions and improvements among judged rows by verdict and metric.

    Returns:
        Regressions before improvements; within these, metrics in the order in which the rows name them first.
    """
    grouped: dict[tuple[Verdict, str], list[Row]] = {}
    for row in rows:
        if row.judged and row.verdict in _ORDER:
            grouped.setdefault((row.verdict, row.metric), []).append(row)
    found = [Finding(verdict, metric, tuple(members)) for (verdict, metric), members in grouped.items()]
    return tuple(sorted(found, key=lambda finding: _ORDER.index(finding.verdict)))


def _size(row: Row) -> float:
    """Return how far a row moved: the size of its log ratio, infinite to or from zero."""
    return abs(math.log(row.ratio)) if row.ratio else math.inf
