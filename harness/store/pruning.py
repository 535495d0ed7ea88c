"""Old runs made small without losing anything: `records.jsonl` becomes `records.jsonl.gz`, about an eighth of it.

Nothing is thrown away. Phases and evidence are most of a record and no sample, but the only copy of where the seconds
of that night went and of what made a repeat tainted, so they are packed and not dropped.
"""

from __future__ import annotations

import datetime
import gzip
import os
from pathlib import Path

from harness.errors import UsageError
from harness.store.runs import ResultsLock, RunDirectory, runs_of, sync_folder

OLD_DAYS = 90
"""From then on nobody reads a run's records but a search of the history."""


def prunable(root: Path, older_than_days: float, now: datetime.datetime | None = None) -> list[RunDirectory]:
    """Return the complete runs made here that began before then and are not packed yet, oldest first.

    Args:
        root: the project root; committed reference runs are left alone.
        older_than_days: days before `now`.
        now: the present, with a time zone; the clock's where None.
    """
    limit = (now or datetime.datetime.now(datetime.UTC)) - datetime.timedelta(days=older_than_days)
    return [
        run
        for run in runs_of(root)[0]
        if run.facts["state"] == "complete"
        and run.records_path.exists()
        and datetime.datetime.fromisoformat(run.facts["created_at"]) < limit
    ]


def pack_all(root: Path, older_than_days: float) -> tuple[int, int, int]:
    """Pack all runs that are old enough; return (runs, bytes before, bytes after).

    Raises:
        UsageError: one could not be packed, and is unchanged; or somebody else writes below `results/`.
    """
    runs = before = after = 0
    with ResultsLock(root):
        for one in prunable(root, older_than_days):
            try:
                plain, packed = pack(one)
            except OSError as error:
                raise UsageError(f"{one.path} could not be compressed ({error}); it is unchanged.") from error
            runs, before, after = runs + 1, before + plain, after + packed
    return runs, before, after


def pack(run: RunDirectory) -> tuple[int, int]:
    """Pack a run's records and return (bytes before, bytes after).

    The plain file goes only after the packed one is on the disk and was read back equal; a reader sees either, and
    where a crash leaves both, the plain one counts. Call it with the results' lock held.

    Raises:
        OSError: the disk is full, or does not give back what was written; the plain file is still there then.
    """
    data = run.records_path.read_bytes()
    temporary = run.path / f".records.{os.getpid()}"
    try:
        with temporary.open("wb") as file:
            file.write(gzip.compress(data, mtime=0))
            file.flush()
            os.fsync(file.fileno())
        if gzip.decompress(temporary.read_bytes()) != data:
            raise OSError(f"{temporary} does not hold what was written to it; look at the disk")
        temporary.replace(run.packed_path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(run.path)
    run.records_path.unlink()
    sync_folder(run.path)
    return len(data), run.packed_path.stat().st_size
