"""Energy of a call on the GPU: the difference of the driver's counter over a window of calls, with its error bar."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from harness.machine.gpu.nvml import Nvml, Reading

SHORTEST_WINDOW_S = 2.0
"""Below this the counter's steps are too coarse: at 2 s they are 5 % of the window at either end."""

COUNTER_STEP_S = 0.1
"""How often the driver refreshes the counter (seen on an H100, driver 580): what was used since the last refresh is
not in it yet, at the beginning and at the end of the window."""


@dataclass(frozen=True, slots=True)
class EnergyMark:
    """The counter at one moment; about 2.5 ms to read (seen: 16 ms at worst), so never inside a timed call."""

    clock_s: float  # time.monotonic()
    counter_mj: Reading[int]  # of the whole GPU, since the driver was loaded


@dataclass(frozen=True, slots=True)
class EnergyPerCall:
    """Energy of one call of a window. Of the whole GPU, other processes and idling included."""

    energy_j: Reading[float]
    error_j: float | None  # either way, from the counter's step
    power_w: float | None  # mean over the window
    window_s: float
    calls: int


def mark_energy(nvml: Nvml, handle: Any) -> EnergyMark:
    """Read the counter; `handle` is of a GPU, or of a MIG device, whose energy is that of the whole GPU."""
    counter = nvml.call("nvmlDeviceGetTotalEnergyConsumption", nvml.physical(handle))
    return EnergyMark(time.monotonic(), counter)


def energy_per_call(before: EnergyMark, after: EnergyMark, calls: int) -> EnergyPerCall:
    """Return what one of `calls` calls between two marks used.

    The error is one step of the counter at the mean power: each end of the window misses up to one step, and what is
    missed at the beginning is counted too much, what is missed at the end too little.

    Returns:
        `energy_j` is None with a reason where the counter is missing, the window shorter than 2 s, or the counter
        stood still or went back (the driver was loaded anew).
    """
    window_s = after.clock_s - before.clock_s
    reason, used_mj = _difference(before, after, window_s, calls)
    if used_mj is None:
        return EnergyPerCall(Reading(None, reason), None, None, window_s, calls)
    used_j = used_mj / 1000
    power_w = used_j / window_s
    return EnergyPerCall(Reading(used_j / calls), power_w * COUNTER_STEP_S / calls, power_w, window_s, calls)


def _difference(before: EnergyMark, after: EnergyMark, window_s: float, calls: int) -> tuple[str | None, int | None]:
    first, last = before.counter_mj, after.counter_mj
    if first.value is None or last.value is None:
        return first.reason or last.reason, None
    if calls < 1:
        return "no call in the window", None
    if window_s < SHORTEST_WINDOW_S:
        return f"window-too-short: {window_s:.1f} s of {SHORTEST_WINDOW_S:g} s", None
    if last.value == first.value:
        return f"counter-stood-still: {first.value} mJ before and after", None
    if last.value < first.value:
        return f"counter-went-back: from {first.value} to {last.value} mJ", None
    return None, last.value - first.value
