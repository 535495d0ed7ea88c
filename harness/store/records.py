"""One record a line (JSON Lines): appended whole, read with tolerance, never rewritten."""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import re
import zlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from harness.errors import UsageError, field_error

Record = dict[str, Any]

IN_TURN = "-in-turn"
"""How the operation of a record ends that two subjects' processes did at once, stopped and continued in turn. What each
does alone is recorded beside it, and stands for it wherever one subject is looked at."""


class _Named(msgspec.Struct):
    metric: str


class _Measured(_Named):
    value: float


class _Repeat(msgspec.Struct, tag="repeat"):
    """The fields of a repeat that everybody reads; others may be there."""

    block: int
    subject: str
    operation: str
    status: str
    attempt: int = 0
    cell: dict[str, Any] | None = None
    metrics: list[_Measured] | None = None
    absent: list[_Named] | None = None
    taints: list[str] | None = None


class _Block(msgspec.Struct, tag="block"):
    """The fields that close a block."""

    block: int
    complete: bool
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the results that could not be read: skipped, left as it is, and told to the user."""

    path: Path
    line: int | None  # from 1; None where the whole file is meant
    text: str
    is_skipped: bool = True  # else it was used, in the way that the text says

    def __str__(self) -> str:
        place = str(self.path) if self.line is None else f"{self.path}:{self.line}"
        return f"{place}: {self.text}{' (skipped, left as it is)' if self.is_skipped else ''}"


class RecordWriter:
    """Appends records to one file.

    Each record reaches the file by a single write of a whole line, so a killed run leaves at most one cut line;
    the record of a block is also synced to the disk: finished blocks survive a power cut.

    Args:
        path: the file; made, with its folder, if missing. A cut last line of an earlier run is closed, not removed.

    Raises:
        UsageError: another process is writing to it.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise UsageError(f"Another process is writing to {path.parent}: wait until it ends.") from None
        except OSError:  # a file system without locks
            pass
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            self._write(b"\n")

    def append(self, record: Mapping[str, Any]) -> None:
        """Append one record.

        Raises:
            ValueError: the record holds NaN or infinity, which JSON cannot say (leave out or give a reason).
            OSError: the file cannot be written, for example because the disk is full.
        """
        self._write(json.dumps(record, allow_nan=False, separators=(",", ":")).encode() + b"\n")
        if record.get("type") == "block":
            os.fsync(self._file)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def __enter__(self) -> RecordWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, data: bytes) -> None:
        written = os.write(self._file, data)
        if written != len(data):
            raise OSError(f"only {written} of {len(data)} bytes of a record could be written; is the disk full?")


def read_records(path: Path, without: Collection[str] = ()) -> tuple[list[Record], list[Problem]]:
    """Read all records of a file that can be read; one whose name ends in ".gz" is unpacked.

    Args:
        path: the file.
        without: fields that are left out; "phases" are half of what records take in memory, and of no sample.

    Returns:
        The records in file order, and what could not be used: a cut or foreign line, a record of another layout,
        a file that cannot be opened. A missing file is no problem: it has no records.
    """
    try:
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
    except FileNotFoundError:
        return [], []
    except OSError as error:
        return [], [Problem(path, None, f"cannot be read: {error.strerror or error}")]
    except (EOFError, zlib.error) as error:
        return [], [Problem(path, None, f"cannot be unpacked: {error}")]
    records, problems = [], []
    lines = data.split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = msgspec.json.decode(line)
            msgspec.convert(record, _Repeat | _Block)
        except msgspec.ValidationError as error:
            problems.append(Problem(path, number, f"not a record: {field_error(error, record)}"))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            what = "the last line is cut off" if number == len(lines) else "not a JSON line"
            problems.append(Problem(path, number, what))
        else:
            for field in without:
                record.pop(field, None)
            records.append(record)
    return records, problems


_DECODER = msgspec.json.Decoder(_Repeat | _Block)


def is_record(line: bytes) -> bool:
    """Return whether a line is a record as `read_records` takes it."""
    try:
        _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def read_block_records(path: Path) -> list[Record]:
    """Read the records that close a block, and no others: the rest of the file is not made into objects.

    A missing file has none; so has a line that is no record.
    """
    found = []
    try:
        with path.open("rb") as file:
            for line in file:
                if _CLOSES.search(line) and is_record(line):
                    found.append(msgspec.json.decode(line))
    except FileNotFoundError:
        return []
    return [record for record in found if record["type"] == "block"]


_CLOSES = re.compile(rb'"type"\s*:\s*"block"')


def complete_blocks(records: Iterable[Record]) -> dict[int, int]:
    """Return the attempt that completed, for each complete block.

    A block that was interrupted is measured again under the same number and the next attempt (`attempt`, 0 if a
    record has none); only the attempt whose block record says complete counts.
    """
    return {
        record["block"]: record.get("attempt", 0)
        for record in records
        if record["type"] == "block" and record["complete"]
    }


def versions_said(records: Iterable[Record]) -> dict[str, dict[str, str]]:
    """Return what the workers of each subject said: TensorFlow, its compiler, Keras and Python as they were imported.

    run.json has what was planned, which can be another Keras: a profile may choose it.
    """
    return {
        record["subject"]: {
            name: record["provenance"][name]
            for name in ("tensorflow", "compiler", "keras", "python")
            if record["provenance"].get(name)
        }
        for record in records
        if record.get("provenance")
    }


def next_attempt(records: Iterable[Record], block: int) -> int:
    """Return the attempt number under which a block is measured next: 0 for a block without any record."""
    return max((record.get("attempt", 0) + 1 for record in records if record["block"] == block), default=0)


def records_of_complete_blocks(records: Iterable[Record]) -> list[Record]:
    """Return the repeat records that belong to the completed attempt of their block, in file order."""
    kept = list(records)
    completed = complete_blocks(kept)
    return [
        record
        for record in kept
        if record["type"] == "repeat" and completed.get(record["block"]) == record.get("attempt", 0)
    ]
