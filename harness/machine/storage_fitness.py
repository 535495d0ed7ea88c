"""Are the file systems fit for measuring? Space, and whether a page cache can be emptied."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.machine.findings import Finding, advice, ok, problem
from harness.machine.floors import COLD_LIMIT
from harness.machine.guards import LOW_SPACE_BYTES, SHARED_MEMORY
from harness.worker.page_cache import evict, resident_fraction

PROBE_BYTES = 8 << 20
IN_MEMORY = ("tmpfs", "ramfs")
"""File systems whose pages are the storage itself: nothing there can be cold."""


def storage_findings(places: Mapping[str, tuple[Path, int]]) -> Iterator[Finding]:
    """Look at the places where the project writes.

    Args:
        places: name, folder and bytes wanted there; the place called "results" is where artifacts are written.
    """
    for name, (folder, wanted_bytes) in places.items():
        yield space(name, folder, wanted_bytes)
    yield shared_memory()
    yield page_cache(places["results"][0])


def space(name: str, folder: Path, wanted_bytes: int) -> Finding:
    """Judge the free space of a folder's file system; one that does not exist yet is judged by its parents."""
    there = existing(folder)
    found = os.statvfs(there)
    free = found.f_bavail * found.f_frsize
    text = f"{free / 1e9:.1f} GB free for {name} on {file_system(there)}"
    if not os.access(there, os.W_OK):
        return problem(f"disk-{name}", f"{there} cannot be written", "Give yourself the right to write there.")
    if free < LOW_SPACE_BYTES["low-disk"]:
        return problem(f"disk-{name}", text, f"Free space: {wanted_bytes / 1e9:.1f} GB are wanted.")
    if free < wanted_bytes:
        return advice(f"disk-{name}", text, f"Free space: {wanted_bytes / 1e9:.1f} GB are wanted.")
    return ok(f"disk-{name}", text)


def shared_memory(folder: Path = SHARED_MEMORY) -> Finding:
    """Judge the space of /dev/shm."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return ok("shared-memory", f"there is no {folder}; nothing here needs it")
    free = found.f_bavail * found.f_frsize
    text = f"{free / 2**20:.0f} MiB free in {folder}"
    if free < LOW_SPACE_BYTES["low-shm"]:
        return advice("shared-memory", text, "Remove what others left there: until then measurements are discarded.")
    return ok("shared-memory", text)


def page_cache(folder: Path) -> Finding:
    """Judge whether pages can be evicted where artifacts are written, by doing it with a few megabytes."""
    there = existing(folder)
    kind = file_system(there)
    try:
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=there) as scratch:
            (Path(scratch) / "probe").write_bytes(b"x" * PROBE_BYTES)
            evict(scratch)
            resident = resident_fraction(scratch)
    except OSError as error:
        return advice("page-cache", f"cannot be tried on {kind}: {error.strerror}", _NOT_COLD)
    if resident <= COLD_LIMIT:
        return ok("page-cache", f"pages can be evicted for cold loads ({kind})")
    why = "it lives in memory" if kind in IN_MEMORY else "it keeps its own cache"
    return advice("page-cache", f"{resident:.0%} of evicted pages stay resident on {kind}: {why}", _NOT_COLD)


_NOT_COLD = "Cold loads will be discarded; put the project on a disk's own file system (ext4, xfs) for them."


def existing(folder: Path) -> Path:
    """Return the folder, or the nearest of its parents that exists."""
    while not folder.exists():
        folder = folder.parent
    return folder


def file_system(folder: Path) -> str:
    """Return the type of the file system that holds a folder: "ext4", "overlay"; "unknown" where /proc is hidden."""
    device = folder.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = Path("/proc/self/mountinfo").read_text(errors="replace").splitlines()
    except OSError:
        return "unknown"
    # proc(5): "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw"
    for line in reversed(lines):
        before, _, after = line.partition(" - ")
        if before.split()[2:3] == [number]:
            return after.split()[0]
    return "unknown"
