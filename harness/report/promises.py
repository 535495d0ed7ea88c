"""Which guarantees of SavedModel hold in which release: one method a row, one release a column."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict

from harness.answers.promises import Promise, Promises, State
from harness.report.document import Document, Item, Items, Paragraph, Part, Report, Section, items, table
from harness.report.numbers import quantity
from harness.report.provenance import provenance_document, provenance_line

_Way = tuple[str, str, str, str, str]  # device, model, promise, writer, way
_Places = dict[str, dict[str, None]]  # by writer and way: the subjects, in order

_NOTHING = "The results have no checks of guarantees: measure some with `savedmodel-bench run A B --preset promises`."
_TIMES = (
    "kept, TIME: the guarantee holds; TIME is from the start of loading to the end of the first training step (median "
    "of the undisturbed measurements)."
)
_SIGNS = f"{State.ABSENT.value}: tried, but this release or this save API does not support it. -: not measured."
_GUARANTEES = {"training goes on": "resume training", "no original code needed": "load without original code"}
"""`Promise.promise`, and what reports call it."""
_METHODS = {
    "layer-": "a model with a custom layer; the loading process does not have its Python class.",
    "model-": "a model of a custom class; the loading process does not have it.",
    "-signature": "load with tf.saved_model.load and call the signature.",
    "-load-model": "load with keras.models.load_model and call the model.",
    "train-signature": "load with tf.saved_model.load and call the signature that runs a training step.",
    "load-model": "load with keras.models.load_model and train the model.",
    "load-model-and-checkpoint": (
        "load with keras.models.load_model, read model and optimizer from the checkpoint inside the SavedModel, train."
    ),
    "rebuilt-and-checkpoint": (
        "build model and optimizer from code, read both from the checkpoint inside the SavedModel, train."
    ),
    "signature": "load with tf.saved_model.load, which gives inference only, and look for an optimizer to train with.",
}
"""What each method does; a key that begins or ends with "-" explains a part of a name."""
_CUSTOM = ("layer-", "model-")
_BROKEN = {
    "outputs": "outputs",
    "iterations": "the optimizer's step count",
    "slots": "the optimizer's slot variables",
    "losses": "the losses of the next training steps",
}
"""What did not survive saving and loading, as `Promise.detail` lists it, and what reports call it."""
_LONGEST = 160
"""Characters of a reason where there is little room: Keras explains itself in paragraphs."""
_END_OF_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_ARTIFACT = re.compile(r"ARTIFACT[\w.-]*\w")
"""The artifact of a repeat, or of one of its custom models: `ARTIFACT.custom-layer`."""
_FUNCTION = re.compile(r"(__inference_\w+?)_\d+\b")
"""A function that TensorFlow numbered: the number differs from process to process."""


def report_promises(answer: Promises) -> Report:
    """Return the guarantees, the oldest release in the first column, and the methods and reasons below them."""
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
        parts += [Paragraph(""), table(("guarantee", "model", "save API", "method"), subjects, rows, is_listing=True)]
        if any(", " in state for row in rows for state in row[4:]):
            parts.append(Paragraph(_TIMES))
        parts.append(Paragraph(_SIGNS))
        parts.append(Section("Methods", (items(_methods(row[3] for row in rows), "method"),)))
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
    return Report("promises", Document("Guarantees of SavedModel by release", tuple(parts)), data)


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
    return _GUARANTEES.get(promise, promise), model if device == "cpu" else f"{model} on {device}", writer, name


def _methods(names: Iterable[str]) -> Iterator[str]:
    """Yield what each method does that any row has."""
    shown = [name for name in set(names) if name != "-"]
    custom = [name for name in shown if name.startswith(_CUSTOM)]
    for part, text in _METHODS.items():
        if part in _CUSTOM and any(name.startswith(part) for name in custom):
            yield f"{part}…: {text}"
        elif part.startswith("-") and any(name.endswith(part) for name in custom):
            yield f"…{part}: {text}"
        elif part in shown:
            yield f"{part}: {text}"


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
            some = f" (in {one.blocks_not_kept} of {one.blocks} blocks)"
            reason = one.state.value, _reason(one), some if 0 < one.blocks_not_kept < one.blocks else ""
            what = way[3] if one.way == "-" else f"{way[3]} {way[4]}"
            reasons.setdefault(reason, {}).setdefault(what, {})[subject] = None
    listed = []
    for (state, whole, some), places in reasons.items():
        where = _named(places, subjects)
        texts = [f"{state}: {detail}{some} [{where}]" for detail in (whole, _shortened(whole))]
        listed.append(Item(texts[0], brief=None if texts[1] == texts[0] else texts[1]))
    return tuple(listed)


def _reason(one: Promise) -> str:
    """Return a reason, the same for whatever artifact and function it is about, in the words of reports."""
    broken = one.detail.split(", ")
    if all(name in _BROKEN for name in broken):
        return ", ".join(_BROKEN[name] for name in broken)
    detail = one.detail.replace(f"{one.device}-{one.model}-{one.writer}", "ARTIFACT")
    return _FUNCTION.sub(r"\1_N", _ARTIFACT.sub("ARTIFACT", detail)).removeprefix("unsupported: ")


def _shortened(reason: str) -> str:
    """Return the first sentence of a reason, or as much of it as a line holds."""
    sentence = _END_OF_SENTENCE.split(reason, maxsplit=1)[0]
    return sentence if len(sentence) <= _LONGEST else sentence[: _LONGEST - 1].rstrip() + "…"


def _named(places: _Places, subjects: Sequence[str]) -> str:
    """Return methods and releases: "tf-save signature, tf-module signature: v2.15.1; tf-save: v2.15.1 to v2.21.0"."""
    methods: dict[str, list[str]] = {}
    for method, some in places.items():
        methods.setdefault(_spans([name in some for name in subjects], subjects), []).append(method)
    return "; ".join(f"{', '.join(names)}: {spans}" for spans, names in methods.items())


def _spans(chosen: Sequence[bool], subjects: Sequence[str]) -> str:
    """Return the chosen subjects, three or more that follow each other as one span; "all releases" if it is all."""
    if all(chosen) and len(subjects) > 1:
        return "all releases"
    told: list[str] = []
    for is_chosen, run in itertools.groupby(zip(chosen, subjects, strict=True), key=lambda pair: pair[0]):
        names = [name for _, name in run]
        if is_chosen:
            told += [f"{names[0]} to {names[-1]}"] if len(names) > 2 else names
    return ", ".join(told)
