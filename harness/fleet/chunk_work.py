"""What a job does on its node where no time is measured: each model of its chunk in turn, an answer for each."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from harness.answers.check import Check, CheckedModel, Question, Unread, check
from harness.answers.inspection import Inspection, inspect
from harness.errors import UsageError
from harness.fleet import tasks
from harness.fleet.node_work import NodeWork
from harness.fleet.starting import expected_place, relocated_model
from harness.measure.guard import what_guards
from harness.measure.own_models import OwnModel
from harness.measure.progress import Progress
from harness.measure.trials import scratch
from harness.planning.checks import read_expected
from harness.planning.fixed import environments_of
from harness.releases.beside import with_packages
from harness.releases.registered_ops import registered_ops
from harness.store.runs import write_json_atomically

_ANSWERS = "answers"


class Answer(msgspec.Struct, frozen=True):
    """What a job found out about one model; one of the last three is there. Paths are the user's."""

    model: str
    checked: CheckedModel | None = None
    inspection: Inspection | None = None
    unread: Unread | None = None


def check_chunk(
    root: Path,
    node: NodeWork,
    progress: Progress,
    ask: Callable[[Question, Callable[[str], None]], Check] = check,
) -> None:
    """Try each model of a chunk in all releases.

    Args:
        root: the project on the node.
        node: the job.
        progress: is told of each model, and delivers.
        ask: tries models; tests put another in its place.

    Raises:
        UsageError: the releases cannot be used here.
    """
    task = node.job.task
    assert isinstance(task, tasks.Check)
    environments = environments_of(root, node.fleet.plan.subjects[node.job.type], task.packages, progress.say)
    progress.say(what_guards().sentence)
    expected = None if task.expected is None else read_expected(root / expected_place(task.expected))

    def answered(model: OwnModel) -> Answer:
        here = _here(node, model)
        with scratch(node.scratch) as folder:
            question = Question(
                models=(here,),
                environments=tuple(environments),
                reader=task.reader,
                folder=folder,
                expected=expected,
                beside=lambda environment, wanted: with_packages(environment, wanted, root, progress.say),
                imports=task.imports,
            )
            (checked,) = ask(question, progress.say).models
        return Answer(model.name, checked=_with_path(checked, here, model))

    _each(node, progress, answered)


def inspect_chunk(root: Path, node: NodeWork, progress: Progress) -> None:
    """Read each model of a chunk.

    Raises:
        UsageError: the release that is asked cannot be used here.
    """
    environments = environments_of(root, node.fleet.plan.subjects[node.job.type], (), progress.say)
    release, known = None, None
    if environments:
        release, known = environments[0].release.name, registered_ops(environments[0].python)

    def answered(model: OwnModel) -> Answer:
        found = inspect(Path(_here(node, model).path), release, known)
        return Answer(model.name, inspection=replace(found, model=replace(found.model, path=Path(model.path))))

    _each(node, progress, answered)


def deliver_answers(folder: Path, attempt: Path) -> bool:
    """Copy the answers below a job's scratch folder that its attempt does not have yet; return whether there are any.

    Raises:
        OSError: the attempt's folder cannot be written.
    """
    found = sorted((folder / _ANSWERS).glob("*.json"))
    for path in found:
        target = attempt / _ANSWERS / path.name
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            write_json_atomically(target, json.loads(path.read_bytes()))
    return bool(found)


def read_answer(path: Path, model: OwnModel) -> Answer | None:
    """Return what was delivered about a model; None where that cannot be read, or is about another one."""
    try:
        found = msgspec.convert(json.loads(path.read_bytes()), Answer, dec_hook=_decoded)
    except (OSError, ValueError, msgspec.ValidationError):
        return None
    return found if found.model == model.name else None


def _each(node: NodeWork, progress: Progress, answered: Callable[[OwnModel], Answer]) -> None:
    """Answer about all models that no attempt answered about.

    Every other attempt begins with the last one, so that a model that ends its job each time costs no other's answer.
    """
    models = node.job.task.models if isinstance(node.job.task, tasks.Chunk) else ()
    done = node.fleet.answers(node.job)
    left = [number for number in range(len(models)) if number not in done]
    if node.attempt.number % 2 == 0:
        left.reverse()
    folder = node.scratch / _ANSWERS
    folder.mkdir()
    for before, number in enumerate(left, len(done)):
        begun = time.monotonic()
        progress.say(f"{models[number].called}:")
        try:
            answer = answered(models[number])
        except UsageError as error:
            reason = _told(str(error), _here(node, models[number]), models[number])
            answer = Answer(models[number].name, unread=Unread(models[number].path, reason))
        write_json_atomically(folder / f"{number}.json", msgspec.to_builtins(answer, enc_hook=_encoded))
        progress.block_done(before, len(models), time.monotonic() - begun)


def _here(node: NodeWork, model: OwnModel) -> OwnModel:
    """Return a model where the fleet's folder has it: nothing is timed, so it is read there."""
    place = relocated_model(model)
    inputs = None if place.inputs_file is None else str(node.fleet.project / place.inputs_file)
    return replace(place, path=str(node.fleet.project / place.path), inputs_file=inputs)


def _with_path(checked: CheckedModel, here: OwnModel, model: OwnModel) -> CheckedModel:
    """Return what was tried with a model's own path in all texts, in place of where it lay for the job."""
    cells = []
    for one in checked.cells:
        error = one.error and replace(one.error, message=_told(one.error.message, here, model))
        cells.append(replace(one, error=error))
    advice = tuple(replace(one, command=_told(one.command, here, model)) for one in checked.advice)
    return CheckedModel(model, tuple(cells), advice)


def _told(text: str, here: OwnModel, model: OwnModel) -> str:
    return text.replace(here.path, model.path)


def _encoded(value: Any) -> str:
    return str(value)  # a path: msgspec knows all else


def _decoded(kind: type[Any], value: Any) -> Any:
    return kind(value)
