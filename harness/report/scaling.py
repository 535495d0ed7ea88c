"""How operations grow with a model's bytes and layers."""

from __future__ import annotations

from dataclasses import asdict

from harness.answers.scaling import BYTES, LAYERS, Course
from harness.answers.sources import Telling
from harness.report.document import Document, Paragraph, Part, Report, table
from harness.report.numbers import count, hundredths, quantity
from harness.report.provenance import disturbed_lines, provenance_document, provenance_line
from harness.report.wording import title
from harness.verdict.scaling import FEWEST_RUNGS

_MEGABYTE = 1e6
_LADDERS = {BYTES: "SavedModel size", LAYERS: "layers"}
_NOTHING = (
    f"No run has a series of {FEWEST_RUNGS} model sizes: measure one with `savedmodel-bench run 2.21 --preset scale`."
)
_EXPONENT = (
    "Exponent: 0 means that the time does not depend on the size, 1 that it is proportional to it. Marginal cost: the "
    "extra time for one more layer, or for one more megabyte of the SavedModel, between the two largest models."
)


def report_scaling(telling: Telling[Course]) -> Report:
    """Return the exponents and where they come from; courses with too few sizes are counted."""
    notes = tuple(disturbed_lines(telling.provenance))
    parts: list[Part] = [Paragraph(text) for text in (provenance_line(telling.provenance), *notes)]
    fitted = [one for one in telling.told if one.growth is not None]
    if fitted:
        texts, numbers = ("what", "subject", "models", "grows with"), ("exponent", "95 % interval", "marginal cost")
        rows = table(texts, numbers, map(_row, fitted), is_listing=True)
        parts += [Paragraph(""), rows, Paragraph(_EXPONENT)]
        if len({one.run for one in fitted}) > 1:
            parts.append(
                Paragraph(f"Each exponent is from one run, the newest that measured {FEWEST_RUNGS} sizes of the model.")
            )
        left = len(telling.told) - len(fitted)
        if left:
            parts.append(
                Paragraph(f"Not shown: {count(left, 'series', 'series')} of fewer than {FEWEST_RUNGS} model sizes.")
            )
    else:
        parts.append(Paragraph(_NOTHING))
    data = {"provenance": provenance_document(telling.provenance), "courses": [asdict(one) for one in telling.told]}
    return Report("scaling", Document("Growth with the size of a model", tuple(parts)), data, notes=notes)


def _row(one: Course) -> tuple[str, ...]:
    assert one.growth is not None
    fit = one.growth
    device = "" if one.device == "cpu" else f" on {one.device}"
    unit, factor = ("layer", 1.0) if one.ladder == LAYERS else ("MB", _MEGABYTE)
    more = "none" if fit.marginal <= 0 else f"{quantity(fit.marginal * factor, 'seconds')} per {unit}"
    without = f" without {', '.join(one.missing)}" if one.missing else ""
    models = f"{one.models[0]} .. {one.models[-1]}" + without + device
    variant = "" if one.variant == "-" else f" ({one.variant})"
    interval = f"{hundredths(fit.low)} .. {hundredths(fit.high)}"
    ladder = _LADDERS.get(one.ladder, one.ladder)
    return title(one.metric) + variant, one.subject, models, ladder, hundredths(fit.exponent), interval, more
