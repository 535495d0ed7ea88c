"""The process that samples device memory: a process of its own, for a thread starves beside Python-heavy work.

`gpu_tracker` starts it as `python -m harness.machine.gpu.sampler`. One line of JSON on standard input says what to
sample; the answer is `{"ready": true}` after the first sample, and the track as one line when standard input is closed.
(Seen on an H100: 458 samples from a thread against 1045 from a process in 2 s.)
"""

from __future__ import annotations

import json
import select
import sys
import time
from pathlib import Path
from typing import Any, TextIO

from harness.machine.gpu.memory import (
    DeviceMemory,
    above_baseline,
    device_memory,
    memory_bound_bytes,
    own_bytes,
    process_rows,
)
from harness.machine.gpu.nvml import Nvml, Reading

MOST_POINTS = 2000
"""Points of the series that are kept; later changes still count for the peaks."""

_PROC = Path("/proc")


class Sampler:
    """Samples one device until it is told to stop, and remembers peaks, gaps and what went wrong."""

    def __init__(self, nvml: Nvml, handle: Any, root: int, baseline: DeviceMemory | None = None) -> None:
        """Take the baseline, unless there is one. `root` is the process that, with its descendants, is looked at."""
        self._nvml, self._handle, self._root = nvml, handle, root
        self._ours: dict[int, bool] = {}
        self._began = time.monotonic()
        self._last_s: float | None = None
        self._samples = 0
        self._longest_gap_s = 0.0
        self._baseline = baseline or device_memory(nvml, handle).value
        self._device_peak: Reading[int] = Reading(None, "no sample")
        self._process_peak: Reading[int] = Reading(None, "no sample")
        self._complaint: str | None = None
        self._lost: str | None = None
        self._series: list[tuple[float, int]] = []

    @property
    def lost(self) -> bool:
        """Whether the device stopped answering, so that sampling on is of no use."""
        return self._lost is not None

    def sample(self) -> None:
        """Look once: about 9 us for the device and 40 us for its processes."""
        now = time.monotonic()
        if self._last_s is not None:
            self._longest_gap_s = max(self._longest_gap_s, now - self._last_s)
        self._last_s = now
        self._samples += 1
        memory = device_memory(self._nvml, self._handle)
        rows = process_rows(self._nvml, self._handle)
        for reason in (memory.reason, rows.reason):
            if reason in ("NVMLError_GpuIsLost", "NVMLError_ResetRequired"):
                self._lost = f"{reason} after {self._samples - 1} samples"
                return
        if memory.value is None:
            self._device_peak = Reading(self._device_peak.value, memory.reason)
        else:
            self._device_peak = _larger(self._device_peak, memory.value.used_bytes, memory.reason)
        if rows.value is None:
            self._complaint = rows.reason
        elif rows.value:
            ours = {row.pid for row in rows.value if self._is_ours(row.pid)}
            found = own_bytes(rows.value, ours, memory_bound_bytes(memory))
            if found.value is None:
                self._complaint = found.reason
            else:
                self._process_peak = _larger(self._process_peak, found.value, None)
        point = memory.value.used_bytes if memory.value is not None else None
        if point is not None and len(self._series) < MOST_POINTS and (not self._series or self._series[-1][1] != point):
            self._series.append((round(now - self._began, 6), point))

    def track(self) -> dict[str, Any]:
        """Return what was seen, JSON-ready."""
        elapsed_s = time.monotonic() - self._began
        device, process = self._device_peak, self._processes()
        if self._lost is not None:
            device = process = Reading(None, self._lost)
        return {
            "process_peak": [process.value, process.reason],
            "device_peak": [device.value, device.reason],
            "baseline_bytes": None if self._baseline is None else self._baseline.used_bytes,
            "samples": self._samples,
            "elapsed_s": elapsed_s,
            "longest_gap_s": self._longest_gap_s,
            "cpu_share": time.process_time() / elapsed_s if elapsed_s > 0 else 0.0,
            "series": self._series,
        }

    def _processes(self) -> Reading[int]:
        """Return the peak of our processes; of the device above its baseline where no row was ever theirs."""
        if self._process_peak.value is not None:
            return self._process_peak
        because = self._complaint or "the driver listed no process in any sample"
        peak = self._device_peak.value
        if peak is None or self._baseline is None:
            return Reading(None, because)
        now = device_memory(self._nvml, self._handle).value
        structure = self._baseline.structure if now is None else now.structure
        highest = DeviceMemory(self._baseline.total_bytes, peak, None, structure)
        return above_baseline(highest, self._baseline, because)

    def _is_ours(self, pid: int) -> bool:
        """Whether a process descends from the root; what has been found is kept, for the answer cannot change."""
        if pid not in self._ours:
            self._ours[pid] = descends(pid, self._root)
        return self._ours[pid]


def descends(pid: int, root: int) -> bool:
    """Return whether process `pid` is `root` or a descendant of it; False for one that does not exist."""
    while pid > 0:
        if pid == root:
            return True
        try:
            stat = (_PROC / str(pid) / "stat").read_text(errors="replace")
        except OSError:
            return False
        pid = int(stat.rpartition(")")[2].split()[1])
    return False


def main(requests: TextIO, answers: TextIO) -> None:
    """Sample as one line of `requests` says, until it is closed."""
    request = json.loads(requests.readline())
    with Nvml() as nvml:
        handle = nvml.device(request["uuid"])
        if handle.value is None:
            _say(answers, {"missing": handle.reason})
            return
        earlier = request["baseline"]
        sampler = Sampler(nvml, handle.value, request["root"], DeviceMemory(**earlier) if earlier else None)
        sampler.sample()
        _say(answers, {"ready": True})
        interval_s = request["interval_s"]
        due = time.monotonic() + interval_s
        while not select.select([requests], [], [], max(0.0, due - time.monotonic()))[0]:
            if sampler.lost:
                break
            sampler.sample()
            # Times that were missed are not made up for: the gap is stored instead.
            due = max(due + interval_s, time.monotonic())
        if not sampler.lost:
            sampler.sample()
        _say(answers, sampler.track())


def _larger(known: Reading[int], value: int, reason: str | None) -> Reading[int]:
    return Reading(value, reason) if known.value is None or value > known.value else known


def _say(answers: TextIO, message: dict[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


if __name__ == "__main__":
    main(sys.stdin, sys.stdout)
