"""Ratios within a release, as text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from harness.provenance import Provenance
from harness.ratios import Ratio
from harness.report.numbers import count, quantity
from harness.report.provenance import provenance_document, provenance_line

HINT = "No ratio can be formed from the results: measure with `savedmodel-bench run 2.21 --preset calls`."


def render_ratios(found: Sequence[Ratio], provenance: Provenance, form: str) -> str:
    """Return the ratios, and where they come from, as "table" (plain text), "markdown" or "json"."""
    if form == "json":
        listed = [{**asdict(one), "runs": len(one.runs)} for one in found]
        return json.dumps({"schema": 1, "provenance": provenance_document(provenance), "ratios": listed}, indent=1)
    top = [provenance_line(provenance), ""]
    if not found:
        return "\n".join([*top, HINT])
    lines: list[tuple[str, ...]] = [("what over what", "subject", "model", "variant", "ratio", "95 % interval", "more")]
    lines += [_line(one) for one in found]
    notes = [
        "",
        "More: the mean difference of a call; for signature-host, what copying from and to the host's memory costs; "
        "for the first call, what compiling by XLA costs.",
    ]
    if form == "markdown":
        rows = ["| " + " | ".join(line) + " |" for line in lines]
        return "\n".join([*top, rows[0], "|" + " --- |" * 4 + " ---: |" * 3, *rows[1:], *notes])
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    rows = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([*top, *rows, *notes])


def _line(one: Ratio) -> tuple[str, ...]:
    model = one.model if one.device == "cpu" else f"{one.model} on {one.device}"
    interval = count(one.blocks, "block") if one.low is None or one.high is None else f"{one.low:.2f} .. {one.high:.2f}"
    more = ""
    if one.difference_s is not None:
        more = ("-" if one.difference_s < 0 else "+") + quantity(abs(one.difference_s), "seconds")
    return f"{one.what} / {one.over}", one.subject, model, one.variant, f"{one.ratio:.2f}", interval, more
