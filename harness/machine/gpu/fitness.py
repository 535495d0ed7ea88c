"""Is the GPU fit for measuring? Driver, MIG, persistence, accounting, other processes, throttling: looked at only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.machine.findings import GPU, Finding, advice, ok, problem
from harness.machine.gpu.devices import Gpu, is_fake_driver
from harness.machine.gpu.kernel_cache import cache_folder, can_be_written
from harness.machine.gpu.memory import SHARED_MEMORY
from harness.machine.gpu.nvml import Nvml
from harness.machine.gpu.presence import Presence, gpu_count, gpu_presence
from harness.machine.gpu.selection import tensorflow_gpu
from harness.machine.gpu.state import foreign_text, read_state, throttle_names


def gpu_findings(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Look at the GPU that a worker with these variables would use."""
    presence = gpu_presence(environment)
    if presence.is_broken:
        yield problem(GPU, presence.text, f"{presence.remedy} `--device cpu` measures the CPU alone.")
        return
    if presence.state is not Presence.ANSWERING:
        cells = "GPU tests are skipped" if presence.state is Presence.NONE else "the CPU alone is measured"
        yield ok(GPU, f"{presence.text} ({cells})")
        return
    found = presence.answering
    with Nvml() as nvml:
        if is_fake_driver(found[0].driver):
            what = "Take the stand-in of this project's tests out of LD_LIBRARY_PATH: its numbers are never stored."
            yield problem("gpu-driver", f"the driver is {found[0].driver}", what)
        else:
            yield ok("gpu-driver", f"NVIDIA driver {found[0].driver or 'of unknown version'}")
        if presence.silent:
            text = f"{len(presence.silent)} of {gpu_count(len(presence.models))} not answering: {presence.silent[0]}"
            yield advice("gpu-silent", text, "CUDA may find none beside them: reboot, and see what dmesg says of Xid.")
        chosen = tensorflow_gpu(environment)
        handle = nvml.device(chosen.value) if chosen.value else chosen
        if chosen.value is None or handle.value is None:
            what = "Set CUDA_VISIBLE_DEVICES to the UUID of the GPU to be measured."
            yield advice(GPU, f"which GPU TensorFlow uses is not known: {handle.reason}", what)
            return
        whole = nvml.physical(handle.value)
        uuid = nvml.call("nvmlDeviceGetUUID", whole).value
        yield _identity(next((gpu for gpu in found if gpu.uuid == uuid), found[0]), chosen.value, len(found))
        yield _mode(nvml, whole, "persistence")
        yield _mode(nvml, whole, "accounting")
        yield from _state(nvml, handle.value)
        folder = cache_folder(environment)
        if can_be_written(folder):
            yield ok("gpu-cache", f"kernels that the driver compiles are kept in {folder}")
        else:
            what = "Set CUDA_CACHE_PATH to a folder that can be written: a release built for other GPUs pays each time."
            yield advice("gpu-cache", f"kernels that the driver compiles cannot be kept in {folder}", what)


def _identity(gpu: Gpu, chosen: str, count: int) -> Finding:
    if gpu.memory_bytes is not None:
        memory = f"{gpu.memory_bytes / 2**30:.0f} GiB"
    elif gpu.memory_missing == SHARED_MEMORY:
        memory = "memory shared with the host"
    else:
        memory = f"memory not known ({gpu.memory_missing})"
    text = f"{gpu.name or 'a GPU without a name'}, {memory}, {chosen}" + (f", one of {count} GPUs" if count > 1 else "")
    if gpu.mig:
        what = "Its other MIG devices share clocks, power and energy with it: keep them idle."
        return advice("gpu", f"{text}, a part of a partitioned GPU", what)
    return ok("gpu", text)


_MODES = {
    "persistence": (
        "nvmlDeviceGetPersistenceMode",
        "persistence mode is off",
        "The driver may be loaded again for every process; the machine's operator can enable it: nvidia-smi -pm 1",
    ),
    "accounting": ("nvmlDeviceGetAccountingMode", "accounting mode is off: no peaks by the driver itself", None),
}


def _mode(nvml: Nvml, handle: Any, name: str) -> Finding:
    function, off, what = _MODES[name]
    mode = nvml.call(function, handle)
    if mode.value is None:
        return ok(f"gpu-{name}", f"{name} mode is not known ({mode.reason})")
    if mode.value:
        return ok(f"gpu-{name}", f"{name} mode is on")
    return advice(f"gpu-{name}", off, what) if what else ok(f"gpu-{name}", off)


def _state(nvml: Nvml, handle: Any) -> Iterator[Finding]:
    state = read_state(nvml, handle)
    rows = state.processes
    if rows.value is None:
        yield ok("gpu-processes", f"the driver does not list processes ({rows.reason})")
    elif rows.value:
        yield advice(
            "gpu-processes", foreign_text(rows.value), "End them or wait: GPU measurements beside them are discarded."
        )
    else:
        yield ok("gpu-processes", "no other process holds the GPU")
    bits = state.throttle_bits
    if bits.value is None:
        yield ok("gpu-throttle", f"the driver does not say what slows the clocks ({bits.reason})")
        return
    temperature = "" if state.temperature_c.value is None else f" at {state.temperature_c.value} C"
    causes = throttle_names(bits.value)
    if causes:
        what = "Let it cool, or see to its power: until then GPU measurements are discarded."
        yield advice("gpu-throttle", f"clocks are held down{temperature}: {', '.join(causes)}", what)
    else:
        yield ok("gpu-throttle", f"clocks are not held down{temperature}")
