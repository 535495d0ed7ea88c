"""What the driver compiled since a release was not built for this GPU: CUDA's cache of such kernels on the disk.

A release without machine code for a GPU's capability brings PTX, which the driver compiles when a kernel is first
loaded; on a new GPU that can take minutes. The cache keeps the result for later processes (CUDA C++ Programming Guide,
"Just-in-Time Compilation" and "CUDA Environment Variables").
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Return where the driver keeps compiled kernels for a process with these variables."""
    named = environment.get("CUDA_CACHE_PATH")
    return Path(named) if named else Path(environment.get("HOME", "/")) / ".nv" / "ComputeCache"


def cached_bytes(folder: Path) -> int:
    """Return the size of all files below a folder in bytes, 0 where there is none."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(parent, name).lstat().st_size
            except OSError:
                continue
    return total


def can_be_written(folder: Path) -> bool:
    """Whether this process may write to a folder, or make it where it is missing."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return there.is_dir() and os.access(there, os.W_OK)
