"""Whether a model loads and what it answers, tried in a release; nothing is timed."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.measure.guard import guard_for, guarded_environment
from harness.measure.inputs import write_inputs
from harness.measure.memory_limit import memory_allowed_bytes
from harness.measure.own_models import AS_IS, SAVED_MODEL, OwnModel
from harness.measure.owned_folder import owned_folder, remove_orphans
from harness.measure.worker_process import IMPORT_TIMEOUT_S, Message, WorkerLost, WorkerProcess
from harness.worker import arrays

TIMEOUT_S = 120.0
"""Of one try, where the model has none of its own."""


@dataclass(frozen=True, slots=True)
class Try:
    """What became of one try: its outputs where it answered, else why not.

    `reason` begins with the kind of failure, as in records: "raised: …", "unsupported: …", "timeout: …".
    """

    status: str  # ok, failed or unsupported
    reason: str | None
    is_deterministic: bool
    outputs: Mapping[str, Any] | None


class Trials:
    """One release's worker, which tries models in a child each. A context manager.

    Args:
        python: the release's interpreter.
        variables: what its profile and its packages set.
        folder: for everything that is written, and removed at the end.
        models: what will be tried.
        imports: modules that each try imports before it loads.
        readable: what must be readable, too.
    """

    def __init__(
        self,
        python: Path,
        variables: Mapping[str, str],
        folder: Path,
        models: Sequence[OwnModel],
        imports: tuple[str, ...] = (),
        readable: tuple[Path, ...] = (),
    ) -> None:
        self._python, self._variables, self._imports = python, variables, imports
        self._inputs = folder.parent / "inputs"
        self._models, self._readable = models, (self._inputs, *readable)
        self._folder = folder
        self._worker: WorkerProcess | None = None
        self._count = 0

    def __enter__(self) -> Trials:
        self._folder.mkdir(parents=True)
        self._inputs.mkdir(exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._worker is not None:
            self._worker.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def answer(self, model: OwnModel, reader: str, path: str | None = None) -> Try:
        """Return what a model answers, read by a reader, from another place than its own where `path` is given."""
        result = self._ask("answer", model, reader, {"artifact": path or model.path})
        if result["status"] != "ok":
            return Try(result["status"], result["reason"], True, None)
        stored = self._place("answer")
        is_deterministic = bool(result["evidence"]["deterministic"])
        return Try("ok", None, is_deterministic, arrays.load(stored) if is_deterministic else {})

    def rewrite(self, model: OwnModel, path: Path) -> Try:
        """Load a model and write its signature anew, without what else it holds, at `path`."""
        written = self._folder / "rewritten"
        result = self._ask("rewrite", model, "tf-load", {"artifact": model.path, "written": str(written)})
        if result["status"] == "ok":
            written.replace(path)
        return Try(result["status"], result["reason"], True, None)

    def _place(self, what: str) -> str:
        return str(self._folder / f"{self._count}.{what}")

    def _ask(self, operation: str, model: OwnModel, reader: str, more: Message) -> Message:
        self._count += 1
        # A file that Keras wrote tells its inputs only to the worker that loads it, which writes them.
        folder = self._inputs if model.kind == SAVED_MODEL else self._folder
        request: Message = {
            "do": "fork",
            "operation": operation,
            "device": "cpu",
            "model": model.name,
            "writer": AS_IS,
            "reader": reader,
            "expected": None,
            "answer": self._place("answer"),
            "scratch": self._place("scratch"),
            "imports": list(self._imports),
            "tolerance": model.tolerance,
            "timeout_s": model.timeout_s or TIMEOUT_S,
            "memory_limit_bytes": memory_allowed_bytes(),
            "source": model.source({str(model.base_batch): str(write_inputs(model, model.base_batch, folder))}),
            **more,
        }
        with contextlib.suppress(WorkerLost):
            return self._once(request)
        # What ended the worker may have been left by the try before it.
        try:
            return self._once(request)
        except WorkerLost as error:
            return {"status": "failed", "reason": str(error), "evidence": {}}

    def _once(self, request: Message) -> Message:
        if self._worker is None:
            environment = {**guarded_environment(os.environ, self._folder), **self._variables}
            guard = guard_for(self._models, self._folder, self._readable)
            log = self._folder / "worker.log"
            self._worker = WorkerProcess(self._python, environment, log, self._folder, guard)
            self._worker.wait_for_import(IMPORT_TIMEOUT_S)
        try:
            return self._worker.ask(request)
        except WorkerLost:
            self._worker.kill()
            self._worker = None
            raise


@contextlib.contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """Make a folder for the files of a check below `parent`, and remove it at the end."""
    parent.mkdir(parents=True, exist_ok=True)
    remove_orphans("check", parent)
    with owned_folder("check", parent) as folder:
        yield folder
