"""From process start to the first answer, as stacked bars."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.answers.cold_start import PARTS, ColdStart, cold_starts
from harness.answers.measured import Measured
from harness.report import figures
from harness.report.document import Figure, Paragraph, Section, Tone
from harness.report.numbers import count
from harness.report.wording import Places, title

_MOST_GROUPS = 12


def cold_start_section(measured: Iterable[Measured], places: Places, made_by: str | None = None) -> Iterator[Section]:
    """Yield the section with its figure; nothing where no start was measured as a whole."""
    known = list(measured)
    found = cold_starts(known)
    starts: dict[str, list[ColdStart]] = {}
    for one in found:
        starts.setdefault(places.place(_placed(one)), []).append(one)
    if not starts:
        return
    # Where releases can be compared, models that only one of them has say nothing.
    several = {place: some for place, some in starts.items() if len(some) > 1} or starts
    shown = list(several.items())[:_MOST_GROUPS]
    names = dict.fromkeys(one.subject for one in known)
    used = [at for at in range(len(PARTS)) if any(one.parts_s[at] is not None for one in found)]
    bars = tuple(
        figures.Bar(place, one.subject, tuple(one.parts_s[at] for at in used)) for place, some in shown for one in some
    )
    present = tuple(name for name in names if any(bar.name == name for bar in bars))
    drawing = figures.Stack(tuple(title(PARTS[at]) for at in used), present, "seconds", bars)
    says = "What a user waits for when a process starts, loads a model from disk and answers once."
    left = len(starts) - len(shown)
    rest = (Paragraph(f"{count(left, 'model')} more, not drawn: see the tables.", Tone.QUIET),) if left else ()
    parts = (Paragraph(says, Tone.QUIET), Figure("Time to the first answer", drawing, says), *rest)
    yield Section("From process start to the first answer", parts, anchor="start", made_by=made_by)


def _placed(one: ColdStart) -> Measured:
    return Measured(one.subject, "load_cold_s", "seconds", one.device, one.model, one.variant, None)
