"""Run directories that somebody else hands in: what of them may be read, and why the rest is refused.

Nothing in such a folder is believed. Files are opened by their folder's descriptor, without following links, and looked
at again once they are open; sizes are limited before and after unpacking; names are held against their patterns.
"""

from __future__ import annotations

import contextlib
import datetime
import gzip
import io
import os
import re
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import msgspec

from harness.machine.gpu.devices import FAKE_DRIVER, is_fake_driver
from harness.machine.identity import USABLE_NAME
from harness.store.runs import Facts, facts_problem

RUN_NAME = re.compile(r"\d{8}T\d{6}-[0-9a-f]{4}")
"""What a run's name may be: `harness.store.runs.create_run` makes it."""

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@#-]{0,199}")
_NAMED = ("name", "release", "environment", "profile")
"""Fields of a subject that become parts of names and paths."""


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """The most that is taken of one run, and of the folders around it."""

    facts_bytes: int = 8 << 20  # run.json
    records_bytes: int = 4 << 30  # plain or unpacked
    line_bytes: int = 64 << 20
    log_bytes: int = 64 << 20  # all logs together
    entries: int = 10_000  # files and folders of a run
    folders: int = 100_000  # looked at to find the runs
    depth: int = 6


class Refused(Exception):
    """Why a run is not taken: the rest of a sentence that begins with its path."""


def run_folders(given: Path, limits: IntakeLimits) -> Iterator[tuple[Path, Refused | None]]:
    """Yield the run directories in a folder: those with a `run.json`, however deep within the limit.

    What cannot be looked into, a link or something that is no file, comes with the reason.

    Args:
        given: the folder that a user named; a run itself, or any folder above runs.
        limits: how deep and how much is looked at.
    """
    left = limits.folders
    waiting = [(given, 0)]
    while waiting:
        folder, depth = waiting.pop()
        left -= 1
        if left < 0:
            yield given, Refused(f"has more than {limits.folders} folders: name the runs' own folders")
            return
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            yield folder, Refused(f"cannot be read ({error.strerror})")
            continue
        if any(entry.name == "run.json" for entry in entries):
            yield folder, None
            continue
        for entry in reversed(entries):
            if entry.is_symlink():
                yield Path(entry.path), Refused("is a link: copy what it leads to, or leave it out")
            elif entry.is_dir(follow_symlinks=False):
                if depth >= limits.depth:
                    yield Path(entry.path), Refused(f"lies deeper than {limits.depth} folders")
                else:
                    waiting.append((Path(entry.path), depth + 1))


class Intake:
    """One run directory that is open for reading: its facts are checked, its records still to be read.

    A context manager.

    Args:
        path: the run directory.
        limits: the most that is taken.
        is_named: whether a user named this very folder, so that the folder above it says nothing of its machine.

    Raises:
        Refused: on entering, where it is no run that may be taken.
    """

    def __init__(self, path: Path, limits: IntakeLimits, *, is_named: bool = False) -> None:
        self.path = path
        self.facts: Facts = {}
        self.is_packed = False
        self.logs: list[str] = []
        self._limits = limits
        self._is_named = is_named
        self._folder = -1

    def __enter__(self) -> Intake:
        try:
            self._folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError as error:
            raise Refused(f"is no folder that can be read ({error.strerror})") from error
        try:
            names = self._names()
            self.facts = self._checked(self._read_facts())
            self.is_packed = "records.jsonl" not in names and "records.jsonl.gz" in names
        except BaseException:
            os.close(self._folder)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._folder)

    @property
    def run(self) -> str:
        """The run's name."""
        return str(self.facts["run"])

    @property
    def machine(self) -> str:
        """The name of its machine."""
        return str(self.facts["machine"]["name"])

    @contextlib.contextmanager
    def records(self) -> Iterator[IO[bytes]]:
        """Open the records as plain bytes; an empty stream where there are none.

        Raises:
            Refused: they are more than the limit, or cannot be unpacked.
        """
        name = "records.jsonl.gz" if self.is_packed else "records.jsonl"
        try:
            file = self._open(name, self._limits.records_bytes)
        except FileNotFoundError:
            yield io.BytesIO()
            return
        with file:
            if not self.is_packed:  # its size is known
                yield file
                return
            yield io.BufferedReader(_Limited(gzip.GzipFile(fileobj=file), self._limits.records_bytes), 1 << 20)

    def identity(self) -> dict[str, list[int]]:
        """Return what tells run.json and records from changed ones: device, file, bytes, and nanoseconds of changes."""
        found = {}
        for name in ("run.json", "records.jsonl.gz" if self.is_packed else "records.jsonl"):
            with contextlib.suppress(FileNotFoundError):
                facts = os.stat(name, dir_fd=self._folder, follow_symlinks=False)
                found[name] = [facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns]
        return found

    def log(self, name: str) -> bytes:
        """Return the content of one of `logs`."""
        with self._open(name, self._limits.log_bytes) as file:
            return file.read(self._limits.log_bytes)

    def _names(self) -> set[str]:
        """Return the names at the top; refuse what is no plain file or folder, here and below."""
        top: set[str] = set()
        count, log_bytes = 0, 0
        waiting = [""]
        while waiting:
            below = waiting.pop()
            opened = os.open(below or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=self._folder)
            try:
                for name in os.listdir(opened):  # noqa: PTH208 - pathlib cannot list a descriptor
                    count += 1
                    if count > self._limits.entries:
                        raise Refused(f"has more than {self._limits.entries} files")
                    where = f"{below}{name}"
                    facts = os.stat(name, dir_fd=opened, follow_symlinks=False)
                    if stat.S_ISDIR(facts.st_mode):
                        waiting.append(f"{where}/")
                    elif not stat.S_ISREG(facts.st_mode):
                        what = "a link" if stat.S_ISLNK(facts.st_mode) else "no file and no folder"
                        raise Refused(f"is refused: {where!r} in it is {what}")
                    elif below == "logs/":
                        self.logs.append(where)
                        log_bytes += facts.st_size
                    if not below:
                        top.add(name)
            finally:
                os.close(opened)
        if log_bytes > self._limits.log_bytes:
            raise Refused(f"is refused: its logs have more than {self._limits.log_bytes} bytes")
        self.logs.sort()
        return top

    def _open(self, name: str, most: int) -> IO[bytes]:
        """Open a plain file of the run; not a pipe, which would wait for ever, nor what a link leads to."""
        opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=self._folder)
        facts = os.fstat(opened)
        if not stat.S_ISREG(facts.st_mode):
            os.close(opened)
            raise Refused(f"is refused: {name!r} in it is no file")
        if facts.st_size > most:
            os.close(opened)
            raise Refused(f"is refused: {name} has {facts.st_size} bytes, and {most} are the limit")
        return os.fdopen(opened, "rb")

    def _read_facts(self) -> Any:
        with self._open("run.json", self._limits.facts_bytes) as file:
            data = file.read(self._limits.facts_bytes)
        try:
            return msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Refused("is refused: run.json is cut off or not JSON") from None

    def _checked(self, facts: Any) -> Facts:
        problem = facts_problem(facts)
        if problem is not None:
            raise Refused(f"is refused: run.json {problem}")
        run, machine = facts["run"], facts["machine"]["name"]
        if not RUN_NAME.fullmatch(run):
            raise Refused(f"is refused: {run!r} cannot be a run's name")
        if not USABLE_NAME.fullmatch(machine) or machine.strip() != machine:
            raise Refused(f"is refused: {machine!r} cannot be a machine's name")
        if self.path.name != run and not self._is_named:
            raise Refused(f"is refused: its folder is not named after its run {run}")
        if self.path.parent.name != machine and not self._is_named:
            raise Refused(f"is refused: the folder above it is not named after its machine {machine}")
        for subject in facts["subjects"]:
            for field in _NAMED:
                value = subject.get(field)
                if value is not None and not (isinstance(value, str) and _WORD.fullmatch(value) and ".." not in value):
                    raise Refused(f"is refused: {value!r} cannot be the {field} of a subject")
        try:
            if datetime.datetime.fromisoformat(facts["created_at"]).tzinfo is None:
                raise ValueError
        except ValueError:
            raise Refused(f"is refused: {facts['created_at']!r} is no time with a zone") from None
        if not isinstance(facts.get("preset"), dict) or not isinstance(facts["preset"].get("name"), str):
            raise Refused("is refused: run.json does not name its test plan")
        gpus = facts["machine"].get("gpus") or ()
        drivers = [facts["machine"].get("driver"), *(one.get("driver") for one in gpus if isinstance(one, dict))]
        if any(is_fake_driver(driver) for driver in drivers if isinstance(driver, str)):
            raise Refused(
                "is refused: its GPU driver is the stand-in of this project's tests, whose numbers mean nothing"
            )
        return dict(facts)


class _Limited(io.RawIOBase):
    """Reads a stream until a limit; beyond it, and where unpacking fails, the run is refused."""

    def __init__(self, source: gzip.GzipFile, most: int) -> None:
        self._source, self._left, self._most = source, most, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._source.read(len(buffer))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise Refused(f"is refused: its records cannot be unpacked ({error})") from None
        self._left -= len(data)
        if self._left < 0:
            raise Refused(f"is refused: its records have more than {self._most} bytes once they are unpacked")
        buffer[: len(data)] = data
        return len(data)


def lines_of(stream: IO[bytes], limits: IntakeLimits) -> Iterator[bytes]:
    """Yield the lines of records, each with its end; the last one may have none.

    Raises:
        Refused: one is longer than the limit, or names the tests' stand-in of NVIDIA's driver.
    """
    while line := stream.readline(limits.line_bytes + 1):
        if len(line) > limits.line_bytes:
            raise Refused(f"is refused: a line of its records has more than {limits.line_bytes} bytes")
        if _FAKE in line:
            raise Refused("is refused: its records name the stand-in driver of this project's tests")
        yield line


def chunks_of(stream: IO[bytes], limits: IntakeLimits) -> Iterator[bytes]:
    """Yield records as they are, in large pieces, after the same checks as `lines_of` makes.

    Raises:
        Refused: as `lines_of`.
    """
    size = min(_CHUNK, limits.line_bytes)  # so a line within a piece is never too long
    open_bytes, end, left = 0, b"", limits.records_bytes
    while piece := stream.read(size):
        left -= len(piece)
        if left < 0:  # it grew meanwhile
            raise Refused(f"is refused: its records have more than {limits.records_bytes} bytes")
        first = piece.find(b"\n")
        if open_bytes + (len(piece) if first < 0 else first) > limits.line_bytes:
            raise Refused(f"is refused: a line of its records has more than {limits.line_bytes} bytes")
        open_bytes = open_bytes + len(piece) if first < 0 else len(piece) - piece.rfind(b"\n") - 1
        if _FAKE in piece or _FAKE in end + piece[: len(_FAKE)]:
            raise Refused("is refused: its records name the stand-in driver of this project's tests")
        end = piece[-len(_FAKE) :]
        yield piece


_CHUNK = 1 << 20  # stays in the processor's cache between reading, checking and writing
_FAKE = FAKE_DRIVER.encode()
