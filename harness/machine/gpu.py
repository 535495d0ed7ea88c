"""Which GPUs this machine has, as NVML reports them.

What cannot be read is None, never 0 and never an exception: an older driver lacks a symbol, a container hides a
process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.machine.nvml import Nvml

FAKE_DRIVER = "000.00.fake"
"""The driver version that the tests' stand-in library reports; results from it must never be stored."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """Facts about one GPU as NVML reports them; what it does not report is None."""

    name: str
    uuid: str
    memory_bytes: int | None  # None also where the device shares the host's memory
    driver: str | None
    compute_capability: str | None  # "9.0"
    pci_bus_id: str | None = None  # "00000000:1B:00.0"
    mig: bool | None = None  # partitioned into MIG devices; None where the GPU knows no such mode


def is_fake_driver(driver: str | None) -> bool:
    """Return whether `driver` is the test stand-in, whose numbers must not be stored."""
    return driver == FAKE_DRIVER


def gpu_present() -> bool:
    """Return whether NVML finds at least one GPU; False without a driver or library."""
    return bool(gpus())


def gpus() -> tuple[Gpu, ...]:
    """Return the GPUs in NVML's order, by PCI bus. It need not be CUDA's: see `gpu_selection`."""
    with Nvml() as nvml:
        driver = nvml.call("nvmlSystemGetDriverVersion").value
        handles = (nvml.call("nvmlDeviceGetHandleByIndex", index).value for index in range(_count(nvml)))
        return tuple(_facts(nvml, handle, driver) for handle in handles if handle is not None)


def _count(nvml: Nvml) -> int:
    return int(nvml.call("nvmlDeviceGetCount").value or 0)


def _facts(nvml: Nvml, handle: Any, driver: str | None) -> Gpu:
    memory = nvml.call("nvmlDeviceGetMemoryInfo", handle).value
    capability = nvml.call("nvmlDeviceGetCudaComputeCapability", handle).value
    bus = nvml.call("nvmlDeviceGetPciInfo", handle).value
    mig = nvml.call("nvmlDeviceGetMigMode", handle).value
    return Gpu(
        name=nvml.call("nvmlDeviceGetName", handle).value or "unknown GPU",
        uuid=nvml.call("nvmlDeviceGetUUID", handle).value or "",
        memory_bytes=None if memory is None else int(memory.total),
        driver=driver,
        compute_capability=None if capability is None else f"{capability[0]}.{capability[1]}",
        pci_bus_id=None if bus is None else _text(bus.busId),
        mig=None if mig is None else bool(mig[0]),
    )


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
