"""One block: a fresh import for each subject, all alive together, then cell by cell with the subjects alternating."""

from __future__ import annotations

import dataclasses
import itertools
import random
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.machine.guards import Guards
from harness.measure.conditions import Conditions, Operation, Subject
from harness.measure.duet import in_turn
from harness.measure.failures import FAILED_BLOCKS_ALLOWED, FailureCount
from harness.measure.host_phases import host_phase
from harness.measure.order import Orders
from harness.measure.passes import ORIGINS, PASSES
from harness.measure.presets import Cell, Group
from harness.measure.progress import Progress, Step
from harness.measure.repeat_record import failed, repeat_record
from harness.measure.requests import Place, artifact_path, repeat_request
from harness.measure.room import why_too_large
from harness.measure.turns import done_in_turn, imported_in_turn
from harness.measure.watch import Watch
from harness.measure.worker_process import IMPORT_TIMEOUT_S, Message, WorkerLost, WorkerProcess
from harness.measure.workers import Workers
from harness.store.records import RecordWriter


class Block:
    """Measures one block and appends a record for every repeat, whatever becomes of it."""

    def __init__(
        self,
        conditions: Conditions,
        number: int,
        attempt: int,
        writer: RecordWriter,
        failures: FailureCount,
        progress: Progress,
        blocks: int,
        original: int | None = None,
    ) -> None:
        """Prepare block `number` (from 0).

        `blocks` is how many are planned, for the progress alone; `original` is the block whose place it takes, if any.
        """
        self._conditions = conditions
        self._number = number
        self._attempt = attempt
        self._writer = writer
        self._failures = failures
        self._progress = progress
        self._blocks = blocks
        self._random = random.Random(f"{conditions.seed}/{number}")
        self._orders = Orders(conditions.seed, number)
        self._phases: list[Message] = []  # what the host does between repeats
        self._step = 0
        self._original = number if original is None else original
        self._groups = [group for group in conditions.preset.groups if group.is_in(self._original)]
        repeats = {
            in_turn: sum(
                count * len(group.cells)
                for group in self._groups
                for name, count in group.repeats.items()
                if PASSES[name].in_turn is in_turn
            )
            for in_turn in (False, True)
        }
        turns = conditions.preset.import_turns + repeats[True]
        self._steps = len(conditions.subjects) * (1 + repeats[False]) + 2 * len(conditions.compared) * turns
        self._artifacts = conditions.folder / "artifacts"
        self._workers = Workers(conditions, self._artifacts)
        self._guards = Guards(conditions.gpu_uuid, conditions.folder)

    def measure(self) -> list[float]:
        """Measure everything and append the block's own record. Ends all workers, also when interrupted.

        Returns the seconds of the imports and then of each group.
        """
        with self._guards:
            return self._measure()

    def _measure(self) -> list[float]:
        started = time.monotonic()
        parts: list[float] = []
        try:
            shutil.rmtree(self._artifacts, ignore_errors=True)
            self._artifacts.mkdir(parents=True)
            self._import_all()
            self._import_in_turn()
            for group in self._groups:
                parts.append(time.monotonic() - started - sum(parts))
                for cell in group.cells:
                    self._measure_cell(group, cell)
            parts.append(time.monotonic() - started - sum(parts))
            with host_phase(self._phases, "end the workers", "process"):
                self._workers.close()
        finally:
            self._workers.kill()
            with host_phase(self._phases, "remove artifacts"):
                shutil.rmtree(self._artifacts, ignore_errors=True)
        duration_s = time.monotonic() - started
        self._writer.append(
            {
                "type": "block",
                "block": self._number,
                "attempt": self._attempt,
                "complete": True,
                "stands_for": None if self._original == self._number else self._original,
                "duration_s": duration_s,
                "parts_s": parts,
                "phases": self._phases,
                "ended_at": time.time(),
            }
        )
        self._progress.block_done(self._number, self._blocks, duration_s)
        return parts

    def _import_all(self) -> None:
        """Start one zygote a subject, one after the other in random order: imports are measured too."""
        (subjects,) = self._orders.draw(self._conditions.subjects, 1)
        for subject in subjects:
            self._announce(subject, "import", None)
            started_at, clock = time.time(), time.monotonic()
            watch = Watch(self._guards, "cpu")
            result = watch.added_to(self._workers.import_for(subject))
            self._append(subject, None, Operation("import", None, 0), "spawn", result, started_at, clock)

    def _import_in_turn(self) -> None:
        """Have the subjects that are compared imported at once, in turn, by processes that do nothing else."""
        turns = range(self._conditions.preset.import_turns)
        for operation, subjects in itertools.chain.from_iterable(
            self._conditions.in_turn(Operation("import", None, repeat, in_turn=True)) for repeat in turns
        ):
            if self._conditions.isolation == "spawn" or any(one.name in self._workers.lost for one in subjects):
                continue
            for subject in subjects:
                self._announce(subject, "import", None)
            started_at, clock = time.time(), time.monotonic()
            watch = Watch(self._guards, "cpu")
            workers: list[WorkerProcess] = []
            try:
                for subject in subjects:
                    workers.append(self._workers.start(subject))
                results = imported_in_turn(workers, IMPORT_TIMEOUT_S, self._random)
            except WorkerLost as error:
                results = [_not_in_turn(error) for _ in subjects]
            finally:
                for worker in workers:
                    worker.kill()
            self._append_both(subjects, None, operation, "spawn", watch, results, started_at, clock)

    def _measure_cell(self, group: Group, cell: Cell) -> None:
        # By subject and operation, "*" for all: status and reason of what keeps it from going on.
        blocked: dict[tuple[str, str], tuple[str, str]] = {}
        expected: list[str | None] = []  # the file of the answer that the others are held against, once there is one
        own = self._conditions.preset.own_model(cell)
        too_large = why_too_large(
            cell, self._conditions.memory_limit_bytes, self._artifacts, self._conditions.device_memory_bytes, own
        )
        if too_large is not None:
            for subject in self._conditions.subjects:
                result, nothing = dict(failed(too_large), status="unsupported"), Operation("save", None, 0)
                self._append(subject, cell, nothing, self._conditions.isolation, result, time.time(), time.monotonic())
            return
        for operation, subjects in self._rounds(group):
            if operation.in_turn:
                for each, both in self._conditions.in_turn(operation):
                    self._measure_in_turn(group, cell, each, both, blocked, expected)
                continue
            if operation.name == "answer":  # the first subject's answer is what the others' have to be
                subjects = list(self._conditions.subjects)
            for subject in subjects:
                self._announce(subject, operation.name, cell)
                self._measure_repeat(group, cell, operation, subject, blocked, expected)
        with host_phase(self._phases, "remove artifacts"):
            for subject in self._conditions.subjects:
                shutil.rmtree(self._artifact(subject, cell), ignore_errors=True)

    def _rounds(self, group: Group) -> Iterator[tuple[Operation, list[Subject]]]:
        """Yield the cell's rounds, each with the order of its subjects: all saves, then all that reads, shuffled."""
        rounds = [
            (Operation(each.operation, each.page_cache, repeat, each.spawned, each.in_turn), subjects)
            for name, each in PASSES.items()
            for repeat, subjects in enumerate(self._orders.draw(self._conditions.subjects, group.repeats.get(name, 0)))
        ]
        yield from (each for each in rounds if each[0].page_cache is None)
        reads = [each for each in rounds if each[0].page_cache is not None]
        self._random.shuffle(reads)
        yield from reads

    def _measure_repeat(
        self,
        group: Group,
        cell: Cell,
        operation: Operation,
        subject: Subject,
        blocked: dict[tuple[str, str], tuple[str, str]],
        expected: list[str | None],
    ) -> None:
        started_at, clock = time.time(), time.monotonic()
        key = FailureCount.key(subject.name, dataclasses.asdict(cell), operation.name)
        isolation, result = self._conditions.isolation, None
        if subject.name in self._workers.lost:
            if operation.repeat == 0:
                result = failed(f"not-run: {self._workers.lost[subject.name]}")
        elif (subject.name, "*") in blocked:
            status, reason = blocked[subject.name, "*"]
            # Once for each operation. What a release does not have is said once, by what was tried first.
            once = operation.name not in ORIGINS and operation.repeat == 0 and operation.page_cache != "cold"
            if status == "failed" and once:
                result = dict(failed(reason), status=status)
        elif (subject.name, operation.name) in blocked:
            pass  # its failure is told, and another try in this block would cost as much and tell no more
        elif self._failures.blocks(key) >= FAILED_BLOCKS_ALLOWED:
            result = failed(f"not-run: failed in earlier blocks: {self._failures.reason(key)}")
            self._block(blocked, subject, operation, result)
        else:
            retries = not self._failures.blocks(key)
            watch = Watch(self._guards, cell.device)
            request = self._request(group, cell, operation, subject, expected)
            isolation, result = self._workers.ask(subject, request, spawned=operation.spawned, retries=retries)
            result = watch.added_to(result)
            if operation.name == "answer" and result["status"] == "ok" and not expected:
                expected.append(request["answer"] if result["evidence"]["deterministic"] else None)
            if result["status"] != "ok":
                self._block(blocked, subject, operation, result)
            if result["status"] == "failed":
                self._failures.add(key, result["reason"])
        if result is not None:
            self._append(subject, cell, operation, isolation, result, started_at, clock)

    def _measure_in_turn(
        self,
        group: Group,
        cell: Cell,
        operation: Operation,
        subjects: tuple[Subject, Subject],
        blocked: dict[tuple[str, str], tuple[str, str]],
        expected: list[str | None],
    ) -> None:
        """Have both subjects' processes work in turn, where nothing keeps either."""
        alone = "infer" if operation.name == "slices" else operation.name
        lost = self._workers.lost
        kept = any(one.name in lost or {(one.name, "*"), (one.name, alone)} & blocked.keys() for one in subjects)
        is_once = operation.name != "slices"
        # A process that stands still does not keep its GPU waiting.
        if kept or self._conditions.isolation == "spawn" or (is_once and cell.device == "gpu"):
            return
        for subject in subjects:
            self._announce(subject, operation.name, cell)
        started_at, clock = time.time(), time.monotonic()
        watch = Watch(self._guards, cell.device)
        requests = [{"do": "fork", **self._request(group, cell, operation, subject, expected)} for subject in subjects]
        try:
            zygotes = [self._workers.zygote(subject) for subject in subjects]
            if is_once:
                results = done_in_turn(zygotes, requests, self._random)
            else:
                results = in_turn(zygotes, requests, requests[0]["batches"], self._random)
        except WorkerLost as error:
            # Which of the two is to blame is not known, and what each can do alone is measured apart from this.
            results = [_not_in_turn(error) for _ in subjects]
            for subject in subjects:
                self._workers.restart(subject)
        self._append_both(subjects, cell, operation, "fork", watch, results, started_at, clock)

    @staticmethod
    def _block(
        blocked: dict[tuple[str, str], tuple[str, str]], subject: Subject, operation: Operation, result: Message
    ) -> None:
        """Keep a subject from what cannot work: all that reads where nothing was saved or no such API exists."""
        everything = operation.name in ORIGINS or result["status"] == "unsupported"
        reason = f"not-run: {operation.name}: {result['reason'].removeprefix('not-run: ')}"
        blocked[subject.name, "*" if everything else operation.name] = (result["status"], reason)

    def _request(
        self, group: Group, cell: Cell, operation: Operation, subject: Subject, expected: list[str | None]
    ) -> Message:
        place = Place(self._artifacts, self._artifact(subject, cell), expected[0] if expected else None)
        conditions = self._conditions
        return repeat_request(conditions.preset, group, cell, operation, place, conditions.memory_limit_bytes)

    def _artifact(self, subject: Subject, cell: Cell) -> Path:
        return artifact_path(self._artifacts, subject.name, cell)

    def _announce(self, subject: Subject, operation: str, cell: Cell | None) -> None:
        self._progress.step(Step(self._number, self._blocks, self._step, self._steps, subject.name, operation, cell))
        self._step += 1

    def _append(
        self,
        subject: Subject,
        cell: Cell | None,
        operation: Operation,
        isolation: str,
        result: Message,
        started_at: float,
        clock: float,
    ) -> None:
        # Of two processes that take turns, each has its share.
        wall_s = (time.monotonic() - clock) / (2 if operation.in_turn else 1)
        began = {"started_at": started_at, "wall_s": wall_s}
        place = {"block": self._number, "attempt": self._attempt, "subject": subject.name}
        self._writer.append(repeat_record(place, cell, operation, isolation, began, result))

    def _append_both(
        self,
        subjects: tuple[Subject, Subject],
        cell: Cell | None,
        operation: Operation,
        isolation: str,
        watch: Watch,
        results: Sequence[Message],
        started_at: float,
        clock: float,
    ) -> None:
        for subject, partner, result in zip(subjects, reversed(subjects), results, strict=True):
            with_partner = dataclasses.replace(operation, partner=partner.name)
            self._append(subject, cell, with_partner, isolation, watch.added_to(result), started_at, clock)


def _not_in_turn(error: WorkerLost) -> Message:
    """Return the result of a side of two that could not take turns."""
    return dict(failed(f"in-turn: {error}"), status="unsupported")
