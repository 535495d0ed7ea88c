"""The processes of a repeat: which there are, what they hold, and their end; for the fork server and the host."""

from __future__ import annotations

import os
import signal
from typing import Iterable, List


def children(pid: int, every_thread: bool = False) -> List[int]:
    """Return the children of a process (proc(5), children); none where the kernel hides them.

    every_thread: look at what its other threads started, too. TensorFlow has a hundred, each a file to read.
    """
    found: List[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task") if every_thread else (str(pid),):
            with open(f"/proc/{pid}/task/{thread}/children") as file:
                found += [int(text) for text in file.read().split()]
    except (OSError, ValueError):
        pass
    return found


def descendants(pid: int) -> List[int]:
    """Return all processes below one, whichever thread started them."""
    found: List[int] = []
    waiting = [pid]
    while waiting:
        below = children(waiting.pop(), every_thread=True)
        found += below
        waiting += below
    return found


def resident_bytes(pids: Iterable[int]) -> int:
    """Return the resident memory of processes, added up; one that has ended holds none."""
    pages = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/statm") as file:
                pages += int(file.read().split()[1])
        except (OSError, IndexError):
            continue
    return pages * os.sysconf("SC_PAGE_SIZE")


def end_below(pid: int) -> None:
    """Kill all processes below one, those included that they start meanwhile."""
    for _ in range(100):
        below = [each for each in descendants(pid) if _runs(each)]
        if not below:
            return
        for each in below:
            try:
                os.kill(each, signal.SIGKILL)
            except OSError:
                continue


def _runs(pid: int) -> bool:
    """Whether a process is more than an entry that waits to be collected by its parent."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (OSError, IndexError):
        return False
