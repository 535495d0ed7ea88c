"""The words for what else than TensorFlow differs between two sides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.answers.comparison import Comparison
from harness.answers.notes import LocksDiffer, OwnWheel
from harness.report.document import Section, table

_NAMED = 6
"""Dependencies that a line names; the folded table has all."""


def lock_lines(note: LocksDiffer) -> Iterator[str]:
    """Yield up to three lines: dependencies that only one side has, and those of other versions."""
    for side, found in ((note.new, note.added), (note.old, note.removed)):
        if found:
            yield f"Dependencies that only {side} has: {_named([' '.join(one) for one in found])}."
    if note.changed:
        told = [f"{name} ({before} and {after})" for name, before, after in note.changed]
        yield f"Dependencies of other versions: {_named(told)}; each may be the cause of a change."


def own_wheel(note: OwnWheel) -> str:
    """Return what a side is that somebody has built."""
    return f"{note.name} is the wheel {note.label} ({note.package}, SHA-256 {note.sha256[:12]}…)."


def lock_section(comparison: Comparison) -> Iterator[Section]:
    """Yield all differences of the dependencies, folded, where the lines above leave some out."""
    for note in comparison.notes:
        if isinstance(note, LocksDiffer) and max(map(len, (note.added, note.removed, note.changed))) > _NAMED:
            rows = [
                *((name, "-", version) for name, version in note.added),
                *((name, version, "-") for name, version in note.removed),
                *note.changed,
            ]
            heading = f"Dependencies that differ: {len(rows)}"
            yield Section(heading, (table(("package",), (note.old, note.new), sorted(rows)),), True)


def _named(texts: Sequence[str]) -> str:
    rest = f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return ", ".join(texts[:_NAMED]) + rest
