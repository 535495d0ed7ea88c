"""How operations grow with a model, as figures: time over bytes or layers, with the fitted power law."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from harness.answers.scaling import LAYERS, Course
from harness.answers.sources import Telling
from harness.report import figures
from harness.report.document import Document, Figure, Figures, Part, Section, Table
from harness.report.numbers import hundredths
from harness.report.scaling import report_scaling
from harness.report.wording import title


def scaling_page(telling: Telling[Course]) -> Document:
    """Return the growth of every operation as figures, and the table of exponents."""
    document = report_scaling(telling).document
    return Document(document.title, tuple(_parts(telling.told, document.parts)))


def _parts(courses: Sequence[Course], told: Sequence[Part]) -> Iterator[Part]:
    """Yield the sentences, the figures by family, then the table."""
    yield from (part for part in told if not isinstance(part, Table))
    families: dict[tuple[str, str], list[Figure]] = {}
    for one in courses:
        if one.growth is not None:
            families.setdefault((one.subject, one.family), []).append(_figure(one))
    for number, ((subject, family), members) in enumerate(families.items()):
        heading = f"{family} models, {subject}"
        yield Section(heading, (Figures(tuple(members)),), number > 0, anchor=f"scaling {family} {subject}")
    yield from (Section("All exponents", (part,), anchor="exponents") for part in told if isinstance(part, Table))


def _figure(one: Course) -> Figure:
    assert one.growth is not None
    logs = [(math.log(rung.size), math.log(rung.cost_s)) for rung in one.rungs]
    middle = [sum(values) / len(logs) for values in zip(*logs, strict=True)]
    constant = math.exp(middle[1] - one.growth.exponent * middle[0])
    sizes = tuple(figures.Size(rung.model, rung.size, rung.cost_s) for rung in one.rungs)
    unit = "layers" if one.ladder == LAYERS else "bytes"
    drawing = figures.Growth(unit, "seconds", sizes, one.growth.exponent, constant)
    exponent = hundredths(one.growth.exponent)
    variant = "" if one.variant == "-" else f", {one.variant}"
    device = "" if one.device == "cpu" else f" on {one.device}"
    says = (
        f"Exponent {exponent} ({hundredths(one.growth.low)} to {hundredths(one.growth.high)}) of {one.ladder}: 0 is a "
        "fixed time, 1 is proportional."
    )
    return Figure(f"{title(one.metric)}{variant}{device}: exponent {exponent}", drawing, says)
