"""Environments and models on a node's own storage, before anything is timed.

What lies on a shared file system would make an import and a cold load measure that file system. Copies are kept by
digest, so a second job finds them; a lock keeps two jobs from making one copy at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from harness.errors import UsageError
from harness.fleet.guest import require_own_folder
from harness.fleet.types import MachineType

_DONE = "savedmodel-bench.staged"


def stage_of(kind: MachineType) -> Path | None:
    """Return the folder of a type's copies on its nodes; None where staging is off."""
    if isinstance(kind.stage, str):
        return Path(kind.stage)
    return Path(kind.scratch, f"savedmodel-bench-stage-{os.geteuid()}") if kind.stage else None


def open_stage(stage: Path) -> None:
    """Make the folder of all copies where it is missing.

    Raises:
        UsageError: it cannot be used on this node.
    """
    try:
        stage.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{stage} cannot be made ({error.strerror}): correct `stage`.") from error
    require_own_folder(stage)


def staged(source: Path, identity: str, stage: Path, limit_bytes: int) -> Path:
    """Return a copy of a folder or file on the node, made where there is none of this identity.

    Args:
        source: on the shared file system.
        identity: what the content is known by: a lock's digest, a model's digest.
        stage: the folder of all copies on this node.
        limit_bytes: the most that all copies may take; the longest unused go first.

    Raises:
        UsageError: the stage cannot be used, or the copy is larger than the limit.
    """
    open_stage(stage)
    digest = hashlib.sha256(f"{source.name}\0{identity}".encode()).hexdigest()[:16]
    folder = stage / digest
    with _alone(stage):
        if not (folder / _DONE).exists():
            wanted = _size(source)
            _make_room(stage, wanted, limit_bytes)
            folder.mkdir()
            _copy(source, folder / source.name)
            (folder / _DONE).write_text(str(wanted))
        os.utime(folder / _DONE)
        _in_use(folder / _DONE)
    return folder / source.name


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target)


def _size(path: Path) -> int:
    if not path.is_dir():
        return path.stat().st_size
    return sum(one.lstat().st_size for one in path.rglob("*"))


def _make_room(stage: Path, wanted: int, limit_bytes: int) -> None:
    """Remove copies until there is room for a new one; those that were cut off by a kill go in any case.

    The lock is held, so nobody makes a copy meanwhile.
    """
    if wanted > limit_bytes:
        raise UsageError(
            f"Staging needs {wanted / 2**30:.1f} GiB and `stage_limit_gib` allows {limit_bytes / 2**30:.1f}: raise it."
        )
    for cut_off in (one for one in stage.iterdir() if one.is_dir() and not (one / _DONE).exists()):
        shutil.rmtree(cut_off, ignore_errors=True)
    kept = sorted(stage.glob(f"*/{_DONE}"), key=lambda done: done.stat().st_mtime)
    used = sum(int(done.read_text() or 0) for done in kept)
    while kept and used + wanted > limit_bytes:
        oldest = kept.pop(0)
        if _is_used(oldest):
            continue
        used -= int(oldest.read_text() or 0)
        oldest.unlink()  # first: what is half removed is no copy
        shutil.rmtree(oldest.parent, ignore_errors=True)


def _in_use(done: Path) -> None:
    """Keep other jobs from removing a copy as long as this process lives."""
    fcntl.flock(os.open(done, os.O_RDONLY), fcntl.LOCK_SH)


def _is_used(done: Path) -> bool:
    file = os.open(done, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


@contextlib.contextmanager
def _alone(stage: Path) -> Iterator[None]:
    file = os.open(stage / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)
