"""A report of one table: sentences on top of it, reasons and a legend below."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from harness.report.columns import aligned
from harness.report.markdown_writer import MarkdownWriter
from harness.report.names import printable


@dataclass(frozen=True, slots=True)
class Listing:
    """The parts of such a report; `numbers` are the places of the columns that are set to the right.

    `reasons` belong to cells of the table, `legend` says how to read it. Without rows there is no table.
    """

    top: Sequence[str]
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Collection[int] = ()
    reasons: Sequence[str] = ()
    legend: Sequence[str] = ()

    def text(self) -> str:
        """Return it as plain text."""
        table = [*aligned([self.headings, *self.rows], self.numbers), ""] if self.rows else []
        return "\n".join([*map(printable, self.top), "", *table, *map(printable, self.reasons), *self.legend])

    def markdown(self, everything: str | None = None) -> str:
        """Return it as Markdown that fits in a comment; `everything` is the command that has what has no room."""
        report = MarkdownWriter(everything)
        for sentence in self.top:
            report.paragraph(sentence)
        if self.rows:
            report.table(self.headings, self.rows, numbers=self.numbers)
        report.items(self.reasons, "reason")
        for sentence in self.legend:
            report.paragraph(sentence)
        return report.text()
