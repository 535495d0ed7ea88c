"""The values of many asv result files as flat columns: a million of them in about 30 MB, kept in one cache file.

The cache spares a second reading of files that have not changed. It is never trusted over them: a file whose size or
time of change differs is read again, one that is gone is dropped, and a cache that cannot be read is made anew. It can
be deleted at any time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import time
from array import array
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.asv.result_file import NotAsvResults, ResultFile, join_parameters, parse_result_file

if TYPE_CHECKING:  # it imports scipy, which takes a second
    from harness.verdict.history import Each

FORMAT = 3
"""Layout of the cache file; one of another layout is not read."""

_SETTLED_NS = 2_000_000_000
"""A file changed so shortly before the cache was written may change again within its clock's tick: it is read again."""

_KINDS = {"file": "i", "series": "i", "value": "d", "status": "b", "count": "i", "samples": "d"}
"""Types of the arrays (int32, float64, int8): Python's and NumPy's have one letter."""

_TOGETHER = 20
"""Files that are read by one process at a time: the names of their series are told once."""


@dataclass(frozen=True, slots=True)
class ReadFile:
    """One file that was read, with what its rows share.

    `path` is relative to the directory; `mtime_ns` is -1 where the file had only just changed. `refusal` says why the
    whole file was skipped, `flaws` name what was left out of it.
    """

    path: str
    size: int
    mtime_ns: int
    machine: str = ""
    environment: str = ""
    python: str = ""
    commit: str = ""
    date_ms: int | None = None
    refusal: str | None = None
    flaws: tuple[str, ...] = ()


Series = tuple[str, str, str]
"""Benchmark, its version, its parameters ("10, 'csr'"; "" where it has none)."""


@dataclass(frozen=True, slots=True)
class Columns:
    """All rows: `file` and `series` are places in the lists, `count` is how many of `samples` belong to the row."""

    files: tuple[ReadFile, ...]
    names: tuple[Series, ...]
    file: NDArray[np.int32]
    series: NDArray[np.int32]
    value: NDArray[np.float64]
    status: NDArray[np.int8]
    count: NDArray[np.int32]
    samples: NDArray[np.float64]


def read_columns(directory: Path, paths: Collection[Path], *, cache: Path | None = None, each: Each = map) -> Columns:
    """Return the rows of result files, reading only those that the cache does not hold as they are now.

    Args:
        directory: what the stored paths are relative to.
        paths: the files, below it.
        cache: where the cache lies; None reads everything and keeps nothing. One that cannot be written is no error.
        each: maps a function over lists of files, in their order; one that uses several processes saves time.
    """
    kept = _load(cache) if cache is not None else None
    known = {} if kept is None else {file.path: place for place, file in enumerate(kept.files)}
    still, fresh = [], []
    for path in sorted(paths):
        try:
            facts = path.stat()
        except OSError:
            continue
        name = path.relative_to(directory).as_posix()
        place = known.get(name)
        stored = None if kept is None or place is None else kept.files[place]
        if place is not None and stored and (stored.size, stored.mtime_ns) == (facts.st_size, facts.st_mtime_ns):
            still.append(place)
        else:
            fresh.append((path, ReadFile(name, facts.st_size, facts.st_mtime_ns)))
    if kept is not None and not fresh and len(still) == len(kept.files):
        return kept
    batches = [fresh[at : at + _TOGETHER] for at in range(0, len(fresh), _TOGETHER)]
    columns = _joined([*([_only(kept, still)] if kept is not None else []), *each(_read, batches)])
    if cache is not None:
        _save(cache, columns)
    return columns


def cache_path(directory: Path) -> Path:
    """Return where a directory's cache lies: below XDG_CACHE_HOME, so that nothing is added to anyone's results."""
    base = os.environ.get("XDG_CACHE_HOME")
    folder = Path(base) if base and Path(base).is_absolute() else Path.home() / ".cache"
    name = hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:24]
    return folder / "savedmodel-bench" / "asv" / f"{name}.npz"


def _read(files: Sequence[tuple[Path, ReadFile]]) -> Columns:
    """Read some files: their rows, or why they have none."""
    builder = _Builder()
    for path, file in files:
        builder.read(path, file)
    return builder.columns()


class _Builder:
    """Collects rows."""

    def __init__(self) -> None:
        self._files: list[ReadFile] = []
        self._names: dict[Series, int] = {}
        self._codes: dict[Any, list[int]] = {}
        self._rows: dict[str, array[Any]] = {name: array(kind) for name, kind in _KINDS.items()}

    def read(self, path: Path, file: ReadFile) -> None:
        """Add one file: its rows, or why it has none."""
        try:
            content = parse_result_file(path.read_bytes())
        except NotAsvResults as error:
            self._files.append(dataclasses.replace(file, refusal=str(error)))
        except OSError as error:
            self._files.append(dataclasses.replace(file, mtime_ns=-1, refusal=f"cannot be read: {error.strerror}"))
        else:
            self._add(content, file, Path(file.path).parent.name)

    def _add(self, content: ResultFile, file: ReadFile, folder: str) -> None:
        place, rows = len(self._files), self._rows
        self._files.append(
            dataclasses.replace(
                file,
                machine=content.machine or folder or "unnamed",
                environment=content.environment,
                python=content.python,
                commit=content.commit,
                date_ms=content.date_ms,
                flaws=content.flaws,
            )
        )
        for entry in content.entries:
            key = (entry.benchmark, entry.version, entry.parameters)
            codes = self._codes.get(key)
            if codes is None:
                names = [(entry.benchmark, entry.version, join_parameters(values)) for values in entry.parameters]
                codes = self._codes[key] = [self._names.setdefault(name, len(self._names)) for name in names]
            rows["series"].extend(codes)
            rows["file"].extend([place] * len(codes))
            rows["status"].extend(entry.statuses)
            rows["value"].extend(entry.values)
            if entry.samples is None:
                rows["count"].extend([0] * len(codes))
                continue
            for some in entry.samples:
                rows["count"].append(len(some))
                rows["samples"].extend(some)

    def columns(self) -> Columns:
        """Return all rows that were collected."""
        rows: dict[str, Any] = {name: np.array(column) for name, column in self._rows.items()}
        return Columns(files=tuple(self._files), names=tuple(self._names), **rows)


def _joined(parts: Sequence[Columns]) -> Columns:
    """Return the rows of all parts, each series with one place in the list of names."""
    names: dict[Series, int] = {}
    files: list[ReadFile] = []
    columns: dict[str, list[NDArray[Any]]] = {name: [np.array([], dtype=kind)] for name, kind in _KINDS.items()}
    for part in parts:
        places = np.array([names.setdefault(name, len(names)) for name in part.names], dtype=np.int32)
        for name in columns:
            columns[name].append(getattr(part, name))
        columns["series"][-1] = places[part.series]
        columns["file"][-1] = part.file + np.int32(len(files))
        files += part.files
    rows: dict[str, Any] = {name: np.concatenate(held) for name, held in columns.items()}
    return Columns(files=tuple(files), names=tuple(names), **rows)


def _only(columns: Columns, places: Sequence[int]) -> Columns:
    """Return the rows of some of the files."""
    if len(places) == len(columns.files):
        return columns
    now = np.full(len(columns.files), -1, dtype=np.int32)
    now[list(places)] = np.arange(len(places), dtype=np.int32)
    wanted = now[columns.file] >= 0
    return Columns(
        files=tuple(columns.files[place] for place in places),
        names=columns.names,
        file=now[columns.file[wanted]],
        series=columns.series[wanted],
        value=columns.value[wanted],
        status=columns.status[wanted],
        count=columns.count[wanted],
        samples=columns.samples[np.repeat(wanted, columns.count)],
    )


def _save(path: Path, columns: Columns) -> None:
    """Write the cache, whole or not at all; whoever cannot write there goes without."""
    newest = time.time_ns() - _SETTLED_NS
    files = [
        dataclasses.asdict(file if file.mtime_ns < newest else dataclasses.replace(file, mtime_ns=-1))
        for file in columns.files
    ]
    texts = json.dumps({"format": FORMAT, "files": files, "names": columns.names}).encode()
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            np.savez(
                file,
                texts=np.frombuffer(texts, dtype=np.uint8),
                **{f"row_{name}": getattr(columns, name) for name in _KINDS},
            )
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _load(path: Path) -> Columns | None:
    """Read the cache; None where there is none, or none that is whole and of this layout."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            texts = json.loads(stored["texts"].tobytes())
            if texts["format"] != FORMAT:
                return None
            arrays = {name: stored[f"row_{name}"].astype(kind, copy=False) for name, kind in _KINDS.items()}
        files = tuple(ReadFile(**{**facts, "flaws": tuple(facts["flaws"])}) for facts in texts["files"])
        names = tuple((str(benchmark), str(version), str(values)) for benchmark, version, values in texts["names"])
    except Exception:  # whatever is wrong with a cache, the files are there to be read
        return None
    rows = {len(column) for name, column in arrays.items() if name != "samples"}
    if len(rows) != 1 or int(arrays["count"].sum()) != len(arrays["samples"]):
        return None
    if max(rows) and (arrays["file"].max() >= len(files) or arrays["series"].max() >= len(names)):
        return None
    return Columns(files=files, names=names, **arrays)
