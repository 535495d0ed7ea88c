"""What NVML says about the GPUs. The only place of the project that imports pynvml.

Every call may fail on its own (an older driver lacks a symbol, a container hides a process): what cannot be
read is None with a reason, never 0 and never an exception.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

FAKE_DRIVER = "000.00.fake"
"""The driver version that the tests' stand-in library reports; results from it must never be stored."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """Facts about one GPU as NVML reports them; what it does not report is None."""

    name: str
    uuid: str
    memory_bytes: int | None
    driver: str | None
    compute_capability: str | None  # "9.0"


def is_fake_driver(driver: str | None) -> bool:
    """Return whether `driver` is the test stand-in, whose numbers must not be stored."""
    return driver == FAKE_DRIVER


@contextlib.contextmanager
def _nvml() -> Iterator[Any]:
    """Yield the initialised pynvml module, or None where there is no library, driver or permission."""
    try:
        import pynvml
    except ImportError:
        yield None
        return
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        yield None
        return
    try:
        yield pynvml
    finally:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def gpu_present() -> bool:
    """Return whether NVML finds at least one GPU; False without a driver or library."""
    return bool(gpus())


def gpus() -> tuple[Gpu, ...]:
    """Return the GPUs in NVML's order (by PCI bus, which need not be CUDA's order: map by UUID).

    Returns an empty tuple where there is no NVIDIA driver.
    """
    with _nvml() as nvml:
        if nvml is None:
            return ()
        driver = _text(_attempt(nvml, nvml.nvmlSystemGetDriverVersion)[0])
        found = []
        for index in range(_attempt(nvml, nvml.nvmlDeviceGetCount)[0] or 0):
            handle = _attempt(nvml, nvml.nvmlDeviceGetHandleByIndex, index)[0]
            if handle is not None:
                found.append(_facts(nvml, handle, driver))
        return tuple(found)


def device_used_bytes(uuid: str) -> tuple[int | None, str | None]:
    """Return the memory in use on a GPU, by all processes together, without what the driver reserves.

    Use it as the baseline of `footprint_bytes`, taken before the first process touches the device.

    Args:
        uuid: the GPU's UUID as `gpus()` gives it.

    Returns:
        The bytes and None, or None and why they cannot be read. NVML's second memory structure is used: the
        first counts the driver's reserve as used (seen: 503 MB on an H100).
    """
    with _nvml() as nvml:
        if nvml is None:
            return None, "no-gpu"
        handle, reason = _attempt(nvml, nvml.nvmlDeviceGetHandleByUUID, uuid)
        if handle is None:
            return None, reason
        return _device_used(nvml, handle)


def footprint_bytes(pids: set[int], uuid: str, *, baseline_bytes: int | None = None) -> tuple[int | None, str | None]:
    """Return the device memory held by some processes: what an operator must provision.

    Args:
        pids: the processes as this machine numbers them.
        uuid: the GPU's UUID as `gpus()` gives it.
        baseline_bytes: what `device_used_bytes` said before these processes touched the device. Needed where the
            driver's list of processes is no use: in a container its pids are the host's or 0.

    Returns:
        (bytes, None) from the list of processes; (bytes, note) as device use minus the baseline, the note saying
        why; or (None, reason).
    """
    with _nvml() as nvml:
        if nvml is None:
            return None, "no-gpu"
        handle, reason = _attempt(nvml, nvml.nvmlDeviceGetHandleByUUID, uuid)
        if handle is None:
            return None, reason
        used, reason = _process_bytes(nvml, handle, pids)
        if used is not None:
            return used, None
        if baseline_bytes is None:
            return None, reason
        total, total_reason = _device_used(nvml, handle)
        if total is None:
            return None, f"{reason}; {total_reason}"
        if total <= baseline_bytes:
            return None, f"{reason}; device use did not rise above its baseline"
        return total - baseline_bytes, f"device use minus baseline, because {reason}"


def _process_bytes(nvml: Any, handle: Any, pids: set[int]) -> tuple[int | None, str | None]:
    """Sum the rows of `pids`; a row that cannot be true makes the sum unusable (driver 535 changed the structure)."""
    rows, reason = _attempt(nvml, nvml.nvmlDeviceGetComputeRunningProcesses, handle)
    if rows is None:
        return None, reason
    own = [row for row in rows if row.pid in pids]
    if not own:
        return None, f"none of the processes is among the {len(rows)} that the driver lists"
    memory, _ = _attempt(nvml, nvml.nvmlDeviceGetMemoryInfo, handle)
    for row in own:
        if row.usedGpuMemory is None:
            return None, "the driver does not say how much a process uses"
        if row.usedGpuMemory <= 0 or (memory is not None and row.usedGpuMemory > memory.total):
            return None, f"the driver says {row.usedGpuMemory} bytes for a process, which cannot be"
    return sum(int(row.usedGpuMemory) for row in own), None


def _device_used(nvml: Any, handle: Any) -> tuple[int | None, str | None]:
    version = getattr(nvml, "nvmlMemory_v2", None)
    if version is None:
        return None, "this pynvml has no second memory structure"
    memory, reason = _attempt(nvml, nvml.nvmlDeviceGetMemoryInfo, handle, version=version)
    return (None, reason) if memory is None else (int(memory.used), None)


def _facts(nvml: Any, handle: Any, driver: str | None) -> Gpu:
    memory, _ = _attempt(nvml, nvml.nvmlDeviceGetMemoryInfo, handle)
    capability, _ = _attempt(nvml, nvml.nvmlDeviceGetCudaComputeCapability, handle)
    return Gpu(
        name=_text(_attempt(nvml, nvml.nvmlDeviceGetName, handle)[0]) or "unknown GPU",
        uuid=_text(_attempt(nvml, nvml.nvmlDeviceGetUUID, handle)[0]) or "",
        memory_bytes=None if memory is None else int(memory.total),
        driver=driver,
        compute_capability=None if capability is None else f"{capability[0]}.{capability[1]}",
    )


def _attempt(nvml: Any, call: Any, *arguments: Any, **named: Any) -> tuple[Any, str | None]:
    """Return (the call's result, None), or (None, the NVML error's name)."""
    try:
        return call(*arguments, **named), None
    except nvml.NVMLError as error:
        return None, type(error).__name__


def _text(value: Any) -> str | None:
    """Return text; older bindings answer bytes."""
    return value.decode() if isinstance(value, bytes) else value
