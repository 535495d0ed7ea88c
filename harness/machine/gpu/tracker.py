"""Device memory over a stretch of time, sampled from a process of its own beside the one that is looked at.

For the memory pass alone, never during timed repeats: polling serialises on the driver and slows the workload.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import harness
from harness.machine.gpu.memory import DeviceMemory
from harness.machine.gpu.nvml import Reading

INTERVAL_S = 0.005
"""Time between two samples; what they cost is measured by `make speed` (docs/speed.md)."""

MOST_KEPT = 300
"""Points of a series that a record keeps: what a picture shows."""

START_TIMEOUT_S = 60.0
"""A new interpreter and the driver's session take under a second; a machine without persistence mode some more."""

STOP_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class MemoryTrack:
    """Device memory over a stretch. A peak shorter than `longest_gap_s` may be missed, a plateau longer cannot."""

    process_peak_bytes: Reading[int]  # of the process and its descendants
    device_peak_bytes: Reading[int]  # of all processes on the device
    baseline_bytes: int | None  # in use on the device before the process touched it, or when sampling began
    samples: int
    elapsed_s: float
    longest_gap_s: float | None
    cpu_share: float | None  # of one core, that sampling took
    series: tuple[tuple[float, int], ...]  # (seconds, bytes in use on the device) wherever it changed

    def as_record(self) -> dict[str, Any]:
        """Return JSON-ready evidence; what is missing is null, and named in `absent` with its reason."""
        peaks = {"process_peak_bytes": self.process_peak_bytes, "device_peak_bytes": self.device_peak_bytes}
        return {
            **{name: peak.value for name, peak in peaks.items()},
            "how": {name: peak.reason for name, peak in peaks.items() if peak.value is not None and peak.reason},
            "absent": {name: peak.reason for name, peak in peaks.items() if peak.value is None},
            "baseline_bytes": self.baseline_bytes,
            "samples": self.samples,
            "samples_per_s": self.samples / self.elapsed_s if self.elapsed_s > 0 else None,
            "elapsed_s": self.elapsed_s,
            "longest_gap_s": self.longest_gap_s,
            "cpu_share": self.cpu_share,
            "series": thinned(self.series),
        }


def thinned(series: Sequence[tuple[float, int]]) -> list[tuple[float, int]]:
    """Return at most MOST_KEPT points of a series: of each stretch its first, least and greatest, in their order."""
    if len(series) <= MOST_KEPT:
        return list(series)
    stretches, kept = MOST_KEPT // 3, []
    for at in range(stretches):
        some = series[len(series) * at // stretches : len(series) * (at + 1) // stretches]
        kept += sorted({some[0], min(some, key=lambda point: point[1]), max(some, key=lambda point: point[1])})
    return kept


class MemoryTracker:
    """Samples while it is open: `with MemoryTracker(uuid, root=pid) as tracker: …`, then `tracker.track`.

    Args:
        uuid: of the GPU or MIG device.
        root: the process to look at; its descendants, also those not yet born, belong to it.
        interval_s: time between two samples.
        baseline: the device's memory before the process touched it; None: what it is when sampling begins. It
            counts where the driver's list of processes is no use.

    It never raises for what NVML cannot do: the track then says so.
    """

    def __init__(
        self, uuid: str, *, root: int, interval_s: float = INTERVAL_S, baseline: DeviceMemory | None = None
    ) -> None:
        earlier = None if baseline is None else asdict(baseline)
        self._request = {"uuid": uuid, "root": root, "interval_s": interval_s, "baseline": earlier}
        self._process: subprocess.Popen[str] | None = None
        self.track = _missing("sampling has not begun")

    def __enter__(self) -> MemoryTracker:
        self._process = subprocess.Popen(
            # -P: a folder called harness where the user happens to be must not be taken for this package.
            [sys.executable, "-P", "-m", "harness.machine.gpu.sampler"],
            env={**os.environ, "PYTHONPATH": str(Path(harness.__file__).parent.parent)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # Ctrl-C reaches only the host, which ends this process
        )
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(self._request) + "\n")
            self._process.stdin.flush()
        answer = self._answer(START_TIMEOUT_S)
        if not answer.get("ready"):
            self.track = _missing(answer.get("missing", "the sampling process did not start"))
            self._end()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is None:
            return
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        answer = self._answer(STOP_TIMEOUT_S)
        self.track = _track(answer) if "samples" in answer else _missing("the sampling process ended without an answer")
        self._end()

    def _answer(self, timeout_s: float) -> dict[str, Any]:
        """Return the next line of the sampling process, {} where there is none in time."""
        assert self._process is not None
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], timeout_s)[0]:
            return {}
        try:
            answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        except ValueError:
            return {}
        return answer

    def _end(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with contextlib.suppress(OSError):
                stream.close()
        self._process = None


def _track(answer: dict[str, Any]) -> MemoryTrack:
    return MemoryTrack(
        process_peak_bytes=Reading(*answer["process_peak"]),
        device_peak_bytes=Reading(*answer["device_peak"]),
        baseline_bytes=answer["baseline_bytes"],
        samples=answer["samples"],
        elapsed_s=answer["elapsed_s"],
        longest_gap_s=answer["longest_gap_s"],
        cpu_share=answer["cpu_share"],
        series=tuple((seconds, used) for seconds, used in answer["series"]),
    )


def _missing(reason: str) -> MemoryTrack:
    return MemoryTrack(Reading(None, reason), Reading(None, reason), None, 0, 0.0, None, None, ())
