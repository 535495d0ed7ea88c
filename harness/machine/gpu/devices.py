"""Which GPUs answer on this machine, as NVML reports them.

What cannot be read is None, never 0 and never an exception: an older driver lacks a symbol, a container hides a
process. That no GPU answers does not mean that none is there: see `gpu_presence`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.machine.gpu.memory import total_bytes
from harness.machine.gpu.nvml import Nvml, Reading

FAKE_DRIVER = "000.00.fake"
"""The driver version that the tests' stand-in library reports; results from it must never be stored."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """Facts about one GPU as NVML reports them; what it does not report is None."""

    name: str | None
    uuid: str | None
    memory_bytes: int | None
    driver: str | None
    compute_capability: str | None  # "9.0"
    pci_bus_id: str | None = None  # "00000000:1B:00.0"
    mig: bool | None = None  # partitioned into MIG devices; None where the GPU knows no such mode
    pci_id: str | None = None  # "10de:2330", vendor and device
    memory_missing: str | None = None  # why the memory is not known: NVMLError_NotSupported where it is the host's


def is_fake_driver(driver: str | None) -> bool:
    """Return whether `driver` is the test stand-in, whose numbers must not be stored."""
    return driver == FAKE_DRIVER


def gpu_present() -> bool:
    """Return whether at least one GPU answers through NVML; `gpu_presence` says what there is where none does."""
    return bool(gpus())


def gpus() -> tuple[Gpu, ...]:
    """Return the GPUs that answer, in NVML's order, by PCI bus. It need not be CUDA's: see `gpu_selection`."""
    with Nvml() as nvml:
        found = (read_gpu(nvml, index) for index in range(int(nvml.call("nvmlDeviceGetCount").value or 0)))
        return tuple(one.value for one in found if one.value is not None)


def read_gpu(nvml: Nvml, index: int) -> Reading[Gpu]:
    """Return the facts about one GPU, or why it does not answer (NVMLError_GpuIsLost).

    A GPU answers if it can be opened and tells its UUID or its name: some fall off the bus only for whoever asks on.
    """
    handle = nvml.call("nvmlDeviceGetHandleByIndex", index)
    if handle.value is None:
        return Reading(None, handle.reason)
    name, uuid = nvml.call("nvmlDeviceGetName", handle.value), nvml.call("nvmlDeviceGetUUID", handle.value)
    if not name.value and not uuid.value:
        return Reading(None, uuid.reason or name.reason)
    memory = total_bytes(nvml.call("nvmlDeviceGetMemoryInfo", handle.value))
    capability = nvml.call("nvmlDeviceGetCudaComputeCapability", handle.value).value
    bus = nvml.call("nvmlDeviceGetPciInfo", handle.value).value
    mig = nvml.call("nvmlDeviceGetMigMode", handle.value).value
    return Reading(
        Gpu(
            name=name.value or None,
            uuid=uuid.value or None,
            memory_bytes=memory.value,
            driver=nvml.call("nvmlSystemGetDriverVersion").value,
            compute_capability=None if capability is None else f"{capability[0]}.{capability[1]}",
            pci_bus_id=None if bus is None else _text(bus.busId),
            mig=None if mig is None else bool(mig[0]),
            pci_id=None if bus is None else _pci_id(bus.pciDeviceId),
            memory_missing=memory.reason,
        )
    )


def _pci_id(combined: int) -> str:
    """Return "10de:2330" of NVML's one number for both, the device in its upper half."""
    return f"{combined & 0xFFFF:04x}:{combined >> 16:04x}"


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
