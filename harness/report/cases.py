"""What an answer tested, as cases: for JUnit XML and for annotations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.answers.comparison import Comparison
from harness.answers.history import HistorySection
from harness.machine.findings import Finding, Severity
from harness.report.document import Case, Outcome
from harness.report.history_words import check_text, finding_text
from harness.report.numbers import interval, quantity
from harness.report.wording import Places, change_text, reason_text
from harness.verdict.confirmation import Standing
from harness.verdict.rows import Row, Verdict

_OUTCOMES = {Verdict.REGRESSION: Outcome.FAILED, Verdict.INCONCLUSIVE: Outcome.SKIPPED}
_BY_SEVERITY = {Severity.PROBLEM: Outcome.FAILED, Severity.ADVICE: Outcome.SKIPPED, Severity.OK: Outcome.PASSED}


def comparison_cases(comparison: Comparison) -> Iterator[Case]:
    """Yield a case for each row that was tested: failed where it regressed, skipped where it is inconclusive."""
    places = Places.of(comparison.rows)
    for row in comparison.rows:
        if row.judged:
            name = places.place(row) or places.title(row.metric)
            yield Case(places.title(row.metric), name, _OUTCOMES.get(row.verdict, Outcome.PASSED), _told(row))


def history_cases(sections: Sequence[HistorySection]) -> Iterator[Case]:
    """Yield a case for each change: failed where it is confirmed and for the worse, skipped where it is not settled."""
    for section in sections:
        for finding, check in zip(section.history.findings, section.checks, strict=True):
            is_settled = check.standing in (Standing.CONFIRMED, Standing.REFUTED)
            is_worse = check.standing is Standing.CONFIRMED and finding.ratio > 1
            outcome = Outcome.FAILED if is_worse else Outcome.PASSED if is_settled else Outcome.SKIPPED
            yield Case(section.name, finding_text(section.history, finding), outcome, check_text(check, finding))


def doctor_cases(findings: Sequence[Finding]) -> Iterator[Case]:
    """Yield a case for each fact about the machine: failed where it is a problem, skipped where it has advice."""
    for finding in findings:
        told = " ".join(filter(None, (finding.text, finding.advice)))
        yield Case("machine", finding.code, _BY_SEVERITY[finding.severity], told)


def _told(row: Row) -> str:
    values = f"{quantity(row.old, row.unit)} to {quantity(row.new, row.unit)}, {change_text(row)}"
    bounds = f" (95 % interval {interval(row.low, row.high)})" if row.low is not None else ""
    return f"{values}{bounds}: {reason_text(row)}"
