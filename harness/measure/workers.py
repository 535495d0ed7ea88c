"""The workers of a block: a fork server for each subject, and processes of their own for what is not forked."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from harness.measure.conditions import Conditions, Subject
from harness.measure.footprint import Footprint
from harness.measure.guard import guard_for, guarded_environment
from harness.measure.host_phases import host_phase
from harness.measure.memory_watch import MemoryWatch
from harness.measure.pinning import worker_environment
from harness.measure.repeat_record import after_import, failed
from harness.measure.worker_process import IMPORT_TIMEOUT_S, Message, WorkerLost, WorkerProcess

_HAZARDS = ("timeout", "crashed")
"""Failures that forking itself could have caused: they are retried once in a process of their own."""


class Workers:
    """Starts the processes of a block's subjects, asks them for repeats, and ends them.

    Args:
        conditions: the block's.
        artifacts: the folder that all of them write to.
    """

    def __init__(self, conditions: Conditions, artifacts: Path) -> None:
        self._conditions = conditions
        self._artifacts = artifacts
        self._zygotes: dict[str, WorkerProcess] = {}
        self._lost: dict[str, str] = {}
        own = conditions.preset.models
        self._guard = guard_for(own, artifacts) if own else None
        variables = worker_environment if self._guard is None else guarded_environment
        self._environment = variables(os.environ, artifacts, conditions.gpu_uuid)

    @property
    def lost(self) -> Mapping[str, str]:
        """By name: the subjects that have no zygote any more, and why."""
        return self._lost

    def start(self, subject: Subject) -> WorkerProcess:
        """Start a process of a subject; its import has begun.

        Raises:
            WorkerLost: it does not start.
        """
        log = self._conditions.folder / "logs" / f"{subject.name.replace(os.sep, '_')}.log"
        environment = {**self._environment, **subject.variables}
        return WorkerProcess(subject.python, environment, log, self._artifacts, self._guard)

    def import_for(self, subject: Subject) -> Message:
        """Start a subject's zygote and return the record of its import; a subject without one is lost."""
        try:
            zygote = self.start(subject)
            result = zygote.wait_for_import(IMPORT_TIMEOUT_S)
            self._zygotes[subject.name] = zygote
        except WorkerLost as error:
            result = failed(str(error))
            self._lost[subject.name] = str(error)
        return result

    def zygote(self, subject: Subject) -> WorkerProcess:
        """Return the zygote of a subject that is not lost."""
        return self._zygotes[subject.name]

    def restart(self, subject: Subject) -> None:
        """Start a subject's zygote anew; one that cannot be is lost."""
        self._zygotes[subject.name].kill()
        try:
            self._zygotes[subject.name] = self.start(subject)
            self._zygotes[subject.name].wait_for_import(IMPORT_TIMEOUT_S)
        except WorkerLost as error:
            self._lost[subject.name] = str(error)

    def ask(self, subject: Subject, request: Message, *, spawned: bool, retries: bool) -> tuple[str, Message]:
        """Return how a repeat was isolated and what it gave.

        Args:
            subject: one that is not lost.
            request: what it is asked for.
            spawned: whether a process of its own is part of what is measured.
            retries: whether it is tried once more, spawned, where the fork may be to blame for its failure.
        """
        Path(request["scratch"]).parent.mkdir(parents=True, exist_ok=True)
        if spawned or self._conditions.isolation == "spawn":
            return "spawn", self._ask_spawned(subject, request, times_import=spawned)
        result = self._ask_forked(subject, request)
        reason = result["reason"]
        if result["status"] != "failed" or not reason.startswith(_HAZARDS) or not retries:
            return "fork", result
        _remove_left(request)
        result = self._ask_spawned(subject, request)
        result["taints"] = [*result["taints"], f"retried: {reason}"]
        return "spawn", result

    def close(self) -> None:
        """Let all zygotes end by themselves."""
        for zygote in self._zygotes.values():
            zygote.close()

    def kill(self) -> None:
        """End all zygotes and what they started, at once."""
        for zygote in self._zygotes.values():
            zygote.kill()

    def _beside(self, request: Message) -> Footprint | MemoryWatch:
        """Return what looks at the GPU while a repeat of this request holds still for it."""
        on_gpu = request["device"] == "gpu"
        uuid = self._conditions.gpu_uuid if on_gpu else None
        missing = self._conditions.gpu_missing if on_gpu else None
        return MemoryWatch(uuid, missing) if request["operation"] == "memory" else Footprint(uuid, missing)

    def _ask_forked(self, subject: Subject, request: Message) -> Message:
        zygote = self._zygotes[subject.name]
        beside = self._beside(request)
        try:
            return beside.added_to(zygote.ask({"do": "fork", **request}, beside.read))
        except WorkerLost as error:
            beside.close()
            self.restart(subject)
            return failed(str(error))

    def _ask_spawned(self, subject: Subject, request: Message, *, times_import: bool = False) -> Message:
        beside = self._beside(request)
        try:
            process = self.start(subject)
        except WorkerLost as error:
            return failed(str(error))
        host: list[Message] = []
        try:
            imported = process.wait_for_import(IMPORT_TIMEOUT_S)
            asked = {"do": "here", **request, "started": process.started}
            result = after_import(beside.added_to(process.ask(asked, beside.read)), imported, times_import)
        except WorkerLost as error:
            result = failed(str(error))
        finally:
            beside.close()
            with host_phase(host, "end the worker", "process"):
                process.kill()
        result["phases"] = [*result["phases"], *host]
        return result


def _remove_left(request: Message) -> None:
    """Remove what a failed save left, so that its retry starts from nothing."""
    if request["operation"] == "save":
        for path in (request["artifact"], request["artifact"] + ".later"):
            shutil.rmtree(path, ignore_errors=True)
