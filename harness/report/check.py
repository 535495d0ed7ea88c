"""Whether models still load and answer the same: a table a model, and below it in words what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.answers.check import Advice, Cell, Check, CheckedModel, State
from harness.measure.own_models import KERAS_FILE
from harness.releases.process_end import package_of_missing_op
from harness.report.document import Cell as TableCell
from harness.report.document import (
    Command,
    Document,
    Item,
    Items,
    Paragraph,
    Part,
    Report,
    Row,
    Section,
    Table,
    Tone,
    items,
    table,
)
from harness.report.numbers import count

READERS = {
    "tf-load": "tf.saved_model.load",
    "keras-load": "keras.models.load_model",
    "tfsm-layer": "keras.layers.TFSMLayer",
    "v1-session": "TensorFlow 1 loader",
}
_REMEDIES = {"tf-keras-first": "after `import tf_keras`", "legacy-keras": "of tf_keras"}
_WORDS = {
    State.ANSWERS: "answers",
    State.EQUAL: "equal",
    State.NOT_DETERMINISTIC: "random outputs",
    State.REFUSED: "refused",
    State.UNSUPPORTED: "no such API",
    State.CRASHED: "crashed",
    State.TIMEOUT: "timed out",
}
_LONGEST_ERROR = 240


def report_check(check: Check) -> Report:
    """Return the document: the answer, of several models a table, then each that needs a look, and how to read it."""
    parts: list[Part] = [Paragraph(headline_of(check), Tone.WORSE if check.broken else Tone.STRONG)]
    if check.unread:
        texts = (f"{one.path}: {one.reason}" for one in check.unread)
        parts.append(Section("Not tried", (items(texts, "model"),)))
    shown = check.models
    if len(check.models) > 1:
        readers = dict.fromkeys("keras-load" if one.model.kind == KERAS_FILE else check.reader for one in check.models)
        parts.append(Section(f"Loaded by {' or '.join(READERS[one] for one in readers)}", (_overview(check),)))
        shown = check.broken
    parts += [Section(title_of(checked), tuple(_of_model(check, checked))) for checked in shown]
    parts.append(Paragraph(_LEGEND, Tone.QUIET))
    return Report("check", Document(None, tuple(parts)), _data(check), check.exit_code)


_LEGEND = (
    "answers: the others are compared with this one; equal: the same to the last bit; close and differs: the largest "
    "difference as a share of the largest value, close up to 1e-6. No time was measured."
)


def _overview(check: Check) -> Table:
    rows = []
    for checked in check.models:
        reader = "keras-load" if checked.model.kind == KERAS_FILE else check.reader
        cells = [checked.cell(release, reader) for release in check.releases]
        texts: list[TableCell] = [checked.model.called, *("" if cell is None else state_text(cell) for cell in cells)]
        rows.append(Row(tuple(texts), Tone.WORSE if checked in check.broken else Tone.PLAIN))
    return table(("model", *check.releases), (), rows)


def headline_of(check: Check) -> str:
    """Return the answer in a sentence."""
    if not check.models:
        return "No model could be tried."
    newest, all_of = check.releases[-1], count(len(check.models), "model")
    where = f"in {newest}{_by(check)}"
    if len(check.models) == 1:
        cell = check.decisive(check.models[0])
        return f"{check.models[0].model.called} {_does(cell, where)}."
    if check.broken:
        names = ", ".join(one.model.called for one in check.broken)
        return f"{len(check.broken)} of {all_of} fail or answer differently {where}: {names}."
    states = [(one.model.called, cell.state) for one in check.models if (cell := check.decisive(one)) is not None]
    alone = ", ".join(name for name, state in states if state in (State.ANSWERS, State.NOT_DETERMINISTIC))
    if alone:
        return f"All {all_of} load {where}; with nothing to compare with: {alone}."
    return f"All {all_of} load and answer the same {where}."


def _does(cell: Cell | None, where: str) -> str:
    """Say what the only model does, in the release and by the reader that decide."""
    state = State.UNSUPPORTED if cell is None else cell.state
    return {
        State.ANSWERS: f"loads and answers {where}; there is no other answer to compare with",
        State.EQUAL: f"loads and answers the same {where}",
        State.CLOSE: f"loads and answers the same, but for rounding, {where}",
        State.DIFFERS: f"answers differently {where}",
        State.NOT_DETERMINISTIC: f"loads {where}; its outputs are random, so nothing was compared",
        State.REFUSED: f"does not load or cannot be called {where}",
        State.UNSUPPORTED: f"cannot be read {where}, which this release does not have",
        State.CRASHED: f"crashes {where}",
        State.TIMEOUT: f"does not answer in time {where}",
    }[state]


def _by(check: Check) -> str:
    if all(one.model.kind == KERAS_FILE for one in check.models):
        return ""
    return f" by {READERS[check.reader]}"


def title_of(checked: CheckedModel) -> str:
    """Return which model it is, and how it was called."""
    model = checked.model
    signature = f", signature {model.signature}" if model.signature else ""
    return f"{model.called}{signature}; inputs: {model.inputs_told}"


def _of_model(check: Check, checked: CheckedModel) -> Iterator[Part]:
    keys = dict.fromkeys((cell.reader, cell.remedy) for cell in checked.cells)
    rows = []
    for reader, remedy in keys:
        cells = [checked.cell(release, reader, remedy) for release in check.releases]
        decides = any(cell is not None and cell is check.decisive(checked) for cell in cells)
        wrong = decides and any(one is checked for one in check.broken)
        texts: list[TableCell] = [
            reader_text(reader, remedy),
            *("" if cell is None else state_text(cell) for cell in cells),
        ]
        rows.append(Row(tuple(texts), Tone.WORSE if wrong else Tone.PLAIN))
    yield table(("loaded by", *check.releases), (), rows)
    yield from _errors(checked)
    yield from _advice(checked)
    yield from missing_packages(check, checked)


def _errors(checked: CheckedModel) -> Iterator[Part]:
    """Yield each error once, with where it was seen."""
    seen: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for cell in checked.cells:
        if cell.error is not None and cell.state is not State.UNSUPPORTED:
            releases, readers = seen.setdefault(error_text(cell), ({}, {}))
            releases[cell.release] = None
            readers[reader_text(cell.reader, cell.remedy)] = None
    if seen:
        texts = (f"{', '.join(a)}, {' and '.join(b)}: {text}" for text, (a, b) in seen.items())
        yield items(texts, "error")


def _advice(checked: CheckedModel) -> Iterator[Part]:
    """Yield what works, once for all releases in which the same does, and what does not."""
    works: dict[tuple[str, ...], list[Advice]] = {}
    fails: dict[str, list[str]] = {}
    for text in dict.fromkeys(one.text for one in checked.advice):
        same = [one for one in checked.advice if one.text == text]
        helped = tuple(one.release for one in same if one.works)
        if helped:
            works.setdefault(helped, []).append(next(one for one in reversed(same) if one.works))
        for one in same:
            if not one.works:
                fails.setdefault(text, []).append(one.release)
    for releases, advice in works.items():
        yield Paragraph(f"What works in {' and '.join(releases)}, tried on this model:", Tone.STRONG)
        yield Items(tuple(Item(one.text, (Command(one.command),)) for one in advice), "remedy")
    if fails:
        tried = "; ".join(f"{text} ({', '.join(releases)})" for text, releases in fails.items())
        yield Paragraph(f"Tried without success: {tried}.")


def missing_packages(check: Check, checked: CheckedModel) -> Iterator[Paragraph]:
    """Say which packages bring the ops that a model misses in the newest release, and how they are tried."""
    reasons = [cell.error.message for cell in checked.cells if cell.error and cell.release == check.releases[-1]]
    packages = dict.fromkeys(filter(None, map(package_of_missing_op, reasons)))
    if packages:
        options = " ".join(f"--with {one}" for one in packages)
        yield Paragraph(f"It has ops of {' and '.join(packages)}: add {options} to try it with that.", Tone.STRONG)


def reader_text(reader: str, remedy: str | None) -> str:
    """Return what loaded a model, as a user would call it."""
    if remedy is None:
        return READERS[reader]
    if remedy == "legacy-keras":
        return "tf_keras.models.load_model"
    how = _REMEDIES.get(remedy, remedy.replace("rewritten-in-", "of a copy written in "))
    return f"{READERS[reader]} {how}"


def state_text(cell: Cell) -> str:
    """Return how one try ended, in a word or two."""
    if cell.state in (State.CLOSE, State.DIFFERS):
        word = "close" if cell.state is State.CLOSE else "differs"
        return word if cell.relative is None else f"{word} {cell.relative:.0e}"
    return _WORDS[cell.state]


def error_text(cell: Cell) -> str:
    """Return the error of a try that has one, cut where it is very long."""
    assert cell.error is not None
    text = cell.error.message if cell.error.kind is None else f"{cell.error.kind}: {cell.error.message}"
    return text if len(text) <= _LONGEST_ERROR else text[: _LONGEST_ERROR - 1] + "…"


def _data(check: Check) -> dict[str, Any]:
    return {
        "releases": list(check.releases),
        "reader": check.reader,
        "not_tried": [{"path": one.path, "reason": one.reason} for one in check.unread],
        "models": [
            {
                "name": one.model.called,
                "path": one.model.path,
                "digest": one.model.digest,
                "signature": one.model.signature,
                "inputs": one.model.inputs_told,
                "cells": [_cell(cell) for cell in one.cells],
                "advice": [_advised(each) for each in one.advice],
            }
            for one in check.models
        ],
    }


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "release": cell.release,
        "reader": cell.reader,
        "remedy": cell.remedy,
        "state": cell.state.value,
        "error": None if cell.error is None else {"class": cell.error.kind, "message": cell.error.message},
        "reference_release": cell.reference_release,
        "max_abs_difference": cell.max_abs_difference,
        "relative_difference": cell.relative,
    }


def _advised(one: Advice) -> dict[str, Any]:
    return {"release": one.release, "remedy": one.remedy, "works": one.works, "text": one.text, "command": one.command}
