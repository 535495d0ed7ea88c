"""Whether models still load and answer the same in other releases, by which reader, and what helps where not."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import UsageError
from harness.formats.registry import READERS
from harness.measure.own_models import KERAS_FILE, OwnModel
from harness.measure.trials import Trials, Try
from harness.releases.beside import Beside
from harness.releases.environments import Environment
from harness.worker.outputs import compare, equal_bits
from harness.worker.recorder import WrongOutput

CLOSE = 1e-6
"""Differences within this share of an output's largest value are rounding: kernels and their order differ."""
TF_KERAS = "tf-keras-first"
LEGACY = "legacy-keras"


class State(StrEnum):
    """What a model does in a release by a reader."""

    ANSWERS = "answers"  # the others are compared with this one
    EQUAL = "equal"
    CLOSE = "close"
    DIFFERS = "differs"
    NOT_DETERMINISTIC = "not-deterministic"
    REFUSED = "refused"
    UNSUPPORTED = "unsupported"
    CRASHED = "crashed"
    TIMEOUT = "timeout"

    @property
    def is_fine(self) -> bool:
        """Whether it loads, can be called, and answers as it should, as far as can be told."""
        return self in (State.ANSWERS, State.EQUAL, State.CLOSE, State.NOT_DETERMINISTIC)


@dataclass(frozen=True, slots=True)
class Error:
    """Why a model did not answer: the exception's class, None where there was none, and its message in one line."""

    kind: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One try: differences are the largest of any output, `relative` as a share of that output's largest value."""

    release: str
    reader: str
    remedy: str | None
    state: State
    error: Error | None = None
    reference_release: str | None = None
    max_abs_difference: float | None = None
    relative: float | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """A remedy that was tried on this model in this release, and how a user does it."""

    release: str
    remedy: str
    works: bool
    text: str
    command: str


@dataclass(frozen=True, slots=True)
class CheckedModel:
    """A model and everything that was tried with it."""

    model: OwnModel
    cells: tuple[Cell, ...]
    advice: tuple[Advice, ...]

    def cell(self, release: str, reader: str, remedy: str | None = None) -> Cell | None:
        """Return a try; None where it was not made."""
        return next(
            (
                one
                for one in self.cells
                if (one.release, one.reader, one.remedy) == (release, reader, remedy)
            ),
            None,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Unread:
    """A path that is no model that can be tried, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Check:
    """The answer: models in releases, the oldest release first; `reader` decides the exit code."""

    releases: tuple[str, ...]
    reader: str
    models: tuple[CheckedModel, ...]
    unread: tuple[Unread, ...] = ()

    def decisive(self, checked: CheckedModel) -> Cell | None:
        """Return the try that decides about a model: by the reader, in the newest release.

        Of a file that Keras wrote it is Keras's own reader.
        """
        reader = "keras-load" if checked.model.kind == KERAS_FILE else self.reader
        return checked.cell(self.releases[-1], reader)

    @property
    def broken(self) -> tuple[CheckedModel, ...]:
        """The models that the newest release refuses, or answers differently, by the reader."""
        cells = ((one, self.decisive(one)) for one in self.models)
        return tuple(one for one, cell in cells if cell is None or not cell.state.is_fine)

    @property
    def exit_code(self) -> int:
        """1 where a model is broken, else 3 where one could not be tried, else 0."""
        return 1 if self.broken else 3 if self.unread else 0


@dataclass(frozen=True, slots=True)
class Question:
    """What is checked: models, releases (the oldest first), and how.

    `expected` are outputs that count as right, by name; None: those of the oldest release that answers. `beside` puts
    packages beside a release.
    """

    models: tuple[OwnModel, ...]
    environments: tuple[Environment, ...]
    reader: str
    folder: Path  # for what is written, empty
    expected: Mapping[str, Any] | None
    beside: Callable[[Environment, Sequence[str]], Beside]
    imports: tuple[str, ...] = ()  # of packages that are beside every release


def check(question: Question, say: Callable[[str], None]) -> Check:
    """Try every model in every release by every reader, then the remedies where its first one fails."""
    tried: dict[tuple[str, str, str, str | None], Try] = {}
    remedies: dict[tuple[str, str], list[Advice]] = {}
    for environment in question.environments:
        _try_all(question, environment, tried, say)
    references = {model.name: _reference(question, model, tried) for model in question.models}
    for environment in question.environments:
        wrong = [
            model
            for model in question.models
            if not _state(tried, references[model.name], (environment.subject, model.name, _first(model), None)).is_fine
        ]
        if wrong:
            _try_remedies(question, environment, wrong, tried, remedies, say)
    models = []
    for model in question.models:
        cells = [_judged(key, one, references[model.name]) for key, one in tried.items() if key[1] == model.name]
        advice = [
            replace(each, works=_helps(each, cells))
            for environment in question.environments
            for each in remedies.get((environment.subject, model.name), ())
        ]
        models.append(CheckedModel(model, tuple(cells), tuple(advice)))
    return Check(tuple(one.subject for one in question.environments), question.reader, tuple(models))


_Tried = dict[tuple[str, str, str, "str | None"], Try]
"""By release, model, reader and remedy."""


@dataclass(frozen=True, slots=True)
class _Reference:
    """What outputs are compared with; `key` is whose they are, None where a file gave them."""

    key: tuple[str, str, str, str | None] | None
    outputs: Mapping[str, Any] | None


def _try_all(question: Question, environment: Environment, tried: _Tried, say: Callable[[str], None]) -> None:
    release = environment.subject
    say(f"trying {release}")
    folder = question.folder / re.sub(r"[^\w.@-]", "_", release)
    with Trials(environment.python, environment.variables, folder, question.models, question.imports) as trials:
        for model in question.models:
            for reader in _readers(model):
                tried[release, model.name, reader, None] = trials.answer(model, reader)


def _first(model: OwnModel) -> str:
    return "keras-load" if model.kind == KERAS_FILE else "tf-load"


def _readers(model: OwnModel) -> Sequence[str]:
    return ["keras-load"] if model.kind == KERAS_FILE else list(READERS)


def _reference(question: Question, model: OwnModel, tried: _Tried) -> _Reference:
    """Return what outputs are compared with: what was given, else the oldest release's answer by its first reader."""
    if question.expected is not None:
        return _Reference(None, question.expected)
    readers = [question.reader, *(one for one in _readers(model) if one != question.reader)]
    for environment in question.environments:
        for reader in readers:
            key = (environment.subject, model.name, reader, None)
            one = tried.get(key)
            if one is not None and one.outputs:
                return _Reference(key, one.outputs)
    return _Reference(None, None)


def _try_remedies(
    question: Question,
    environment: Environment,
    models: Sequence[OwnModel],
    tried: _Tried,
    remedies: dict[tuple[str, str], list[Advice]],
    say: Callable[[str], None],
) -> None:
    release = environment.subject
    folder = question.folder / "remedies"
    folders = [model for model in models if model.kind != KERAS_FILE]

    def advise(model: OwnModel, remedy: str, text: str, command: str) -> None:
        remedies.setdefault((release, model.name), []).append(Advice(release, remedy, False, text, command))

    for model in folders:
        command = f"tf.compat.v1.saved_model.load(session, {list(model.tags or ('serve',))!r}, {model.path!r})"
        advise(model, "v1-session", "load it by the TensorFlow 1 loader", command)
    if has_keras_3(environment):
        try:
            beside = question.beside(environment, ["tf_keras"])
        except UsageError as error:
            say(f"tf_keras could not be tried with {release}: {error}")
        else:
            pin = f"tf_keras=={beside.environment.packages.get('tf_keras', '')}"
            say(f"trying {release} with {pin}")
            variables = beside.environment.variables
            imports = (*question.imports, *beside.imports)
            with Trials(environment.python, variables, folder, folders, imports) as trials:
                for model in folders:
                    tried[release, model.name, "tf-load", TF_KERAS] = trials.answer(model, "tf-load")
                    text = "install tf_keras and import it before the model is loaded"
                    advise(model, TF_KERAS, text, f"pip install --no-deps {pin}  # then: import tf_keras")
            legacy = {**variables, "TF_USE_LEGACY_KERAS": "1"}
            with Trials(environment.python, legacy, folder, models, question.imports) as trials:
                for model in models:
                    tried[release, model.name, "keras-load", LEGACY] = trials.answer(model, "keras-load")
                    text = "load it by tf_keras.models.load_model"
                    advise(model, LEGACY, text, f"pip install --no-deps {pin}  # then: tf_keras.models.load_model(…)")
    for model in folders:
        writer = _writer(question, environment, model, tried)
        if writer is None:
            continue
        remedy = f"rewritten-in-{writer.subject}"
        written = question.folder / f"rewritten-{model.name}"
        with Trials(writer.python, writer.variables, folder, [model], question.imports) as trials:
            say(f"writing {model.called} anew in {writer.subject}")
            made = trials.rewrite(model, written) if not written.exists() else Try("ok", None, True, None)
        if made.status == "ok":
            of_new = (environment.python, environment.variables, folder, [model], question.imports, (written,))
            with Trials(*of_new) as trials:
                made = trials.answer(replace(model, tags=None), "tf-load", str(written))
        tried[release, model.name, "tf-load", remedy] = made
        text = f"load it in {writer.subject} and save its signature alone, without the optimizer"
        advise(model, remedy, text, _REWRITING.format(path=model.path, signature=model.signature))


_REWRITING = (
    "m = tf.saved_model.load({path!r}); f = m.signatures[{signature!r}]; n = tf.Module(); "
    "n.v = list(f.graph.variables); tf.saved_model.save(n, NEW_PATH, signatures={{{signature!r}: f}})"
)


def has_keras_3(environment: Environment) -> bool:
    """Return whether a release reads files by Keras 3, so that tf_keras is a remedy."""
    installed = environment.installation.keras if environment.installation is not None else environment.keras
    return installed is None or not str(installed).startswith("2.")


def _writer(question: Question, environment: Environment, model: OwnModel, tried: _Tried) -> Environment | None:
    """Return the newest other release that loads a model by `tf-load`, and could write it anew."""
    others = [one for one in question.environments if one.subject != environment.subject]
    able = [one for one in others if tried[one.subject, model.name, "tf-load", None].status == "ok"]
    return able[-1] if able else None


def _helps(advice: Advice, cells: Sequence[Cell]) -> bool:
    """Return whether the remedy's own try went well."""
    for cell in cells:
        named = cell.remedy == advice.remedy or (cell.remedy is None and cell.reader == advice.remedy)
        if cell.release == advice.release and named:
            return cell.state.is_fine
    return False


def _state(tried: _Tried, reference: _Reference, key: tuple[str, str, str, str | None]) -> State:
    return _judged(key, tried[key], reference).state


def _judged(key: tuple[str, str, str, str | None], one: Try, reference: _Reference) -> Cell:
    release, _, reader, remedy = key
    if one.status != "ok":
        state, error = _failure(one)
        return Cell(release, reader, remedy, state, error)
    if not one.is_deterministic:
        return Cell(release, reader, remedy, State.NOT_DETERMINISTIC)
    if key == reference.key or reference.outputs is None:
        return Cell(release, reader, remedy, State.ANSWERS)
    of = None if reference.key is None else reference.key[0]
    found, expected = dict(one.outputs or {}), dict(reference.outputs)
    if equal_bits(found, expected):
        return Cell(release, reader, remedy, State.EQUAL, None, of, 0.0, 0.0)
    try:
        difference, exceeded = compare(found, expected, CLOSE)
    except WrongOutput as wrong:
        text = str(wrong).removeprefix("wrong-output: ")
        return Cell(release, reader, remedy, State.DIFFERS, Error(None, text), of)
    state = State.CLOSE if exceeded is None else State.DIFFERS
    return Cell(release, reader, remedy, state, None, of, difference, _relative(found, expected))


def _relative(found: Mapping[str, Any], expected: Mapping[str, Any]) -> float | None:
    """Return the largest difference of any output as a share of its largest finite value; None where all are 0."""
    if len(found) == len(expected) == 1:
        found = dict(zip(expected, found.values(), strict=True))
    shares = []
    for name, wanted in expected.items():
        if wanted.dtype.kind in "fciu" and wanted.size:
            finite = np.abs(wanted[np.isfinite(wanted)])
            scale = float(np.max(finite, initial=0.0))
            difference, _ = compare({name: found[name]}, {name: wanted}, 0.0)
            if scale:
                shares.append(difference / scale)
    return max(shares, default=None)


_WRAPPER = re.compile(
    r"(?:Graph execution error: |Exception encountered when calling \S+\(\)\. |\{\{function_node [^}]*\}\} )+"
)
"""How a message begins that says where the cause was seen, which differs from reader to reader."""
_RAISED = re.compile(r"(?:raised|unsupported): (\w+): (.*)", re.DOTALL)
_STATES = {"timeout": State.TIMEOUT, "crashed": State.CRASHED, "memory-limit": State.CRASHED}


def _failure(one: Try) -> tuple[State, Error]:
    reason = one.reason or "no reason"
    raised = _RAISED.fullmatch(reason)
    kind, _, message = reason.partition(": ")
    error = Error(raised[1], _WRAPPER.sub("", raised[2])) if raised else Error(None, message or reason)
    if one.status == "unsupported":
        return State.UNSUPPORTED, error
    return _STATES.get(kind, State.REFUSED), error
