"""Ratios within a release as a page: the newest release first, every ratio sortable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.answers.ratios import Ratio
from harness.answers.sources import Telling
from harness.report.document import (
    Answer,
    Cell,
    Column,
    Difference,
    Document,
    Paragraph,
    Part,
    Quantity,
    Row,
    Table,
    Tone,
)
from harness.report.numbers import factor, hundredths
from harness.report.provenance import provenance_line
from harness.report.ratios import report_ratios

_MOST_NAMED = 3


def ratios_page(telling: Telling[Ratio]) -> Document:
    """Return the ratios, those of the newest release first; the largest ones in words."""
    document = report_ratios(telling).document
    if not telling.told:
        return document
    return Document(document.title, tuple(_parts(telling)))


def _parts(telling: Telling[Ratio]) -> Iterator[Part]:
    subjects = list(dict.fromkeys(one.subject for one in telling.told))
    newest = [one for one in telling.told if one.subject == subjects[-1]]
    largest: dict[tuple[str, str], Ratio] = {}
    for one in sorted(newest, key=lambda one: -max(one.ratio, 1 / one.ratio) if one.ratio > 0 else 0.0):
        largest.setdefault((one.what, one.over), one)
    named = [_said(one) for one in list(largest.values())[:_MOST_NAMED]]
    yield Answer((f"In {subjects[-1].removeprefix('v')}: {'; '.join(named)}.",))
    yield Paragraph(provenance_line(telling.provenance), Tone.QUIET)
    columns = (
        Column("ratio of"), Column("to"), Column("release"), Column("model"), Column("variant"), Column("ratio", True),
        Column("95 % interval", True), Column("difference", True), Column("blocks", True, True),
    )  # fmt: skip
    ordered: Sequence[Ratio] = sorted(telling.told, key=lambda one: -subjects.index(one.subject))
    tags = tuple(subjects[::-1]) if len(subjects) > 1 else ()
    yield Table(columns, tuple(map(_row, ordered)), filters=(tags,), name="ratios")
    yield Paragraph("Difference: the mean extra time of a call, where both are times of one call.", Tone.QUIET)


def _said(one: Ratio) -> str:
    return f"{one.what} is {factor(one.ratio)}x {one.over} ({one.model})"


def _row(one: Ratio) -> Row:
    bounds = "" if one.low is None or one.high is None else f"{hundredths(one.low)} .. {hundredths(one.high)}"
    cells: tuple[Cell, ...] = (
        one.what,
        one.over,
        one.subject,
        one.model if one.device == "cpu" else f"{one.model} on {one.device}",
        one.variant,
        Quantity(one.ratio, "ratio"),
        bounds,
        "" if one.difference_s is None else Difference(one.difference_s, "seconds"),
        one.blocks,
    )
    return Row(cells, tags=(one.subject,))
