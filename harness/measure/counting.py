"""One process that counts work: started with fixed conditions, asked for cell after cell, ended whatever happens."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.measure.conditions import Operation
from harness.measure.guard import guard_for, guarded_environment
from harness.measure.own_models import KERAS_FILE
from harness.measure.pinning import worker_environment
from harness.measure.presets import Cell, Group, Preset
from harness.measure.requests import Place, artifact_path, repeat_request
from harness.measure.room import why_too_large
from harness.measure.worker_process import IMPORT_TIMEOUT_S, Message, WorkerLost, WorkerProcess
from harness.releases.environments import Environment
from harness.store.work import UNSUPPORTED

PINNED = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "CUDA_VISIBLE_DEVICES": "-1"}
"""What a counting worker has beside every worker's variables: the order of sets is the same in all of them, none
writes what the next would read, and work is counted on the CPU."""

_SLOWDOWN = 2.0
"""An operation takes 1.2 to 1.5 times as long where its calls are counted."""

Raw = dict[str, Message | str]
"""By key: what a process counted, or why it did not."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is counted of a cell: keys by the operation of the repeat that counts them, "save" and "load"."""

    group: Group
    cell: Cell
    keys: Mapping[str, tuple[str, ...]]


@dataclass(slots=True)
class Counting:
    """What all counting of a run shares."""

    preset: Preset
    wanted: Sequence[Wanted]
    folder: Path
    deadline: float | None
    memory_bytes: float
    live: list[WorkerProcess] = field(default_factory=list)
    is_stopped: bool = False

    def is_late(self) -> bool:
        """Whether no more may be begun."""
        return self.is_stopped or (self.deadline is not None and time.monotonic() > self.deadline)

    def stop(self) -> None:
        """End what counts, so that the threads that wait for it go on and end."""
        self.is_stopped = True
        for worker in tuple(self.live):
            worker.kill()


def count_in_process(
    counting: Counting, name: str, environment: Environment, keys: Collection[str]
) -> tuple[str | None, Raw]:
    """Count some keys in one new process; return its version of Python and what it found of each."""
    if counting.is_late():
        return None, dict.fromkeys(keys, _LATE)
    artifacts = counting.folder / name.replace(os.sep, "_")
    worker: WorkerProcess | None = None
    python: str | None = None
    found: Raw = {}
    try:
        artifacts.mkdir(parents=True, exist_ok=True)
        worker = _start(counting, environment, artifacts)
        counting.live.append(worker)
        hello = worker.wait_for_import(IMPORT_TIMEOUT_S)
        python = hello["provenance"]["python"]
        if "import" in keys:
            found["import"] = hello["evidence"]["work"]["import"]
        for one in counting.wanted:
            if counting.is_late():
                break
            found.update(_cell(counting, worker, name, one, artifacts, keys))
    except (WorkerLost, OSError, ValueError) as error:  # the last where `stop` closed what this thread waits for
        return python, {key: found.get(key, str(error)) for key in keys}
    finally:
        if worker is not None:
            counting.live.remove(worker)
            worker.kill()
        shutil.rmtree(artifacts, ignore_errors=True)
    return python, {key: found.get(key, _LATE) for key in keys}


_NOT_REACHED = "not-counted: the operation did not come to it"
_LATE = "no-time: the time limit left no room to count it"


def _start(counting: Counting, environment: Environment, artifacts: Path) -> WorkerProcess:
    own = counting.preset.models
    variables = guarded_environment if own else worker_environment
    whole = {**variables(os.environ, artifacts), **environment.variables, **PINNED}
    guard = guard_for(own, artifacts) if own else None
    log = counting.folder.parent / "logs" / "counting.log"
    return WorkerProcess(environment.python, whole, log, artifacts, guard, counting=True)


def _cell(
    counting: Counting, worker: WorkerProcess, name: str, wanted: Wanted, artifacts: Path, keys: Collection[str]
) -> Raw:
    """Count a cell's operations of these keys, with the save that loads need."""
    saves, loads = ([key for key in wanted.keys[name] if key in keys] for name in ("save", "load"))
    if not saves and not loads:
        return {}
    cell, preset = wanted.cell, counting.preset
    own = preset.own_model(cell)
    too_large = why_too_large(cell, counting.memory_bytes, artifacts, own=own)
    if too_large is not None:
        return dict.fromkeys((*saves, *loads), too_large)
    artifact = artifact_path(artifacts, name, cell)
    artifact.parent.mkdir(parents=True, exist_ok=True)
    group = replace(wanted.group, durable_saves=0, later_saves=min(1, wanted.group.later_saves))

    def ask(operation: str, page_cache: str | None = None, keep: bool = True) -> Message:
        request = repeat_request(
            preset,
            group,
            cell,
            Operation(operation, page_cache, repeat=0 if keep else 1),
            Place(artifacts, artifact),
            counting.memory_bytes,
        )
        request["timeout_s"] *= _SLOWDOWN
        return worker.ask({"do": "fork", **request, "again": any(key.startswith("load_again/") for key in loads)})

    found: Raw = {}
    if own is None or own.is_built:
        saved = ask("save", keep=bool(loads))
        if saved["status"] != "ok":
            return dict.fromkeys((*saves, *loads), _reason(saved))
        found.update(_of_repeat(saved, saves))
    elif own.kind == KERAS_FILE:
        answered = ask("answer")  # makes its inputs
        if answered["status"] != "ok":
            return dict.fromkeys(loads, _reason(answered))
    if loads:
        found.update(_of_repeat(ask("load", "warm"), loads))
    shutil.rmtree(artifact, ignore_errors=True)
    return found


def _reason(result: Message) -> str:
    """Return why a repeat counted nothing."""
    return (UNSUPPORTED if result["status"] == "unsupported" else "") + str(result["reason"]).removeprefix(UNSUPPORTED)


def _of_repeat(result: Message, keys: Sequence[str]) -> Raw:
    """Return what a repeat counted of its keys, which begin with the names that it counts by."""
    if result["status"] != "ok":
        return dict.fromkeys(keys, _reason(result))
    counted_by = {"load_cold": "load", "load_warm": "load"}
    names = {key: key.partition("/")[0] for key in keys}
    work = result["evidence"]["work"]
    return {key: work.get(counted_by.get(name, name), _NOT_REACHED) for key, name in names.items()}
