"""Device memory as the driver sees it: of the whole device, and of some processes, with the checks it needs.

The field's classic bug is a silent 0 for a process that the driver lists under another number, or not at all. Here
each row is checked, and what cannot be true is None with a reason.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from harness.machine.gpu.nvml import Nvml, Reading


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """The memory of a device at one moment. Compare only readings of the same structure."""

    total_bytes: int
    used_bytes: int  # structure v1 counts what the driver reserves as used (seen: 503 MB on an H100)
    reserved_bytes: int | None
    structure: str  # "v2", or "v1" where the driver has no other


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """One process that the driver lists on a device. In a container its pid may be the host's, or 0."""

    pid: int
    used_bytes: int | None  # None where the driver does not tell


def device_memory(nvml: Nvml, handle: Any) -> Reading[DeviceMemory]:
    """Return a device's memory by NVML's second structure, or by the first where the driver lacks the second.

    A device that shares the host's memory answers neither (NVMLError_NotSupported); what cannot be true is missing too.
    """
    version = nvml.constant("nvmlMemory_v2")
    second = (
        Reading[Any](None, "this pynvml has no second memory structure")
        if version is None
        else nvml.call("nvmlDeviceGetMemoryInfo", handle, version=version)
    )
    if second.value is not None:
        return _device_memory(second, "v2")
    first = _device_memory(nvml.call("nvmlDeviceGetMemoryInfo", handle), "v1")
    return first if first.value is None else Reading(first.value, f"structure v1: {second.reason}")


def _device_memory(reading: Reading[Any], structure: str) -> Reading[DeviceMemory]:
    total = total_bytes(reading)
    memory: Any = reading.value
    if total.value is None:
        return Reading(None, total.reason)
    if not 0 <= memory.used <= total.value:
        return Reading(None, f"the driver says {memory.used} bytes in use of {total.value}, which cannot be")
    reserved = int(memory.reserved) if structure == "v2" else None
    return Reading(DeviceMemory(total.value, int(memory.used), reserved, structure))


def total_bytes(memory: Reading[Any]) -> Reading[int]:
    """Return the total of either of NVML's memory structures; 0 and 2^64 - 1 stand for "not known" and are missing."""
    if memory.value is None:
        return Reading(None, memory.reason)
    total = int(memory.value.total)
    if not 0 < total < 2**63:
        return Reading(None, f"the driver says {total} bytes of memory, which cannot be")
    return Reading(total)


def process_rows(nvml: Nvml, handle: Any) -> Reading[tuple[ProcessRow, ...]]:
    """Return the processes that hold a compute context on a device; about 40 us (seen on an H100)."""
    rows = nvml.call("nvmlDeviceGetComputeRunningProcesses", handle)
    if rows.value is None and rows.reason in ("NVMLLibraryMismatchError", "NVMLError_FunctionNotFound"):
        # Drivers before 510 have the same list under an older name.
        rows = nvml.call("nvmlDeviceGetComputeRunningProcesses_v2", handle)
    if rows.value is None:
        return Reading(None, rows.reason)
    return Reading(
        tuple(
            ProcessRow(int(row.pid), None if row.usedGpuMemory is None else int(row.usedGpuMemory))
            for row in rows.value
        )
    )


def own_bytes(rows: Collection[ProcessRow], pids: Collection[int], bound_bytes: int | None) -> Reading[int]:
    """Sum the rows of some processes; a row that cannot be true makes the sum unusable.

    Args:
        rows: what the driver lists.
        pids: the processes as this machine numbers them.
        bound_bytes: what a process can hold at most: the device's memory, or the host's where it is shared; None where
            that is not known.

    Driver 535 changed the structure under the same symbol, so that rows were read shifted.
    """
    own = [row for row in rows if row.pid in pids]
    if not own:
        return Reading(None, f"none of the processes is among the {len(rows)} that the driver lists")
    total = 0
    for row in own:
        if row.used_bytes is None:
            return Reading(None, "the driver does not say how much a process uses")
        if row.used_bytes <= 0 or (bound_bytes is not None and row.used_bytes > bound_bytes):
            return Reading(None, f"the driver says {row.used_bytes} bytes for a process, which cannot be")
        total += row.used_bytes
    return Reading(total)


SHARED_MEMORY = "NVMLError_NotSupported"
"""What NVML answers for the memory of a device that uses the host's. Any other error says nothing about it."""


def memory_bound_bytes(memory: Reading[DeviceMemory]) -> int | None:
    """Return what one process can hold on a device at most: the host's memory where it is shared; None: not known."""
    if memory.value is not None:
        return memory.value.total_bytes
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if memory.reason == SHARED_MEMORY else None


def above_baseline(now: DeviceMemory | None, baseline: DeviceMemory | None, because: str | None) -> Reading[int]:
    """Return what a device's use rose by, for where the list of processes is no use; `because` says why it is not."""
    if now is None or baseline is None:
        return Reading(None, f"{because}; device memory cannot be read either" if now is None else because)
    if now.structure != baseline.structure:
        return Reading(None, f"{because}; the driver changed from structure {baseline.structure} to {now.structure}")
    if now.used_bytes <= baseline.used_bytes:
        return Reading(None, f"{because}; device use did not rise above its baseline")
    return Reading(now.used_bytes - baseline.used_bytes, f"device use minus baseline, because {because}")


def baseline(uuid: str) -> Reading[DeviceMemory]:
    """Return a device's memory now: what `footprint` subtracts, taken before the first process touches the device."""
    with Nvml() as nvml:
        handle = nvml.device(uuid)
        return Reading(None, handle.reason) if handle.value is None else device_memory(nvml, handle.value)


def footprint(pids: Collection[int], uuid: str, *, baseline: DeviceMemory | None = None) -> Reading[int]:
    """Return the device memory in bytes that some processes hold: what an operator must provision.

    Args:
        pids: the processes as this machine numbers them.
        uuid: the UUID of the GPU or MIG device.
        baseline: its memory before these processes touched it. Needed where the driver's list of processes is no
            use: in a container its pids are the host's or 0.

    Returns:
        The bytes from the list of processes; or device use minus the baseline, with the reason for that; or None
        and the reason.
    """
    with Nvml() as nvml:
        handle = nvml.device(uuid)
        if handle.value is None:
            return Reading(None, handle.reason)
        memory = device_memory(nvml, handle.value)
        rows = process_rows(nvml, handle.value)
        listed: Reading[int] = Reading(None, rows.reason)
        if rows.value is not None:
            listed = own_bytes(rows.value, pids, memory_bound_bytes(memory))
        return listed if listed.value is not None else above_baseline(memory.value, baseline, listed.reason)


def accounted_peak(pid: int, uuid: str) -> Reading[int]:
    """Return the driver's own peak of device memory of a process in bytes, living or ended.

    Exact, without sampling, and there only where an operator has enabled accounting mode: it is never enabled here.
    """
    with Nvml() as nvml:
        handle = nvml.device(uuid)
        if handle.value is None:
            return Reading(None, handle.reason)
        mode = nvml.call("nvmlDeviceGetAccountingMode", handle.value)
        if mode.value is None:
            return Reading(None, mode.reason)
        if not mode.value:
            return Reading(None, "accounting mode is not enabled on this GPU")
        stats = nvml.call("nvmlDeviceGetAccountingStats", handle.value, pid)
        if stats.value is None:
            return Reading(None, stats.reason)
        bound = memory_bound_bytes(device_memory(nvml, handle.value))
        peak = stats.value.maxMemoryUsage
        if peak is None:
            return Reading(None, "the driver does not account for memory")
        if peak <= 0 or (bound is not None and peak > bound):
            return Reading(None, f"the driver accounts {peak} bytes for a process, which cannot be")
        return Reading(int(peak))
