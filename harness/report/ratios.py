"""Ratios within a release."""

from __future__ import annotations

from dataclasses import asdict

from harness.answers.ratios import Ratio
from harness.answers.sources import Telling
from harness.report.document import Document, Paragraph, Report, table
from harness.report.numbers import count, hundredths, quantity
from harness.report.provenance import provenance_document, provenance_line

_NOTHING = "No ratio can be formed from the results: measure with `savedmodel-bench run 2.21 --preset calls`."
_DIFFERENCE = (
    "Difference: the mean extra time of a call. For signature-host it is the cost of copying to and from host memory; "
    "for the compiled first call, the cost of compiling by XLA."
)


def report_ratios(telling: Telling[Ratio]) -> Report:
    """Return the ratios of each release, and where they come from."""
    parts: list[Paragraph] = [Paragraph(provenance_line(telling.provenance))]
    texts, numbers = ("ratio of", "subject", "model", "variant"), ("ratio", "95 % interval", "difference")
    rows = table(texts, numbers, map(_row, telling.told), is_listing=True)
    shown = (Paragraph(""), rows, Paragraph(_DIFFERENCE)) if telling.told else (Paragraph(_NOTHING),)
    listed = [{**asdict(one), "runs": len(one.runs)} for one in telling.told]
    return Report(
        "ratios",
        Document("Ratios within a release", (*parts, *shown)),
        {"provenance": provenance_document(telling.provenance), "ratios": listed},
    )


def _row(one: Ratio) -> tuple[str, ...]:
    model = one.model if one.device == "cpu" else f"{one.model} on {one.device}"
    interval = (
        count(one.blocks, "block")
        if one.low is None or one.high is None
        else f"{hundredths(one.low)} .. {hundredths(one.high)}"
    )
    difference = ""
    if one.difference_s is not None:
        difference = ("-" if one.difference_s < 0 else "+") + quantity(abs(one.difference_s), "seconds")
    return f"{one.what} / {one.over}", one.subject, model, one.variant, hundredths(one.ratio), interval, difference
