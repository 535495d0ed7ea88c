"""What loading, calling and releasing leaves behind, in a pass of its own: nothing here is timed."""

from __future__ import annotations

import ctypes
import gc
import os
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from harness.formats import registry
from harness.worker import device, outputs, page_cache
from harness.worker.recorder import Recorder
from harness.worker.source import Source

WARM_CYCLES = 8
"""Not counted: caches, thread arenas and Python's tables fill, the last of them late. In clean releases (2.15.1 and
2.21.0; mlp-s, transformer-s) the slope of eight cycles was 34 to 115 KB after two, 9 to 60 after eight and 11 to 63
after ten: more gain little, and with these the pass takes 1.6 times as long as with two."""
CYCLES = 8
WINDOWS = 3
"""What looks like a leak must look like one in so many windows of CYCLES in a row: memory held wanders, so that the
interval of one window is narrower than it should be (docs/methodology.md). Clean cells are done after one."""
T_SIX = 2.447
"""Student's t at 97.5 % with CYCLES - 2 degrees of freedom: a line's slope and level are estimated."""
LEAST_LEAK_BYTES = 64 << 10
"""A slope below this many bytes a cycle is no leak, however sure it is: a few Python objects are no weights."""
LEAST_LEAK_SHARE = 0.02
"""Nor is one below this share of the artifact's bytes."""
ENERGY_WINDOW_S = 2.5
ENERGY_BATCH = 32


def run(tf: Any, request: Dict[str, Any], recorder: Recorder) -> None:
    """Load, call and release again and again; report what is retained and how fast it grows.

    request: device, model, reader, artifact, expected, and `hold` on a GPU: the host then samples device memory between
    `cycles-begin` and `cycles-end`, and reads the energy counter at `energy-begin` and `energy-end`.
    """
    source, path = Source(request), request["artifact"]
    hold: Callable[..., None] = request.get("hold") or (lambda point, **facts: None)
    reader, device_name = registry.READERS[request["reader"]], request["device"]
    device.initialise(tf, device_name, recorder)
    values = source.tensors(tf, source.base_batch)
    size = sum(map(os.path.getsize, page_cache.files(path)))
    hold("cycles-begin")
    with recorder.phase("load, call and release", "check"):
        before = _settled(tf, device_name)
        host, used = Held(before[0], size), Held(before[1] or 0, size)
        began, called_s, released_s = time.perf_counter(), [], []
        for cycle in range(WARM_CYCLES + WINDOWS * CYCLES):
            loaded = reader.read(tf, path, source.endpoint)
            output = outputs.host_arrays(reader.callable_of(loaded, source.endpoint)(values))
            if cycle == 0:
                outputs.require_equal(output, request, recorder, plausible=source.has_checked_output)
            called_s.append(round(time.perf_counter() - began, 6))
            del loaded, output
            now = _settled(tf, device_name)
            released_s.append(round(time.perf_counter() - began, 6))
            host.append(now[0])
            used.append(now[1] or 0)
            if not (host.may_leak() or used.may_leak()):
                break
    hold("cycles-end")
    recorder.evidence["cycles"] = {"called_s": called_s, "released_s": released_s}
    host.report(recorder, "host")
    if device_name == "gpu":
        used.report(recorder, "device")
        _spend_energy(tf, reader, source, request, hold, recorder)


class Held:
    """The bytes held after each cycle, and whether they grow."""

    def __init__(self, before: int, artifact_bytes: int) -> None:
        self.before = before
        self.least_leak = max(LEAST_LEAK_BYTES, LEAST_LEAK_SHARE * artifact_bytes)
        self.bytes: List[int] = []

    def append(self, held: int) -> None:
        """Add what is held after a further cycle."""
        self.bytes.append(held)

    def growth(self, window: int) -> Tuple[float, float, float]:
        """Return the slope of a window (numbered from 0), in bytes a cycle, and the ends of its 95 % interval."""
        start = WARM_CYCLES + window * CYCLES
        slope, error = line(self.bytes[start : start + CYCLES])
        return slope, slope - T_SIX * error, slope + T_SIX * error

    def may_leak(self) -> bool:
        """Whether every window that is complete shows a leak; before the first one is, nothing speaks against it."""
        complete = (len(self.bytes) - WARM_CYCLES) // CYCLES
        return all(self.growth(window)[1] > self.least_leak for window in range(complete))

    def report(self, recorder: Recorder, where: str) -> None:
        """Report what the first cycle retains, the last window's growth with its interval, and whether it leaks."""
        slope, low, high = self.growth((len(self.bytes) - WARM_CYCLES) // CYCLES - 1)
        recorder.report(where + "_retained_bytes", self.bytes[0] - self.before)
        recorder.report(where + "_growth_bytes", slope)
        recorder.report(where + "_growth_low_bytes", low)
        recorder.report(where + "_growth_high_bytes", high)
        recorder.report(where + "_leaks", 1 if self.may_leak() else 0)
        recorder.evidence[where + "_memory"] = {"held_bytes": self.bytes, "before_bytes": self.before}


def _settled(tf: Any, device_name: str) -> Tuple[int, Optional[int]]:
    """Return the bytes that this process holds after all that can be released is: on the host, and on the GPU."""
    gc.collect()
    tf.test.experimental.sync_devices()
    # Freed memory that the C library keeps for later is not held by the model.
    ctypes.CDLL(None).malloc_trim(0)
    used = None if device_name == "cpu" else int(tf.config.experimental.get_memory_info("GPU:0")["current"])
    return anonymous_bytes(), used


def anonymous_bytes() -> int:
    """Return the resident memory of this process that no file backs (RssAnon), in bytes.

    Pages that a fork shares with its parent count once and for all, written or not, so growth is growth.
    """
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status holds no RssAnon: is this Linux?")


def line(values: List[int]) -> Tuple[float, float]:
    """Return the slope of the least-squares line through values at 0, 1, 2, … and its standard error.

    Formulas: Montgomery, Peck, Vining (2012), "Introduction to Linear Regression Analysis", section 2.2 and 2.3.
    """
    times = np.arange(len(values), dtype=float)
    centred = times - times.mean()
    heights = np.asarray(values, dtype=float)
    slope = float(np.sum(centred * heights) / np.sum(centred**2))
    residuals = heights - heights.mean() - slope * centred
    error = float(np.sqrt(np.sum(residuals**2) / (len(values) - 2) / np.sum(centred**2)))
    return slope, error


def _spend_energy(
    tf: Any,
    reader: Any,
    source: Source,
    request: Dict[str, Any],
    hold: Callable[..., None],
    recorder: Recorder,
) -> None:
    """Call for long enough that the GPU's energy counter tells something; the host reads it at both ends."""
    loaded = reader.read(tf, request["artifact"], source.endpoint)
    batch = ENERGY_BATCH if source.has_free_batch else source.base_batch
    call, values = reader.callable_of(loaded, source.endpoint), source.tensors(tf, batch)
    with recorder.phase("calls for the energy counter", "check"):
        call(values)
        tf.test.experimental.sync_devices()
        hold("energy-begin")
        end, calls = time.monotonic() + ENERGY_WINDOW_S, 0
        while time.monotonic() < end:
            call(values)
            tf.test.experimental.sync_devices()
            calls += 1
        hold("energy-end", calls=calls, batch=batch)
