"""Ratios within a release."""

from __future__ import annotations

from dataclasses import asdict

from harness.answers.ratios import FEWEST_BLOCKS, Ratio
from harness.answers.sources import Telling
from harness.report.document import Document, Paragraph, Part, Report, table
from harness.report.numbers import hundredths, quantity
from harness.report.provenance import provenance_document, provenance_line

_NOTHING = "No ratio can be formed from the results: measure with `savedmodel-bench run 2.21 --preset calls`."
_RATIO = (
    "Ratio: the geometric mean over the blocks; both sides are measured in each block. A 95 % interval takes at least "
    f"{FEWEST_BLOCKS} blocks."
)
_DIFFERENCE = (
    "Difference: the mean extra time of one inference. For signature-host it is the cost of copying to and from host "
    "memory; for the compiled first inference, the cost of compiling with XLA."
)
_NAMES = {
    "bytes": "size",
    "way": "call method",
    "original": "original model",
    "loaded": "loaded model",
    "first call": "first inference",
    "steady call": "later inference",
    "later save": "repeated save",
    "durable save": "save with fsync",
}
"""Words of `Ratio.what` and `Ratio.over` with which they begin, and those that reports have for them."""


def report_ratios(telling: Telling[Ratio]) -> Report:
    """Return the ratios of each release, and where they come from."""
    parts: list[Part] = [Paragraph(provenance_line(telling.provenance))]
    shown: tuple[Part, ...] = (Paragraph(_NOTHING),)
    if telling.told:
        timed = any(one.difference_s is not None for one in telling.told)
        numbers = ("ratio", "95 % interval", "blocks", *(["difference"] if timed else []))
        rows = ((*_row(one), *([_difference(one)] if timed else [])) for one in telling.told)
        found = table(("ratio of", "subject", "model", "variant"), numbers, rows, is_listing=True)
        shown = (Paragraph(""), found, Paragraph(_RATIO), *([Paragraph(_DIFFERENCE)] if timed else []))
    listed = [{**asdict(one), "runs": len(one.runs)} for one in telling.told]
    return Report(
        "ratios",
        Document("Ratios within a release", (*parts, *shown)),
        {"provenance": provenance_document(telling.provenance), "ratios": listed},
    )


def _row(one: Ratio) -> tuple[str, ...]:
    model = one.model if one.device == "cpu" else f"{one.model} on {one.device}"
    interval = "" if one.low is None or one.high is None else f"{hundredths(one.low)} .. {hundredths(one.high)}"
    ratio_of = f"{_named(one.what)} / {_named(one.over)}"
    return ratio_of, one.subject, model, one.variant, hundredths(one.ratio), interval, str(one.blocks)


def _difference(one: Ratio) -> str:
    if one.difference_s is None:
        return ""
    return ("-" if one.difference_s < 0 else "+") + quantity(abs(one.difference_s), "seconds")


def _named(side: str) -> str:
    """Return one side of a ratio in the words of reports: "first inference, compiled" of "first call, compiled"."""
    for word, name in _NAMES.items():
        if side == word or side.startswith((f"{word} ", f"{word},")):
            return name + side.removeprefix(word)
    return side
