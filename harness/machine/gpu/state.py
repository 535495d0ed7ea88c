"""What a GPU is doing before and after a repeat: clocks, temperature, throttling, other processes; and the taints."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.machine.gpu.memory import ProcessRow, process_rows
from harness.machine.gpu.nvml import Nvml, Reading

THROTTLE_BITS = {
    0x04: "power cap",
    0x08: "hardware slowdown",
    0x20: "thermal, by software",
    0x40: "thermal, by hardware",
    0x80: "power brake",
}
"""Clock event reasons (nvml.h, nvmlClocksEventReasons) that slow a GPU against what it could do now. Idle (0x1),
application clocks (0x2), sync boost (0x10) and display clocks (0x100) are settings, not throttling."""

POLICIES = {"power": "NVML_PERF_POLICY_POWER", "thermal": "NVML_PERF_POLICY_THERMAL"}
"""Counters of the time for which clocks were held down (nvmlDeviceGetViolationStatus). They see what happened between
two looks; the reasons of the moment are gone once the GPU idles again."""

HELD_DOWN_LIMIT = 0.01
"""Share of a repeat's wall time in which clocks may be held down before the repeat is tainted: the margin of the
finest preset is 2 % and a slowdown of clocks of a half over 1 % of the time costs half of that."""


@dataclass(frozen=True, slots=True)
class GpuState:
    """A GPU at one moment. Each reading can be missing alone, with the error's name."""

    clock_s: float  # time.monotonic()
    sm_clock_mhz: Reading[int]
    memory_clock_mhz: Reading[int]
    temperature_c: Reading[int]
    power_w: Reading[float]
    throttle_bits: Reading[int]
    held_down_s: Mapping[str, Reading[float]]  # by policy, rising since the driver was loaded
    processes: Reading[tuple[ProcessRow, ...]]

    def as_record(self) -> dict[str, Any]:
        """Return JSON-ready values: what is missing is null, and named in `absent` with its reason."""
        readings: dict[str, Reading[Any]] = {
            "sm_clock_mhz": self.sm_clock_mhz,
            "memory_clock_mhz": self.memory_clock_mhz,
            "temperature_c": self.temperature_c,
            "power_w": self.power_w,
            "throttle_bits": self.throttle_bits,
            **{f"held_down_{name}_s": reading for name, reading in self.held_down_s.items()},
        }
        record: dict[str, Any] = {name: reading.value for name, reading in readings.items()}
        rows = self.processes.value
        record["processes"] = None if rows is None else len(rows)
        readings["processes"] = self.processes
        return {**record, "absent": {name: one.reason for name, one in readings.items() if one.value is None}}


def read_state(nvml: Nvml, handle: Any) -> GpuState:
    """Read a GPU's state; about 60 us on a real driver (facts of an H100: 2 to 3 us a reading, 40 us the processes).

    Args:
        nvml: an open session. Keep one open over a block: opening costs more than reading.
        handle: of a GPU, or of a MIG device, whose clocks are those of the whole GPU.
    """
    whole = nvml.physical(handle)
    return GpuState(
        clock_s=time.monotonic(),
        sm_clock_mhz=_clock(nvml, whole, "NVML_CLOCK_SM"),
        memory_clock_mhz=_clock(nvml, whole, "NVML_CLOCK_MEM"),
        temperature_c=_temperature(nvml, whole),
        power_w=_scaled(nvml.call("nvmlDeviceGetPowerUsage", whole), 1e-3),
        throttle_bits=_throttle_bits(nvml, whole),
        held_down_s={name: _held_down(nvml, whole, constant) for name, constant in POLICIES.items()},
        processes=process_rows(nvml, handle),
    )


def gpu_taints(before: GpuState, after: GpuState) -> tuple[str, ...]:
    """Return why a repeat between two states should not be trusted; empty where nothing is known against it.

    Both states are taken while none of the project's processes holds the device, so whoever is listed is foreign.
    Each text is `kind: figure`, as in `throttle: clocks held down by thermal for 12 % of the time`.
    """
    taints = []
    causes = dict.fromkeys(throttle_names(before.throttle_bits.value or 0))
    causes.update(dict.fromkeys(throttle_names(after.throttle_bits.value or 0)))
    if causes:
        taints.append(f"throttle: {', '.join(causes)}")
    elapsed_s = after.clock_s - before.clock_s
    for name, reading in after.held_down_s.items():
        earlier = before.held_down_s[name].value
        if reading.value is None or earlier is None or elapsed_s <= 0:
            continue
        share = (reading.value - earlier) / elapsed_s
        if share > HELD_DOWN_LIMIT:
            taints.append(f"throttle: clocks held down by {name} for {min(share, 1) * 100:.0f} % of the time")
    foreign = {row.pid: row for state in (before, after) for row in state.processes.value or ()}
    if foreign:
        taints.append(f"foreign-gpu: {foreign_text(tuple(foreign.values()))}")
    return tuple(taints)


def throttle_names(bits: int) -> tuple[str, ...]:
    """Return the words for the bits that mean throttling; none for an idle GPU or set application clocks."""
    return tuple(name for bit, name in THROTTLE_BITS.items() if bits & bit)


def foreign_text(rows: tuple[ProcessRow, ...]) -> str:
    """Return "2 other processes hold 1.2 GiB"."""
    count = "1 other process holds" if len(rows) == 1 else f"{len(rows)} other processes hold"
    known = [row.used_bytes for row in rows if row.used_bytes is not None]
    return f"{count} {sum(known) / 2**30:.1f} GiB" if known else f"{count} memory that the driver does not tell"


def _clock(nvml: Nvml, handle: Any, name: str) -> Reading[int]:
    return nvml.call("nvmlDeviceGetClockInfo", handle, nvml.constant(name))


def _temperature(nvml: Nvml, handle: Any) -> Reading[int]:
    sensor = nvml.constant("NVML_TEMPERATURE_GPU")
    found = nvml.call("nvmlDeviceGetTemperatureV", handle, sensor)
    # Drivers before 570 have only the older function.
    return found if found.value is not None else nvml.call("nvmlDeviceGetTemperature", handle, sensor)


def _throttle_bits(nvml: Nvml, handle: Any) -> Reading[int]:
    found = nvml.call("nvmlDeviceGetCurrentClocksEventReasons", handle)
    # Drivers before 535 know the same bits under another name.
    return found if found.value is not None else nvml.call("nvmlDeviceGetCurrentClocksThrottleReasons", handle)


def _held_down(nvml: Nvml, handle: Any, policy: str) -> Reading[float]:
    found = nvml.call("nvmlDeviceGetViolationStatus", handle, nvml.constant(policy))
    return Reading(None, found.reason) if found.value is None else Reading(int(found.value.violationTime) * 1e-9)


def _scaled(reading: Reading[Any], factor: float) -> Reading[float]:
    return Reading(None, reading.reason) if reading.value is None else Reading(reading.value * factor)
