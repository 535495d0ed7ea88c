"""Run directories: where one run's facts and records live, and who may write."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import gzip
import hashlib
import io
import json
import os
import platform
import secrets
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from harness.errors import UsageError
from harness.machine.gpu.devices import is_fake_driver
from harness.store.records import Problem, Record, RecordWriter, read_records

SCHEMA = 1
"""Layout of run.json and records.jsonl; a run of another layout is named and skipped."""

UNFINISHED = ("running", "interrupted")
"""States of a run that did not end; `running` is one too once nobody holds the lock (its process was killed)."""

Facts = dict[str, Any]

_FACTS_FIELDS: dict[str, type] = {
    "run": str, "kind": str, "created_at": str, "state": str, "subjects": list, "machine": dict, "fingerprint": str,
}  # fmt: skip


def results_path(root: Path) -> Path:
    """Return the folder of all results below the project root."""
    return root / "results"


class ResultsLock:
    """The right to change what all runs and machines share below `results/`: one process at a time.

    That is where merging, packing, asv's files and the beginning of a run meet. What measures holds
    `harness.machine.measuring_lock.MeasuringLock`, and writes to its own run alone. A context manager around `flock`,
    so a killed process never leaves a stale lock behind.

    Args:
        root: the project's root.
        wait_s: how long to wait for the holder to end.

    Raises:
        UsageError: on entering, where another process holds it; the sentence names that process. Or where the file
            system has no locks.
    """

    def __init__(self, root: Path, wait_s: float = 0.0) -> None:
        self._path = results_path(root) / ".lock"
        self._wait_s = wait_s
        self._file: int | None = None

    def __enter__(self) -> ResultsLock:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        until = time.monotonic() + self._wait_s
        while not self._is_had(file):
            if time.monotonic() < until:
                time.sleep(0.1)
                continue
            holder = os.pread(file, 300, 0).decode(errors="replace").strip()
            os.close(file)
            process = f"process {holder}" if holder else "a process that has just started"
            raise UsageError(
                f"Another command ({process}) is writing to {self._path.parent}: "
                "wait until it ends or stop it, then try again."
            )
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()} on {platform.node()}".encode(), 0)
        self._file = file
        return self

    def _is_had(self, file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            os.close(file)
            raise UsageError(
                f"{self._path} cannot be locked ({error.strerror}): mount this file system with locks, or keep the "
                "project on another one."
            ) from error
        return True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """One run on disk: `run.json`, `records.jsonl` and `logs/`."""

    path: Path
    facts: Facts
    is_reference: bool = False  # under results/reference: measured elsewhere, shown but never projected

    @property
    def run(self) -> str:
        """The run's id, sortable by the time it began."""
        return str(self.facts["run"])

    @property
    def machine(self) -> str:
        """The name of the machine that measured it."""
        return str(self.facts["machine"]["name"])

    @property
    def is_spawned(self) -> bool:
        """Whether `--isolation spawn` measured it: its times and host peaks are never pooled with those of forks."""
        return self.facts.get("isolation") == "spawn"

    @property
    def worker_version(self) -> int | None:
        """Which `harness.worker.WORKER_VERSION` measured it; None where its run.json does not say."""
        version = self.facts.get("worker_version")
        return version if isinstance(version, int) else None

    @property
    def records_path(self) -> Path:
        """The file of its records."""
        return self.path / "records.jsonl"

    @property
    def packed_path(self) -> Path:
        """The file of its records once `harness.store.pruning` packed them; the plain file counts where both exist."""
        return self.path / "records.jsonl.gz"

    @property
    def logs_path(self) -> Path:
        """The folder of its workers' logs."""
        return self.path / "logs"

    def writer(self) -> RecordWriter:
        """Open its record file for appending, unpacked where it was packed."""
        if self.packed_path.exists() and not self.records_path.exists():
            temporary = self.path / f".records.{os.getpid()}"
            temporary.write_bytes(gzip.decompress(self.packed_path.read_bytes()))
            temporary.replace(self.records_path)
        self.packed_path.unlink(missing_ok=True)
        return RecordWriter(self.records_path)

    def records(self, without: Collection[str] = ()) -> tuple[list[Record], list[Problem]]:
        """Read its records, without some of their fields; see `read_records`."""
        packed = self.packed_path.exists() and not self.records_path.exists()
        return read_records(self.packed_path if packed else self.records_path, without)

    @contextlib.contextmanager
    def plain_records(self) -> Iterator[IO[bytes]]:
        """Open its records as plain bytes, whether or not they are packed; an empty stream where it has none."""
        for path, opener in ((self.records_path, open), (self.packed_path, gzip.open)):
            with contextlib.suppress(FileNotFoundError):
                file: Any = opener(path, "rb")
                with file:
                    yield file
                return
        yield io.BytesIO()

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """Keep others from appending to its records, as `writer` does.

        Raises:
            UsageError: another process is writing to them.
        """
        if not self.records_path.exists():
            yield
            return
        with RecordWriter(self.records_path):
            yield

    def updated(self, **facts: Any) -> RunDirectory:
        """Write changed facts (`state="complete"`) to run.json, atomically, and return the run with them."""
        changed = RunDirectory(self.path, {**self.facts, **facts}, self.is_reference)
        write_json_atomically(self.path / "run.json", changed.facts)
        return changed


def create_run(root: Path, machine: str, facts: Mapping[str, Any]) -> RunDirectory:
    """Make the directory of a new run and write its run.json.

    Args:
        root: the project root.
        machine: the machine's name.
        facts: all that run.json holds (docs/internals.md) except `schema`, `run`, `created_at`, `state` and
            `fingerprint`, which are added; the fingerprint is that of `facts["fingerprint_parts"]`.

    Raises:
        UsageError: the machine's GPU driver is the tests' stand-in, whose numbers mean nothing.
    """
    if is_fake_driver(facts.get("machine", {}).get("driver")):
        raise UsageError(
            "NVML here is the stand-in of this project's tests, whose numbers are never stored: "
            "take it out of LD_LIBRARY_PATH."
        )
    now = datetime.datetime.now(datetime.UTC)
    run = f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
    whole: Facts = {
        "schema": SCHEMA,
        "run": run,
        "created_at": now.isoformat(timespec="milliseconds"),
        "state": "running",
        **facts,
        "fingerprint": fingerprint(facts.get("fingerprint_parts", {})),
    }
    path = results_path(root) / "runs" / machine / run
    path.mkdir(parents=True)
    (path / "logs").mkdir()
    write_json_atomically(path / "run.json", whole)
    return RunDirectory(path, whole)


def load_run(path: Path) -> RunDirectory | Problem:
    """Load one run's facts, or say why it cannot be used."""
    file = path / "run.json"
    try:
        facts = json.loads(file.read_bytes())
    except OSError as error:
        return Problem(file, None, f"cannot be read: {error.strerror}")
    except ValueError:
        return Problem(file, None, "is cut off or not JSON")
    problem = facts_problem(facts)
    if problem is not None:
        return Problem(file, None, problem)
    return RunDirectory(path, facts, path.parent.parent.name == "reference")


def facts_problem(facts: Any) -> str | None:
    """Return why what a run.json holds cannot be used, as the rest of a sentence about it; None if it can."""
    if not isinstance(facts, dict) or facts.get("schema") != SCHEMA:
        return "is not a run of this layout (schema 1)"
    for field, wanted in _FACTS_FIELDS.items():
        if not isinstance(facts.get(field), wanted):
            return f"lacks a usable {field!r}"
    if not isinstance(facts["machine"].get("name"), str):
        return "does not name its machine"
    for subject in facts["subjects"]:
        if not isinstance(subject, dict) or not isinstance(subject.get("name"), str):
            return "has a subject without a name"
    return None


def open_run(path: Path) -> RunDirectory:
    """Return the run in a directory that a user named.

    Raises:
        UsageError: there is none.
    """
    run = load_run(path)
    if isinstance(run, Problem):
        raise UsageError(f"{path} holds no run that can be read: {run.path.name} {run.text}.")
    return run


def runs_of(
    root: Path, machine: str | None = None, *, reference: bool = False
) -> tuple[list[RunDirectory], list[Problem]]:
    """Load the runs in the results, oldest first.

    Args:
        root: the project root.
        machine: only this machine's; all where None.
        reference: the committed reference runs instead of those made here.

    Returns:
        The runs, and what in those folders is no readable run.
    """
    base = results_path(root) / ("reference" if reference else "runs")
    runs, problems = [], []
    for path in sorted(base.glob(f"{machine}/*" if machine else "*/*"), key=lambda found: found.name):
        if not path.is_dir():
            problems.append(Problem(path, None, "is not a run directory"))
            continue
        loaded = load_run(path)
        if isinstance(loaded, Problem):
            problems.append(loaded)
        else:
            runs.append(loaded)
    # Two runs of one second are told apart by their milliseconds, which the id does not hold.
    return sorted(runs, key=lambda run: (run.facts["created_at"], run.run)), problems


def fingerprint(parts: Mapping[str, Any]) -> str:
    """Return the digest of everything that must be equal for two sittings to be one run."""
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def write_json_atomically(path: Path, document: Any) -> None:
    """Write a JSON document so that a reader sees the old or the new one, never a part of either.

    The folder is synced as well: after a power cut the rename holds.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
