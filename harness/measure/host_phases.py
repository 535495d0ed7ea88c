"""Phases of the host's own: what a run's time goes to outside the measuring processes (docs/speed.md)."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any


def named_phase(name: str, kind: str, wall_s: float) -> dict[str, Any]:
    """Return a phase as records hold it; `cpu_s` is null, for no clock counted it."""
    return {"name": name, "kind": kind, "wall_s": wall_s, "cpu_s": None}


@contextlib.contextmanager
def host_phase(phases: list[dict[str, Any]], name: str, kind: str = "host") -> Iterator[None]:
    """Time a stretch and append it to `phases`. `kind` is host, or process for starting and ending processes."""
    start = time.monotonic()
    try:
        yield
    finally:
        phases.append(named_phase(name, kind, time.monotonic() - start))
