"""What a night's runs say of each row: the build against itself, against its baselines, and once more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.answers.comparison import Comparison
from harness.answers.judging import RunTables, Selection, compare_in_run
from harness.metrics import Kind
from harness.store.runs import RunDirectory
from harness.verdict.confirmation import Standing, confirm
from harness.verdict.margins import Asked
from harness.verdict.nights import Evidence
from harness.verdict.rows import Row, Verdict

Q_LEVEL = 0.05


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

    def _compared(self, tables: RunTables, old: str, new: str, q_level: float) -> Comparison:
        found = compare_in_run(tables, old, new, Selection(self.operations), margins=self.margins, q_level=q_level)
        if not self.only_exact:
            return found
        rows = (row if row.kind is Kind.EXACT else replace(row, judged=False) for row in found.rows)
        return replace(found, rows=tuple(rows))
