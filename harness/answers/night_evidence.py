"""What a night's runs say of each row: the build against itself, against its baselines, and once more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.answers.comparison import Comparison
from harness.answers.judging import RunTables, Selection, compare_in_run
from harness.answers.night import Canary
from harness.metrics import METRICS, Kind
from harness.store.runs import RunDirectory
from harness.verdict.confirmation import Standing, confirm
from harness.verdict.margins import Asked
from harness.verdict.nights import Evidence, called
from harness.verdict.rows import Reason, Row, Verdict

Q_LEVEL = 0.05
_UNMEASURED = (Reason.ALL_TAINTED, Reason.NOT_MEASURED, Reason.NO_COMMON_BLOCKS, Reason.TOO_FEW_BLOCKS, Reason.FAILED)


@dataclass(frozen=True, slots=True)
class NightJudge:
    """How a night's runs are judged: operations that were asked for, margins, and whether only exact rows count."""

    operations: Sequence[str] | None = None
    margins: Asked | None = None
    only_exact: bool = False

    def judged(self, run: RunDirectory, build: str, baselines: Sequence[str]) -> tuple[Comparison, list[Comparison]]:
        """Return the A/A arm, and the comparison with each baseline; the calls of all of these are one family."""
        tables = RunTables.of(run)
        itself = self._compared(tables, build, f"{build}#2", Q_LEVEL)
        return itself, [self._compared(tables, name, build, Q_LEVEL / len(baselines)) for name in baselines]

    def evidence(self, comparisons: Sequence[Comparison], again: Mapping[str, RunDirectory]) -> list[Evidence]:
        """Return what is known of each row against each baseline.

        Args:
            comparisons: of `judged`, with the baselines.
            again: the second measurement, by the baseline's name.
        """
        found = []
        for comparison in comparisons:
            old, new = comparison.old.name, comparison.new.name
            rows: Sequence[Row] = ()
            if old in again:
                rows = compare_in_run(again[old], old, new, margins=self.margins).rows
            for row in comparison.rows:
                if row.judged:
                    is_asked = row.verdict is Verdict.REGRESSION and rows
                    standing = confirm({row.key}, True, rows).standing if is_asked else Standing.UNCONFIRMED
                    found.append(Evidence(old, row, standing))
        return found

    def canary(self, run: RunDirectory) -> Canary:
        """Return whether the alarm calls what a canary's run has planted."""
        old, new = (subject["name"] for subject in run.facts["subjects"])
        found = compare_in_run(run, old, new)
        kind = Kind.EXACT if self.only_exact else Kind.TIME
        planted = "save" if self.only_exact else "load"
        rows = [
            row for row in found.rows if row.judged and row.kind is kind and METRICS[row.metric].operation == planted
        ]
        is_measured = any(row.reason not in _UNMEASURED for row in rows)
        ratios = [row.ratio for row in rows if row.ratio is not None]
        return Canary(new, bool(called(rows)) if is_measured else None, max(ratios, default=None), found.blocks)

    def shortfall(self, comparisons: Sequence[Comparison]) -> str | None:
        """Return why too little was measured; None where there is enough of what may become a finding."""
        if self.only_exact and all(
            any(row.judged and row.verdict is Verdict.SAME for row in one.rows) for one in comparisons
        ):
            return None
        return next((one.shortfall for one in comparisons if one.shortfall is not None), None)

    def _compared(self, tables: RunTables, old: str, new: str, q_level: float) -> Comparison:
        found = compare_in_run(tables, old, new, Selection(self.operations), margins=self.margins, q_level=q_level)
        if not self.only_exact:
            return found
        rows = (row if row.kind is Kind.EXACT else replace(row, judged=False) for row in found.rows)
        return replace(found, rows=tuple(rows))
