"""The floors of a run: measured once, before its first block, and kept in run.json beside its numbers."""

from __future__ import annotations

from typing import Any

from harness.machine.floors import measure_floors
from harness.store.runs import RunDirectory

KINDS = ("compare", "run", "bench")
"""Kinds of run that a person reads. One of asv's is a single cell, and its few seconds would double."""

SIZE_BYTES = 64 << 20
"""Written and read: about 2 s in all on a disk of 200 MB/s, and beyond what small caches in its path hide."""


def with_floors(run: RunDirectory, kind: str) -> RunDirectory:
    """Return the run with `floors` among its facts; one that has them, or is of another kind, as it is.

    A disk that cannot be written is no reason to give up here: the facts then hold the reason, and the first save
    will say so too.
    """
    if kind not in KINDS or "floors" in run.facts:
        return run
    floors: dict[str, Any] | list[dict[str, Any]]
    try:
        floors = [floor.as_record() for floor in measure_floors(run.path, SIZE_BYTES)]
    except OSError as error:
        floors = {"absent": f"{type(error).__name__}: {error.strerror}"}
    return run.updated(floors=floors)
