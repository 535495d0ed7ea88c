"""The words for the facts that qualify an answer."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable

from harness.answers.notes import (
    BlocksAdded,
    CostlyBarrier,
    DisturbedFloors,
    LocksDiffer,
    Looked,
    Note,
    OwnInterpreters,
    OwnWheel,
    Said,
    SidesDiffer,
    Unpaired,
    UnsettledCalls,
)
from harness.report.numbers import count, percent
from harness.report.sides import lock_lines, own_wheel
from harness.report.stored_sentences import retold
from harness.store.taints import described

_CAUSES = {
    "Keras": "so Keras may be the cause of a change",
    "lock policy": "so any dependency may be the cause of a change",
    "compiler": "so the compiler may be the cause of a change",
    "build flags": "so the builds differ, not only the release",
    "wheel": "so the builds differ, not only the release",
    "Python": "so Python may be the cause of a change",
    "profile": "so its settings may be the cause of a change",
}


def is_of_sides(note: Note) -> bool:
    """Whether a fact is about what differs between the sides beside the release."""
    return isinstance(note, SidesDiffer | LocksDiffer | OwnWheel | OwnInterpreters)


def notes_text(notes: Iterable[Note]) -> tuple[str, ...]:
    """Return a sentence or two for each fact; up to three lines for dependencies that differ."""
    lines = (lock_lines(note) if isinstance(note, LocksDiffer) else (note_text(note),) for note in notes)
    return tuple(itertools.chain.from_iterable(lines))


def note_text(note: Note) -> str:
    """Return the words for one fact."""
    match note:
        case Said():
            return f"{retold(note.text.removesuffix('.'))}."
        case Unpaired():
            return (
                "The two releases were not measured in the same blocks, so a change of the machine in between looks "
                "like a change of TensorFlow. `savedmodel-bench compare` interleaves them in one run."
            )
        case OwnInterpreters():
            return _own_interpreters(note.names)
        case SidesDiffer():
            old, new = (value or "not recorded" for value in (note.old, note.new))
            return f"The two sides also differ in {note.what} ({old} and {new}), {_CAUSES[note.what]}."
        case LocksDiffer():
            return " ".join(lock_lines(note))
        case OwnWheel():
            return own_wheel(note)
        case Looked():
            after = " and ".join(filter(None, (", ".join(map(str, note.blocks[:-1])), str(note.blocks[-1]))))
            return (
                f"Results were tested after {after} blocks, and test cases with a verdict were not measured further. "
                "P-values, intervals and blocks needed are corrected for up to four interim analyses."
            )
        case BlocksAdded():
            return (
                f"This comparison was already tested after {note.before} blocks. Repeating a test until it finds "
                "something produces false alarms: confirm any change that is new in this result with a separate run "
                "(`compare --budget`)."
            )
        case UnsettledCalls():
            worst = ", ".join(f"{_call(place)}: {count(seen, 'time')}" for place, seen in note.places)
            return (
                f"Latency was still changing at the end of {note.unsettled} of {note.windows} measurements (most often "
                f"{worst}). These measurements are included."
            )
        case CostlyBarrier():
            return (
                "Every latency includes the cost of one device synchronization: at most "
                f"{percent(note.share)} of it ({note.barrier_s * 1e6:.1f} µs for {_call(note.place)})."
            )
        case DisturbedFloors():
            return (
                f"The machine was disturbed while its hardware lower bounds were measured ({described(note.taint)}): "
                "the hardware may be faster than they say."
            )


def _call(place: str) -> str:
    """Return a place as reports name it: "mlp-s batch 1 on the CPU" of "mlp-s b1 on cpu"."""
    found = re.fullmatch(r"(.+) b(\d+) on (cpu|gpu)", place)
    return place if found is None else f"{found[1]} batch {found[2]} on the {found[3].upper()}"


def _own_interpreters(names: tuple[str, ...]) -> str:
    if len(names) == 1:
        return (
            f"{names[0]} uses your own TensorFlow installation. Its build and its dependencies are not pinned, so "
            "either may be the cause of a change."
        )
    return (
        f"{' and '.join(names)} use your own TensorFlow installations. Their builds and their dependencies are not "
        "pinned, so either may be the cause of a change."
    )
