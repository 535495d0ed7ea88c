"""A fleet's lock: one command at a time submits, collects, cancels and removes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from harness.errors import UsageError

_POLL_S = 0.1


class FleetBusyError(UsageError):
    """Another command works on the fleet."""


@contextlib.contextmanager
def held(folder: Path, wait_s: float = 0.0) -> Iterator[None]:
    """Hold a folder by a lock in it.

    Args:
        folder: the fleet's; its name is the fleet's.
        wait_s: how long to wait for another command to end.

    Raises:
        FleetBusyError: another holds it.
        UsageError: the folder was removed meanwhile.
    """
    path, until = folder / ".lock", time.monotonic() + wait_s
    gone = UsageError(f"Fleet {folder.name} was removed meanwhile.")
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except FileNotFoundError:
        raise gone from None
    try:
        while not _is_had(file):
            if time.monotonic() >= until:
                raise FleetBusyError(f"Another command works on fleet {folder.name}: wait until it ends.")
            time.sleep(_POLL_S)
        if not path.exists() or not os.path.samestat(path.stat(), os.fstat(file)):
            raise gone
        yield
    finally:
        os.close(file)


def _is_had(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
