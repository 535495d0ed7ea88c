"""Exponents along the ladders, as text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from harness.provenance import Provenance
from harness.report.listing import Listing
from harness.report.numbers import hundredths, quantity
from harness.report.provenance import disturbed_lines, provenance_document, provenance_line
from harness.report.wording import title
from harness.scaling import LAYERS, Course
from harness.verdict.scaling import FEWEST_RUNGS

_MEGABYTE = 1e6


_HEADINGS = ("what", "subject", "models", "grows with", "exponent", "95 % interval", "one more costs")


def render_scaling(found: Sequence[Course], provenance: Provenance, form: str, everything: str | None = None) -> str:
    """Return the courses, and where they come from, as "table" (plain text), "markdown" or "json".

    Those with too few rungs are counted, in JSON they have no growth. `everything` is the command that has what
    Markdown has no room for.
    """
    if form == "json":
        listed = [asdict(one) for one in found]
        return json.dumps({"schema": 1, "provenance": provenance_document(provenance), "courses": listed}, indent=1)
    fitted = [one for one in found if one.growth is not None]
    top = [provenance_line(provenance), *disturbed_lines(provenance)]
    legend = _legend(fitted, len(found) - len(fitted))
    listing = Listing(top, _HEADINGS, [_line(one) for one in fitted], numbers=range(4, 7), legend=legend)
    return listing.markdown(everything) if form == "markdown" else listing.text()


def _legend(fitted: Sequence[Course], left: int) -> list[str]:
    if not fitted:
        ladder = f"No run has a ladder of {FEWEST_RUNGS} rungs"
        return [f"{ladder}: measure one with `savedmodel-bench run 2.21 --preset scale`."]
    notes = [
        "Exponent: 0 is a fixed cost, 1 is proportional. One more: a layer, or a megabyte, between the largest two."
    ]
    if len({one.run for one in fitted}) > 1:
        notes.append(f"Each exponent is of one run: the newest in which its ladder has {FEWEST_RUNGS} rungs.")
    if left:
        notes.append(f"{left} further courses have under {FEWEST_RUNGS} rungs.")
    return notes


def _line(one: Course) -> tuple[str, ...]:
    assert one.growth is not None
    fit = one.growth
    device = "" if one.device == "cpu" else f" on {one.device}"
    unit, factor = ("layer", 1.0) if one.ladder == LAYERS else ("MB", _MEGABYTE)
    more = "nothing" if fit.marginal <= 0 else f"{quantity(fit.marginal * factor, 'seconds')} a {unit}"
    without = f" without {', '.join(one.missing)}" if one.missing else ""
    models = f"{one.models[0]} .. {one.models[-1]}" + without + device
    variant = "" if one.variant == "-" else f" ({one.variant})"
    interval = f"{hundredths(fit.low)} .. {hundredths(fit.high)}"
    return title(one.metric) + variant, one.subject, models, one.ladder, hundredths(fit.exponent), interval, more
