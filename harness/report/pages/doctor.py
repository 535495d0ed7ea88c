"""What `doctor` found as a page: what it comes to first, what needs attention before what is well."""

from __future__ import annotations

from dataclasses import replace

from harness.report.document import Answer, Document, Paragraph, Report, Row, Table, Tone

_ORDER = (Tone.WORSE, Tone.WARNING)


def with_doctor_page(report: Report) -> Report:
    """Return a report of `doctor` with its page."""
    parts = [part for part in report.document.parts if not (isinstance(part, Paragraph) and part.tone is Tone.STRONG)]
    said = [part.text for part in report.document.parts if isinstance(part, Paragraph) and part.tone is Tone.STRONG]
    result = " ".join(said).removeprefix("Result: ").replace(" above ", " below ")
    answer = Answer((result[:1].upper() + result[1:],))
    sorted_ = tuple(
        replace(part, rows=tuple(sorted(part.rows, key=_place)), name="checks") if isinstance(part, Table) else part
        for part in parts
    )
    return replace(report, page=Document("Can this machine measure?", (answer, *sorted_)))


def _place(row: Row) -> int:
    return _ORDER.index(row.tone) if row.tone in _ORDER else len(_ORDER)
