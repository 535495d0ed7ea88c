"""The environment variables of every worker: few of the caller's, by name, and what is pinned.

Nothing else reaches a worker: no token, and nothing that would silently change what is measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

PINNED = {
    # Warnings and errors only: progress lines cost time and bury a crash's last words in the log.
    "TF_CPP_MIN_LOG_LEVEL": "1",
    "KERAS_BACKEND": "tensorflow",
    # Without it TensorFlow takes all of the device's memory, and no number says what an operation needs.
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    # CUDA otherwise numbers devices by speed, NVML by bus.
    "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    # The driver's own default since CUDA 11.7, said aloud: kernels are loaded when they are first called.
    "CUDA_MODULE_LOADING": "LAZY",
    # Room for what the driver compiles where a release was not built for this GPU; its own default is 0.25 to 1 GiB.
    "CUDA_CACHE_MAXSIZE": "4294967296",
    "PYTHONUNBUFFERED": "1",
}
"""Set for every worker and stored with every run."""

ALLOWED = (
    *("PATH", "LANG", "LANGUAGE", "TZ", "LD_LIBRARY_PATH", "LD_PRELOAD"),
    *("CUDA_VISIBLE_DEVICES", "CUDA_HOME", "CUDA_PATH", "CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY"),
    *("NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"),
)
"""Variables that reach any worker from the caller's shell, beside LC_*. By name: NVIDIA_API_KEY is a token."""

_OWN = ("HOME", "USER", "LOGNAME", "CUDA_CACHE_PATH")
"""Variables that a worker has beside these unless it is in the sandbox, which has folders of its own.

TMPDIR is none of them: each worker has one of its own (worker_process.py)."""


def worker_environment(caller: Mapping[str, str], scratch: Path, gpu_uuid: str | None = None) -> dict[str, str]:
    """Return the variables a worker starts with.

    Args:
        caller: the variables of this process.
        scratch: a folder of the run; Keras looks there for its configuration and finds none.
        gpu_uuid: the only GPU they see. TensorFlow otherwise starts, and its barrier waits for, every one there is.
    """
    named = {*ALLOWED, *_OWN}
    kept = {name: value for name, value in caller.items() if name in named or name.startswith("LC_")}
    only = {"CUDA_VISIBLE_DEVICES": gpu_uuid} if gpu_uuid else {}
    return {**kept, **PINNED, **only, "KERAS_HOME": str(scratch / "keras")}
