"""From the start of a process to the first answer: what a user waits for, part by part, from what was measured."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.answers.measured import Measured

PARTS = ("import_s", "device_init_s", "load_cold_s", "first_call_s")
"""Metrics that follow each other when a process starts, loads a model from disk and answers."""


@dataclass(frozen=True, slots=True)
class ColdStart:
    """The parts of one subject's start with a model, in seconds and in the order of PARTS; None is not measured."""

    subject: str
    device: str
    model: str
    variant: str
    parts_s: tuple[float | None, ...]

    @property
    def total_s(self) -> float:
        """All parts that were measured, added up."""
        return sum(part or 0.0 for part in self.parts_s)


def cold_starts(measured: Iterable[Measured]) -> tuple[ColdStart, ...]:
    """Return the starts of which the load and the first call were measured, by device, model and variant.

    Args:
        measured: medians of one subject or of several.
    """
    known = list(measured)
    values = {(one.subject, *one.key): one.value for one in known if one.metric in PARTS}
    places = dict.fromkeys(
        (device, model, variant) for _, metric, device, model, variant in values if metric == "load_cold_s"
    )
    subjects = dict.fromkeys(one.subject for one in known)
    found = []
    for device, model, variant in places:
        for subject in subjects:
            parts = (
                values.get((subject, "import_s", "-", "-", "-")),
                values.get((subject, "device_init_s", device, "-", "-")),
                values.get((subject, "load_cold_s", device, model, variant)),
                values.get((subject, "first_call_s", device, model, variant)),
            )
            if parts[2] is not None and parts[3] is not None:
                found.append(ColdStart(subject, device, model, variant, parts))
    return tuple(found)
