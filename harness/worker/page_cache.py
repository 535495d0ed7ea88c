"""The page cache of an artifact's files: evict, fill, and the evidence of both. Needs no privileges."""

from __future__ import annotations

import ctypes
import mmap
import os
from typing import List, Optional

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]


def files(path: str) -> List[str]:
    """Return all regular files below `path`, sorted; where it is one itself, that one.

    A folder of somebody else may hold links that lead nowhere, and pipes, of which an open would never return.
    """
    if os.path.isfile(path):
        return [path]
    found = (os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names)
    return sorted(filter(os.path.isfile, found))


def make_durable(path: str) -> None:
    """Have everything below `path`, and the directories that name it, written to the disk (fsync(2))."""
    folders = [os.path.dirname(path)] + [folder for folder, _, _ in os.walk(path)]
    for name in files(path) + folders:
        descriptor = os.open(name, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def evict(path: str) -> None:
    """Ask the kernel to drop the pages of every file below `path`; they are written back first."""
    for name in files(path):
        descriptor = os.open(name, os.O_RDONLY)
        try:
            # Dirty pages cannot be dropped: without fsync half of a fresh file stays resident.
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def fill(path: str) -> None:
    """Read every file below `path` once."""
    for name in files(path):
        with open(name, "rb", buffering=0) as file:
            while file.read(1 << 22):
                pass


def resident_fraction(path: str) -> float:
    """Return the share of the artifact's pages in the page cache, 0 to 1 (mincore(2))."""
    resident = total = 0
    for name in files(path):
        size = os.path.getsize(name)
        if not size:
            continue
        pages = -(-size // mmap.PAGESIZE)
        with open(name, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as view:
            buffer = ctypes.c_char.from_buffer(view)
            vector = ctypes.create_string_buffer(pages)
            failed = _libc.mincore(ctypes.addressof(buffer), size, vector)
            del buffer
        if failed:
            raise OSError(ctypes.get_errno(), "mincore")
        resident += sum(byte & 1 for byte in vector.raw)
        total += pages
    return resident / total if total else 0.0


def bytes_read() -> Optional[int]:
    """Return the bytes this process has had read from storage so far, or None where the kernel does not tell."""
    try:
        with open("/proc/self/io") as file:
            return int(dict(line.split(": ") for line in file)["read_bytes"])
    except (OSError, KeyError, ValueError):
        return None
