"""Clocks and the record that one repeat fills."""

from __future__ import annotations

import contextlib
import os
import time
from typing import Any, Dict, Iterator, List, Optional


class Interval:
    """Wall and CPU seconds (all threads of this process) of one phase; set when the phase ends."""

    __slots__ = ("cpu_s", "wall_s")

    cpu_s: float
    wall_s: float


class Recorder:
    """Collects one repeat's metrics, phases, taints and evidence."""

    def __init__(self) -> None:
        self.metrics: List[Dict[str, Any]] = []
        self.absent: List[Dict[str, Any]] = []
        self.phases: List[Dict[str, Any]] = []
        self.taints: List[str] = []
        self.evidence: Dict[str, Any] = {}

    @contextlib.contextmanager
    def phase(self, name: str, kind: str = "sample") -> Iterator[Interval]:
        """Time a stretch. `kind` is sample, warm-up, check, evict or set-up: what the seconds were spent on.

        Zygote and host add the kinds process and host (harness/measure/host_phases.py).
        """
        interval = Interval()
        cpu = time.process_time_ns()
        wall = time.perf_counter_ns()
        try:
            yield interval
        finally:
            interval.wall_s = (time.perf_counter_ns() - wall) / 1e9
            interval.cpu_s = (time.process_time_ns() - cpu) / 1e9
            self.phases.append({"name": name, "kind": kind, "wall_s": interval.wall_s, "cpu_s": interval.cpu_s})

    def report(self, metric: str, value: float, batch: Optional[int] = None, way: Optional[str] = None) -> None:
        """Store one value of a metric of harness/metrics.py, in the metric's unit, at a batch size and for a way."""
        self.metrics.append(_placed({"metric": metric, "value": float(value)}, batch, way))

    def report_time(self, name: str, interval: Interval) -> None:
        """Store `<name>_s` and `<name>_cpu_s`."""
        self.report(name + "_s", interval.wall_s)
        self.report(name + "_cpu_s", interval.cpu_s)

    def report_absent(self, metric: str, reason: str, batch: Optional[int] = None, way: Optional[str] = None) -> None:
        """Say why a metric has no value here: absent is never zero."""
        self.absent.append(_placed({"metric": metric, "reason": reason}, batch, way))

    def as_dict(self) -> Dict[str, Any]:
        """Return what the record holds of this repeat."""
        return {name: getattr(self, name) for name in ("metrics", "absent", "phases", "taints", "evidence")}


def _placed(row: Dict[str, Any], batch: Optional[int], way: Optional[str]) -> Dict[str, Any]:
    if batch is not None:
        row["batch"] = batch
    if way is not None:
        row["way"] = way
    return row


class Unsupported(Exception):
    """This release or machine cannot do it: the cell is n/a, with this text as the reason."""


class WrongOutput(Exception):
    """The artifact's output is not the model's: no time of this repeat counts."""


_WRAPPERS = ("Exception encountered when calling", "Graph execution error", "Error when deserializing class")
"""How messages begin that only say where something went wrong: the cause stands below."""
_NO_CAUSE = ("File ", "Detected at node", "<stack traces unavailable>", "Call arguments", "Arguments received", "•")


def one_line(error: BaseException) -> str:
    """Return an exception as one line, class first, with the cause where its first line only announces one."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or ["no message"]
    text = lines[0]
    if len(lines) > 1 and (text.endswith(":") or text.startswith(_WRAPPERS)):
        below = [line.replace("\x1b[1m", "").replace("\x1b[0m", "") for line in lines[1:]]
        causes = [line for line in below if not line.startswith((*_NO_CAUSE, "[[")) and ": error" not in line]
        told = next((line for line in causes if not line.startswith(_WRAPPERS)), None)
        text = f"{text[:200]} {told}" if told is not None else text
    return f"{type(error).__name__}: {text}"


def shown(reason: str, artifact: str) -> str:
    """Return a reason as a record holds it: at most 500 characters, with ARTIFACT for the path of this repeat's.

    Equal reasons of several releases, blocks and models then read alike.
    """
    return reason.replace(artifact, "ARTIFACT").replace(os.path.dirname(artifact) + os.sep, "")[:500]
