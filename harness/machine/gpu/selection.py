"""Which GPU TensorFlow's first one is: by UUID, never by number.

NVML orders GPUs by PCI bus; CUDA by speed, unless CUDA_DEVICE_ORDER says PCI_BUS_ID, and it shows only what
CUDA_VISIBLE_DEVICES names (CUDA C++ Programming Guide, "CUDA Environment Variables").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.machine.gpu.nvml import Nvml, Reading

NO_GPU = "no-gpu: "
"""How the reason begins where GPUs answer and CUDA would show TensorFlow none of them."""

_HIDING = ("", "-1", "nodevfiles", "none", "void")
"""Values of CUDA_VISIBLE_DEVICES that are meant to show no GPU; Slurm sets NoDevFiles where a job was given none."""


def tensorflow_gpu(environment: Mapping[str, str]) -> Reading[str]:
    """Return the UUID of what TensorFlow, started with these variables, calls `GPU:0`.

    Args:
        environment: the variables of the process that imports TensorFlow, not those of this one.

    Returns:
        "GPU-…", or "MIG-…" where the GPU is partitioned: CUDA then uses one MIG device, and the first if none is
        named. None with a reason where no GPU is visible, or where the order of several different GPUs is CUDA's
        secret.
    """
    with Nvml() as nvml:
        count = nvml.call("nvmlDeviceGetCount")
        if count.value is None:
            return Reading(None, count.reason)
        handles = [nvml.call("nvmlDeviceGetHandleByIndex", index).value for index in range(count.value)]
        known = [handle for handle in handles if handle is not None]
        if not known:
            return Reading(None, f"{NO_GPU}the driver lists none")
        visible = environment.get("CUDA_VISIBLE_DEVICES")
        first = "0" if visible is None else visible.split(",")[0].strip()
        if first.startswith(("GPU-", "MIG-")):
            return _by_name(nvml, known, first)
        # Digits of other scripts are none to CUDA, and a number of nine digits is no GPU's.
        if not (first.isascii() and first.isdecimal() and len(first) < 9) or int(first) >= len(known):
            return Reading(None, f"{NO_GPU}{visible_text(environment)} shows none")
        if len(known) > 1 and environment.get("CUDA_DEVICE_ORDER") != "PCI_BUS_ID":
            names = {nvml.call("nvmlDeviceGetName", handle).value for handle in known}
            return Reading(None, _ORDER_UNKNOWN.format(count=len(known), kinds=len(names)))
        return _usable_part(nvml, known[int(first)])


def visible_gpus(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the UUIDs of all GPUs that TensorFlow, started with these variables, sees, in its order.

    Empty where none is visible, or where their order is CUDA's secret. Of a partitioned GPU it is one MIG device's.
    """
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        with Nvml() as nvml:
            visible = ",".join(str(index) for index in range(nvml.call("nvmlDeviceGetCount").value or 0))
    found: list[str] = []
    for name in visible.split(","):
        chosen = tensorflow_gpu({**environment, "CUDA_VISIBLE_DEVICES": name})
        if chosen.value is None:
            break  # CUDA shows what stands before the first wrong name
        found.append(chosen.value)
    return tuple(dict.fromkeys(found))


def hides_gpus(environment: Mapping[str, str]) -> bool:
    """Return whether CUDA_VISIBLE_DEVICES says on purpose that no GPU is to be used."""
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    return visible is not None and visible.split(",")[0].strip().lower() in _HIDING


def visible_text(environment: Mapping[str, str]) -> str:
    """Return "CUDA_VISIBLE_DEVICES=…", with bytes that are no text made visible, so that it can be printed."""
    return f"CUDA_VISIBLE_DEVICES={_printable(environment.get('CUDA_VISIBLE_DEVICES', ''))}"


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


_ORDER_UNKNOWN = (
    "CUDA orders the {count} GPUs of {kinds} kinds by speed, which NVML does not know: set CUDA_DEVICE_ORDER=PCI_BUS_ID"
)


def _by_name(nvml: Nvml, known: list[Any], name: str) -> Reading[str]:
    """Return the UUID that begins with `name`: CUDA takes a GPU's unambiguous beginning, but a MIG device's whole."""
    if name.startswith("MIG-"):
        handle = nvml.device(name)
        if handle.value is None:
            return Reading(None, f"{NO_GPU}CUDA_VISIBLE_DEVICES={_printable(name)} shows none ({handle.reason})")
        return Reading(name)
    matching = []
    for handle in known:
        uuid = nvml.call("nvmlDeviceGetUUID", handle).value
        if uuid and uuid.startswith(name):
            matching.append(handle)
    if len(matching) != 1:
        return Reading(None, f"{NO_GPU}CUDA_VISIBLE_DEVICES={_printable(name)} matches {len(matching)} GPUs")
    return _usable_part(nvml, matching[0])


def _usable_part(nvml: Nvml, handle: Any) -> Reading[str]:
    """Return the UUID of what CUDA uses of a GPU: the GPU itself, or its first MIG device where it is partitioned."""
    mode = nvml.call("nvmlDeviceGetMigMode", handle).value
    if mode is None or not mode[0]:
        return nvml.call("nvmlDeviceGetUUID", handle)
    for index in range(int(nvml.call("nvmlDeviceGetMaxMigDeviceCount", handle).value or 0)):
        part = nvml.call("nvmlDeviceGetMigDeviceHandleByIndex", handle, index).value
        if part is not None:
            return nvml.call("nvmlDeviceGetUUID", part)
    return Reading(None, f"{NO_GPU}MIG is enabled and no MIG device has been made")
