"""The right to measure on this machine: one run at a time, whatever results folder it writes to.

Two runs at once disturb each other, also where they belong to different checkouts. The lock is a file on the machine's
own disk, so machines that share a home or a results folder do not stop each other.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.errors import UsageError
from harness.machine.boot import boot_id

FOLDER_VARIABLE = "SAVEDMODEL_BENCH_LOCKS"
"""Names another folder for the lock: for tests, and where neither of the usual ones is the machine's own."""

_FOLDERS = ("/run/lock", "/tmp")
_NAME = "savedmodel-bench.lock"
_POLL_S = 0.5


class MachineBusyError(UsageError):
    """Another run is measuring on this machine."""


class MeasuringLock:
    """Holds the machine while something is measured; a context manager around `flock`.

    A killed run leaves no stale lock. The file says who holds it: host, pid, boot and, under Slurm, job.

    Args:
        wait_s: how long to wait for the holder to end.

    Raises:
        MachineBusyError: on entering, where another process holds it; the sentence names that process.
        UsageError: the lock cannot be made.
    """

    def __init__(self, wait_s: float = 0.0) -> None:
        self._wait_s = wait_s
        self._file: int | None = None

    def __enter__(self) -> MeasuringLock:
        path = lock_path()
        file = _opened(path)
        until = time.monotonic() + self._wait_s
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() < until:
                    time.sleep(_POLL_S)
                    continue
                holder = _holder(file)
                os.close(file)
                raise MachineBusyError(
                    f"Another run ({holder}) is measuring on this machine: wait until it ends or stop it, then try "
                    "again."
                ) from None
        _write(file, json.dumps(_self()))
        self._file = file
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            _write(self._file, "")
            os.close(self._file)
            self._file = None


def lock_path(environment: Mapping[str, str] | None = None) -> Path:
    """Return the file that is locked."""
    named = (os.environ if environment is None else environment).get(FOLDER_VARIABLE)
    usable = (Path(folder) for folder in _FOLDERS if os.access(folder, os.W_OK | os.X_OK))
    return (Path(named) if named else next(usable, Path(_FOLDERS[-1]))) / _NAME


def _self() -> dict[str, Any]:
    job = os.environ.get("SLURM_JOB_ID")
    return {"host": platform.node(), "pid": os.getpid(), "boot": boot_id(), **({"job": job} if job else {})}


def _holder(file: int) -> str:
    try:
        found = json.loads(os.pread(file, 4096, 0))
        job = f", Slurm job {found['job']}" if "job" in found else ""
        # Another boot id: the lock's folder is not this machine's own.
        host = f" on {found['host']}" if found.get("boot") != boot_id() or job else ""
        return f"process {int(found['pid'])}{host}{job}"
    except (ValueError, KeyError, TypeError):
        return "a process that has just started"


def _opened(path: Path) -> int:
    """Open the lock's file, which may be another user's: then it can be locked, but not written."""
    try:
        for flags in (os.O_RDWR, os.O_RDWR | os.O_CREAT | os.O_EXCL, os.O_RDWR, os.O_RDONLY):
            with contextlib.suppress(FileNotFoundError, FileExistsError, PermissionError):
                file = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
                break
        else:
            file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be opened ({error.strerror}): remove it, or name another folder of this machine by "
            f"{FOLDER_VARIABLE}."
        ) from error
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise UsageError(f"{path} is no file: remove it.")
    with contextlib.suppress(PermissionError):
        os.fchmod(file, 0o666)
    return file


def _write(file: int, text: str) -> None:
    with contextlib.suppress(OSError):  # another user's file
        os.ftruncate(file, 0)
        os.pwrite(file, text.encode(), 0)
