"""What the hardware itself allows: the least time that writing, reading, copying and computing can take here.

Measured in the same run as the operations, with numpy and the kernel's calls alone, so that each operation can be
told as a multiple of its floor.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from harness.worker.page_cache import evict, resident_fraction

FEWEST_TRIES = 3
"""A floor is the fastest of its tries, since a neighbour can only slow one down. One more goes before them and does
not count: it pays for memory that nothing has touched, and starts what a library starts once."""

MOST_TRIES = 5
TRIES_S = 0.2
"""No further try begins after this many seconds of tries, so that a slow disk is not written more often than needed."""

CHUNK_BYTES = 4 << 20
"""Size of one write or read: larger ones are no faster, and this one fits every cache hierarchy alike."""

DEFAULT_BYTES = 256 << 20
"""Written and read where no artifact's size is given: beyond what a disk's own cache hides."""

COPY_BYTES = 256 << 20
"""Copied for memory bandwidth: several times the last-level cache of most processors."""

MATRIX_SIZE = 1024
"""Edge of the square float32 matrices: 2 * 1024**3 operations, tens of milliseconds on one core."""

COLD_LIMIT = 0.01
"""Share of a file's pages that may be resident for a read to be called cold, as for cold loads."""


_Try = TypeVar("_Try")


@dataclass(frozen=True, slots=True)
class Floor:
    """One floor: the fastest of `tries_s`. `wall_s` is None where it could not be measured, with the reason."""

    name: str
    wall_s: float | None
    amount: float  # bytes, or floating-point operations
    unit: str  # "bytes" or "operations"
    how: str
    reason: str | None = None
    tries_s: tuple[float, ...] = ()  # all that count, in their order; run.json of older runs has none

    @property
    def rate(self) -> float | None:
        """Amount a second."""
        return self.amount / self.wall_s if self.wall_s else None

    def as_record(self) -> dict[str, Any]:
        """Return JSON-ready values, for run.json."""
        return {**asdict(self), "tries_s": list(self.tries_s), "rate_per_s": self.rate}


def measure_floors(folder: Path, size_bytes: int = DEFAULT_BYTES) -> tuple[Floor, ...]:
    """Measure all floors; a few seconds on an ordinary disk.

    Args:
        folder: on the file system of the results, where artifacts are written.
        size_bytes: bytes to write and read. Give an artifact's size to compare with its save and load.

    Raises:
        OSError: nothing can be written in the folder, for example because the disk is full.
    """
    return (*_storage(folder, size_bytes), _copy(), _matrix())


def _storage(folder: Path, size_bytes: int) -> Iterator[Floor]:
    # Incompressible, so that a compressing file system or disk gets no discount.
    chunk = np.random.default_rng(1).bytes(min(CHUNK_BYTES, size_bytes))
    with tempfile.TemporaryDirectory(prefix=".floors-", dir=folder) as scratch:
        path = Path(scratch) / "bytes"
        written = _tries(lambda: _write(path, chunk, size_bytes))
        size = path.stat().st_size
        # Of the same tries, so that no write can come out slower than one that also waits for the disk.
        yield _fastest("write", [cached for cached, _ in written], size, f"{_of(chunk)}, to the page cache")
        durable = [cached + synced for cached, synced in written]
        yield _fastest("write and fsync", durable, size, f"{_of(chunk)}, then fsync of the file")
        # One buffer, used again: reading must not pay for new memory.
        buffer = memoryview(mmap.mmap(-1, CHUNK_BYTES))
        resident: list[float] = []
        cold = _tries(lambda: _read_cold(path, buffer, resident))
        how = f"{_of(chunk)} after fsync and posix_fadvise(DONTNEED)"
        if max(resident) > COLD_LIMIT:
            reason = f"not-cold: {max(resident):.0%} of the pages stayed resident on this file system"
            yield Floor("read, cold", None, size, "bytes", how, reason)
        else:
            yield _fastest("read, cold", cold, size, how)
        warm = _tries(lambda: _seconds(lambda: _read(path, buffer)))
        yield _fastest("read, warm", warm, size, f"{_of(chunk)}, all pages resident")


def _copy() -> Floor:
    source = np.ones(COPY_BYTES // 8)
    target = np.empty_like(source)
    times = _tries(lambda: _seconds(lambda: np.copyto(target, source)))
    how = "numpy.copyto on one core; the bytes are those copied, each is read once and written once"
    return _fastest("copy in memory", times, source.nbytes, how)


def _matrix() -> Floor:
    random = np.random.default_rng(1)
    left, right = (random.random((MATRIX_SIZE, MATRIX_SIZE), dtype=np.float32) for _ in range(2))
    product = np.empty_like(left)
    times = _tries(lambda: _seconds(lambda: np.matmul(left, right, out=product)))
    how = f"numpy.matmul of two float32 matrices of {MATRIX_SIZE} x {MATRIX_SIZE}, with the threads of numpy's library"
    return _fastest("matrix product", times, 2.0 * MATRIX_SIZE**3, how, "operations")


def _tries(one_try: Callable[[], _Try]) -> list[_Try]:
    """Return what each try gave, without the first: `FEWEST_TRIES` to `MOST_TRIES`, by the time that they take."""
    one_try()
    began = time.perf_counter()
    found = [one_try() for _ in range(FEWEST_TRIES)]
    while len(found) < MOST_TRIES and time.perf_counter() - began < TRIES_S:
        found.append(one_try())
    return found


def _fastest(name: str, tries_s: Sequence[float], amount: float, how: str, unit: str = "bytes") -> Floor:
    return Floor(name, min(tries_s), amount, unit, how, tries_s=tuple(tries_s))


def _of(chunk: bytes) -> str:
    return f"in pieces of {len(chunk) / 2**20:g} MiB"


def _write(path: Path, chunk: bytes, size_bytes: int) -> tuple[float, float]:
    """Return the seconds until all is in the page cache, and those that fsync takes then."""
    # Before the clock: a new file, and its pages from those that were freed just now.
    path.unlink(missing_ok=True)
    began = time.perf_counter()
    with path.open("wb", buffering=0) as file:
        left = size_bytes
        while left > 0:
            left -= file.write(chunk[:left])
        cached = time.perf_counter()
        os.fsync(file.fileno())
        return cached - began, time.perf_counter() - cached


def _read_cold(path: Path, buffer: memoryview, resident: list[float]) -> float:
    """Evict the file, append the share of its pages that stayed, and return the seconds of reading it."""
    evict(str(path.parent))
    resident.append(resident_fraction(str(path.parent)))
    return _seconds(lambda: _read(path, buffer))


def _read(path: Path, buffer: memoryview) -> None:
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def _seconds(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
