"""Which promises of SavedModel hold in which release: one way a row, one release a column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict

from harness.answers.promises import Promise, Promises, State
from harness.report.document import Document, Item, Items, Paragraph, Part, Report, Section, table
from harness.report.numbers import quantity
from harness.report.provenance import provenance_document, provenance_line

_Way = tuple[str, str, str, str, str]  # device, model, promise, writer, way
_Places = dict[str, dict[str, None]]  # by writer and way: the subjects, in order

_NOTHING = "No record says anything about a promise: measure some with `savedmodel-bench run A B --preset promises`."
_TIMES = (
    "kept, TIME: the guarantee holds; TIME is from the start of the restore to the end of the first training step "
    "(median of the undisturbed measurements)."
)
_SIGNS = f"{State.ABSENT.value}: not supported by this release or this writer's artifact (tested). -: not measured."
_LONGEST = 160
"""Characters of a reason where there is little room: Keras explains itself in paragraphs."""
_END_OF_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_ARTIFACT = re.compile(r"ARTIFACT[\w.-]*\w")
"""The artifact of a repeat, or of one of its custom models: `ARTIFACT.custom-layer`."""
_FUNCTION = re.compile(r"(__inference_\w+?)_\d+\b")
"""A function that TensorFlow numbered: the number differs from process to process."""


def report_promises(answer: Promises) -> Report:
    """Return the promises, the oldest release in the first column, and the reasons below them."""
    telling, subjects = answer.telling, answer.subjects
    parts: list[Part] = [Paragraph(provenance_line(telling.provenance))]
    if telling.told:
        ways = _ways(telling.told)
        cells = {(_way(one), one.subject): one for one in telling.told}
        without_way = {(*_way(one)[:4], one.subject): one for one in telling.told if one.way == "-"}
        found = {
            way: [cells.get((way, name)) or without_way.get((*way[:4], name)) for name in subjects] for way in ways
        }
        rows = [(*_names(way), *map(_state, states)) for way, states in found.items()]
        parts += [Paragraph(""), table(("promise", "model", "writer", "way"), subjects, rows, is_listing=True)]
        if any(", " in state for row in rows for state in row[4:]):
            parts.append(Paragraph(_TIMES))
        parts.append(Paragraph(_SIGNS))
        reasons = _reasons(found, subjects)
        if reasons:
            parts.append(Section("Reasons", (Items(reasons, "reason"),), is_folded=True))
    else:
        parts.append(Paragraph(_NOTHING))
    data = {
        "provenance": provenance_document(telling.provenance),
        "subjects": list(subjects),
        "promises": [dict(asdict(one), state=one.state.value) for one in telling.told],
    }
    return Report("promises", Document("What SavedModel promises", tuple(parts)), data)


def _ways(told: Sequence[Promise]) -> list[_Way]:
    """Return the rows.

    A writer that one release lacks has its ways from the others; a promise that nobody verified has no row.
    """
    everything = sorted({_way(one) for one in told})
    named = {way[:4] for way in everything if way[4] != "-"}
    verified = {way[:3] for way in named} | {_way(one)[:3] for one in told if one.state is State.BROKEN}
    return [way for way in everything if way[4] != "-" or (way[:4] not in named and way[:3] in verified)]


def _way(one: Promise) -> _Way:
    return one.device, one.model, one.promise, one.writer, one.way


def _names(way: _Way) -> tuple[str, str, str, str]:
    device, model, promise, writer, name = way
    return promise, model if device == "cpu" else f"{model} on {device}", writer, name


def _state(one: Promise | None) -> str:
    """Return "kept", with the time to the first resumed step where that is what was promised: "kept, 310 ms"."""
    if one is None:
        return "-"
    timed = one.state is State.KEPT and one.first_step_s is not None
    return f"{one.state.value}, {quantity(one.first_step_s, 'seconds')}" if timed else one.state.value


def _reasons(found: dict[_Way, list[Promise | None]], subjects: Sequence[str]) -> tuple[Item, ...]:
    """Return each reason once, with the ways and releases that have it."""
    reasons: dict[tuple[str, str, str], _Places] = {}  # by state, reason and in how many blocks
    for way, states in found.items():
        for subject, one in zip(subjects, states, strict=True):
            if one is None or not one.detail:
                continue
            some = f", in {one.blocks_not_kept} of {one.blocks} blocks"
            reason = one.state.value, _reason(one), some if 0 < one.blocks_not_kept < one.blocks else ""
            what = way[3] if one.way == "-" else f"{way[3]} {way[4]}"
            reasons.setdefault(reason, {}).setdefault(what, {})[subject] = None
    listed = []
    for (state, whole, some), places in reasons.items():
        texts = [f"{state}: {detail}{some} [{_named(places)}]" for detail in (whole, _shortened(whole))]
        listed.append(Item(texts[0], brief=None if texts[1] == texts[0] else texts[1]))
    return tuple(listed)


def _reason(one: Promise) -> str:
    """Return a reason, the same for whatever artifact and function it is about."""
    detail = one.detail.replace(f"{one.device}-{one.model}-{one.writer}", "ARTIFACT")
    return _FUNCTION.sub(r"\1_N", _ARTIFACT.sub("ARTIFACT", detail))


def _shortened(reason: str) -> str:
    """Return the first sentence of a reason, or as much of it as a line holds."""
    sentence = _END_OF_SENTENCE.split(reason, maxsplit=1)[0]
    return sentence if len(sentence) <= _LONGEST else sentence[: _LONGEST - 1].rstrip() + "…"


def _named(places: _Places) -> str:
    """Return ways and releases: "tf-save signature, tf-module signature: v2.15.1; tf-save: v2.15.1, v2.21.0"."""
    ways: dict[str, list[str]] = {}
    for way, subjects in places.items():
        ways.setdefault(", ".join(subjects), []).append(way)
    return "; ".join(f"{', '.join(names)}: {subjects}" for subjects, names in ways.items())
