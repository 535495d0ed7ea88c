"""GPU memory over the cycles of a memory pass: what was in use when, and what the process did meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from harness.store.frame import variant_of
from harness.store.records import Record


@dataclass(frozen=True, slots=True)
class MemoryTimeline:
    """One repeat of one place: its steps (seconds, bytes in use on the device) and named stretches of time.

    A stretch is (name, from, to) in seconds since sampling began. There are none where the record does not say when a
    cycle ended.
    """

    subject: str
    model: str
    variant: str
    steps: tuple[tuple[float, float], ...]
    stretches: tuple[tuple[str, float, float], ...]


def memory_timelines(records: Iterable[Record], subjects: Collection[str]) -> tuple[MemoryTimeline, ...]:
    """Return the first good repeat's timeline of each place and subject, in the order of the records."""
    found: dict[tuple[str, str, str], MemoryTimeline] = {}
    for record in records:
        if record.get("operation") != "memory" or record.get("status") != "ok" or record.get("taints"):
            continue
        evidence = record.get("evidence") or {}
        series, cell = (evidence.get("device_track") or {}).get("series"), record.get("cell") or {}
        subject, model, variant = str(record["subject"]), str(cell.get("model")), variant_of(cell)
        if not series or subject not in subjects or (model, variant, subject) in found:
            continue
        steps = tuple((float(at), float(used)) for at, used in series)
        cycles = evidence.get("cycles") or {}
        stretches = _stretches(cycles.get("called_s") or (), cycles.get("released_s") or ())
        found[model, variant, subject] = MemoryTimeline(subject, model, variant, steps, stretches)
    return tuple(found.values())


def _stretches(called_s: Iterable[float], released_s: Iterable[float]) -> tuple[tuple[str, float, float], ...]:
    stretches: list[tuple[str, float, float]] = []
    start = 0.0
    for called, released in zip(called_s, released_s, strict=False):
        stretches += [("load and call", start, called), ("release", called, released)]
        start = released
    return tuple(stretches)
