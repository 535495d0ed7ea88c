"""What the hardware itself allows: the least time that writing, reading, copying and computing can take here.

Measured in the same run as the operations, with numpy and the kernel's calls alone, so that each operation can be
told as a multiple of its floor.
"""

from __future__ import annotations

import mmap
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.worker.page_cache import evict, resident_fraction

REPEATS = 3
"""Each floor is the median of three: one that a neighbour disturbed does not count, and all take seconds."""

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


@dataclass(frozen=True, slots=True)
class Floor:
    """One floor; `wall_s` is None where it could not be measured, with the reason."""

    name: str
    wall_s: float | None
    amount: float  # bytes, or floating-point operations
    unit: str  # "bytes" or "operations"
    how: str
    reason: str | None = None

    @property
    def rate(self) -> float | None:
        """Amount a second."""
        return self.amount / self.wall_s if self.wall_s else None

    def as_record(self) -> dict[str, Any]:
        """Return JSON-ready values, for run.json."""
        return {**asdict(self), "rate_per_s": self.rate}


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
        times = [_seconds(lambda: _write(path, chunk, size_bytes)) for _ in range(REPEATS)]
        size = path.stat().st_size
        yield Floor("write", statistics.median(times), size, "bytes", f"{_of(chunk)}, to the page cache")
        times = [_seconds(lambda: _write(path, chunk, size_bytes, durable=True)) for _ in range(REPEATS)]
        yield Floor("write and fsync", statistics.median(times), size, "bytes", f"{_of(chunk)}, then fsync of the file")
        cold, resident = [], 0.0
        for _ in range(REPEATS):
            evict(scratch)
            resident = max(resident, resident_fraction(scratch))
            cold.append(_seconds(lambda: _read(path)))
        how = f"{_of(chunk)} after fsync and posix_fadvise(DONTNEED)"
        if resident > COLD_LIMIT:
            reason = f"not-cold: {resident:.0%} of the pages stayed resident on this file system"
            yield Floor("read, cold", None, size, "bytes", how, reason)
        else:
            yield Floor("read, cold", statistics.median(cold), size, "bytes", how)
        warm = [_seconds(lambda: _read(path)) for _ in range(REPEATS)]
        yield Floor("read, warm", statistics.median(warm), size, "bytes", f"{_of(chunk)}, all pages resident")


def _copy() -> Floor:
    source = np.ones(COPY_BYTES // 8)
    target = np.empty_like(source)
    # The first copy also pays for the target's pages.
    np.copyto(target, source)
    times = [_seconds(lambda: np.copyto(target, source)) for _ in range(REPEATS)]
    how = "numpy.copyto on one core; the bytes are those copied, each is read once and written once"
    return Floor("copy in memory", statistics.median(times), source.nbytes, "bytes", how)


def _matrix() -> Floor:
    random = np.random.default_rng(1)
    left, right = (random.random((MATRIX_SIZE, MATRIX_SIZE), dtype=np.float32) for _ in range(2))
    # The first product also starts the library's threads.
    np.matmul(left, right)
    times = [_seconds(lambda: np.matmul(left, right)) for _ in range(REPEATS)]
    how = f"numpy.matmul of two float32 matrices of {MATRIX_SIZE} x {MATRIX_SIZE}, with the threads of numpy's library"
    return Floor("matrix product", statistics.median(times), 2.0 * MATRIX_SIZE**3, "operations", how)


def _of(chunk: bytes) -> str:
    return f"in pieces of {len(chunk) / 2**20:g} MiB"


def _write(path: Path, chunk: bytes, size_bytes: int, *, durable: bool = False) -> None:
    with path.open("wb", buffering=0) as file:
        left = size_bytes
        while left > 0:
            left -= file.write(chunk[:left])
        if durable:
            os.fsync(file.fileno())


def _read(path: Path) -> None:
    # One buffer, used again: reading must not pay for new memory.
    buffer = memoryview(mmap.mmap(-1, CHUNK_BYTES))
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def _seconds(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
