"""Ratios within a release, as text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from harness.provenance import Provenance
from harness.ratios import Ratio
from harness.report.listing import Listing
from harness.report.numbers import count, hundredths, quantity
from harness.report.provenance import provenance_document, provenance_line

HINT = "No ratio can be formed from the results: measure with `savedmodel-bench run 2.21 --preset calls`."


_HEADINGS = ("what over what", "subject", "model", "variant", "ratio", "95 % interval", "more")
_LEGEND = (
    "More: the mean difference of a call; for signature-host, what copying from and to the host's memory costs; "
    "for the first call, what compiling by XLA costs."
)


def render_ratios(found: Sequence[Ratio], provenance: Provenance, form: str, everything: str | None = None) -> str:
    """Return the ratios, and where they come from, as "table" (plain text), "markdown" or "json".

    `everything` is the command that has what Markdown has no room for.
    """
    if form == "json":
        listed = [{**asdict(one), "runs": len(one.runs)} for one in found]
        return json.dumps({"schema": 1, "provenance": provenance_document(provenance), "ratios": listed}, indent=1)
    top, rows = [provenance_line(provenance)], [_line(one) for one in found]
    listing = Listing(top, _HEADINGS, rows, numbers=range(4, 7), legend=[_LEGEND if found else HINT])
    return listing.markdown(everything) if form == "markdown" else listing.text()


def _line(one: Ratio) -> tuple[str, ...]:
    model = one.model if one.device == "cpu" else f"{one.model} on {one.device}"
    interval = (
        count(one.blocks, "block")
        if one.low is None or one.high is None
        else f"{hundredths(one.low)} .. {hundredths(one.high)}"
    )
    more = ""
    if one.difference_s is not None:
        more = ("-" if one.difference_s < 0 else "+") + quantity(abs(one.difference_s), "seconds")
    return f"{one.what} / {one.over}", one.subject, model, one.variant, hundredths(one.ratio), interval, more
