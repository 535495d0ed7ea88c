"""What is looked at before and after every repeat, and the taints that follow from the difference."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.machine.frequency import governors
from harness.machine.gpu.kernel_cache import cache_folder, cached_bytes
from harness.machine.gpu.nvml import Nvml
from harness.machine.gpu.state import GpuState, gpu_taints, read_state
from harness.machine.load import HostSample, far_enough, sample_host, taints_between

LOW_SPACE_BYTES = {"low-disk": 512 << 20, "low-shm": 16 << 20}
"""Less free space than this where artifacts are written, or in /dev/shm, and an operation may wait or fail for lack
of room; file systems also grow slow when nearly full. Containers are given 64 MiB of /dev/shm, which is enough."""

COMPILED_LIMIT_BYTES = 64 << 10
"""More in CUDA's cache of compiled kernels than before, and a repeat waited for the driver; a single small kernel that
a library compiles for a test of its own takes milliseconds."""

SHARED_MEMORY = Path("/dev/shm")

_LOOKS_KEPT = 16
"""Two a repeat; the shortest repeats take 0.05 s."""


@dataclass(frozen=True, slots=True)
class Look:
    """The machine at one moment."""

    host: HostSample
    governors: tuple[str, ...]
    free_bytes: Mapping[str, int]  # by what the place is called in a taint
    gpu: GpuState | None  # None where no GPU is looked at
    compiled_bytes: int = 0  # kernels in CUDA's cache, where a GPU is looked at


class Guards:
    """Looks at the machine around repeats; a context manager that keeps one session with the driver open.

    Args:
        gpu_uuid: of the GPU or MIG device that GPU cells run on; None without one.
        scratch: where artifacts are written.

    A look costs about 2 ms with a hundred processes, and 0.1 ms more with a GPU.
    The open session keeps the driver loaded between repeats where persistence mode is off: for all subjects alike.
    """

    def __init__(self, gpu_uuid: str | None, scratch: Path) -> None:
        self._places = {"low-disk": scratch, "low-shm": SHARED_MEMORY}
        self._uuid = gpu_uuid
        self._nvml = Nvml()
        self._handle: Any = None
        self._looks: deque[Look] = deque(maxlen=_LOOKS_KEPT)
        self.gpu_missing: str | None = None if gpu_uuid else "no-gpu"

    def __enter__(self) -> Guards:
        if self._uuid is not None:
            self._nvml.__enter__()
            found = self._nvml.device(self._uuid)
            self._handle, self.gpu_missing = found.value, found.reason
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handle = None
        self._nvml.__exit__(kind, error, trace)

    def stretch_before(self, look: Look) -> Look:
        """Return the newest earlier look that lies far enough back to tell shares; the oldest where none does.

        A repeat of 0.1 s is too short for the kernel's ticks: it is judged by the stretch that ends with it.
        """
        return next((one for one in reversed(self._looks) if far_enough(one.host, look.host)), self._looks[0])

    def look(self, device: str) -> Look:
        """Look at the machine before or after a repeat on `device` ("cpu" or "gpu").

        For a GPU repeat, look while none of our processes holds the device: whoever is listed then is foreign.
        """
        gpu = read_state(self._nvml, self._handle) if device == "gpu" and self._handle is not None else None
        compiled = 0 if gpu is None else cached_bytes(cache_folder(os.environ))
        look = Look(sample_host(), governors(), _free(self._places), gpu, compiled)
        self._looks.append(look)
        return look


def taints(before: Look, after: Look, since: Look | None = None) -> tuple[str, ...]:
    """Return why a repeat between two looks should not be trusted; empty on a calm machine.

    `since` is a look before `before`, from which on the load is judged where the repeat alone is too short.
    Each text is `kind: figure`. CPU load, steal and swapping are `load.taints_between`; `throttle`, `foreign-gpu` and
    `jit-compiled` come from the GPU alone, so that a CPU repeat never has them.
    """
    found = list(taints_between((before if since is None else since).host, after.host))
    if before.governors != after.governors:
        found.append(f"governor: {_named(before.governors)} before, {_named(after.governors)} after")
    for place, free in after.free_bytes.items():
        if free < LOW_SPACE_BYTES[place]:
            found.append(f"{place}: {free / 2**20:.0f} MiB free")
    if before.gpu is not None and after.gpu is not None:
        found.extend(gpu_taints(before.gpu, after.gpu))
        grown = after.compiled_bytes - before.compiled_bytes
        if grown > COMPILED_LIMIT_BYTES:
            found.append(f"jit-compiled: the driver compiled {grown / 2**20:.1f} MiB of kernels for this GPU")
    return tuple(found)


def gpu_evidence(before: Look, after: Look) -> dict[str, Any]:
    """Return the GPU's state before and after, as a record's evidence holds it; empty where none was looked at."""
    if before.gpu is None or after.gpu is None:
        return {}
    return {"gpu_before": before.gpu.as_record(), "gpu_after": after.gpu.as_record()}


def _named(governors: tuple[str, ...]) -> str:
    return "/".join(governors) or "none"


def _free(places: Mapping[str, Path]) -> dict[str, int]:
    free = {}
    for name, path in places.items():
        try:
            found = os.statvfs(path)
        except OSError:
            continue
        # A file system without blocks of its own (some overlays, /proc) reports none: that is not being full.
        if found.f_blocks:
            free[name] = found.f_bavail * found.f_frsize
    return free
