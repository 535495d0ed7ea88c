"""A temporary folder that goes with the process that made it: at once where that ends it, else with a later run."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path

PREFIX = "savedmodel-bench-"


class OwnedFolder:
    """A new folder, locked while this process lives; the kernel gives up the lock of a process that was killed.

    Args:
        kind: what it is for, the end of its name.
        parent: where it lies; None: the system's folder for temporary files.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, kind: str, parent: Path | None = None) -> None:
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX, suffix=f".{kind}", dir=parent)).absolute()
            lock = _locked(self.path, wait=True)
            # Another run may have found it before it was locked, and removed it.
            if self.path.exists():
                break
            _unlock(lock)
        self._end = weakref.finalize(self, _remove, self.path, lock)

    def remove(self) -> None:
        """Remove it with all that is in it; again is nothing."""
        self._end()


@contextlib.contextmanager
def owned_folder(kind: str, parent: Path | None = None) -> Iterator[Path]:
    """Make a folder as `OwnedFolder` does, and remove it at the end."""
    folder = OwnedFolder(kind, parent)
    try:
        yield folder.path
    finally:
        folder.remove()


def remove_orphans(kind: str, parent: Path | None = None) -> None:
    """Remove this user's folders of a kind whose process was killed; those of living processes stay."""
    for path in (parent or Path(tempfile.gettempdir())).glob(f"{PREFIX}*.{kind}"):
        with contextlib.suppress(OSError):
            if path.is_symlink() or path.stat().st_uid != os.getuid():
                continue
            lock = _locked(path, wait=False)
            if lock is not None:
                _remove(path, lock)


def _locked(path: Path, *, wait: bool) -> int | None:
    """Return the lock of a folder; None where another process has it, or this file system has no locks."""
    try:
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(lock)
        return None
    return lock


def _remove(path: Path, lock: int | None) -> None:
    shutil.rmtree(path, ignore_errors=True)
    _unlock(lock)


def _unlock(lock: int | None) -> None:
    if lock is not None:
        os.close(lock)
