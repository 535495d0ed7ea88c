"""The environment variables of every worker: the caller's, less what would change TensorFlow, plus what is pinned."""

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

DROPPED_PREFIXES = (
    *("TF_", "TF2_", "XLA_", "KERAS_", "OMP_", "MKL_", "KMP_", "ONEDNN_", "DNNL_", "GOMP_", "OPENBLAS_"),
    *("NVIDIA_TF32_OVERRIDE", "CUDA_MODULE_LOADING", "CUDNN_", "CUBLAS_", "CUDA_CACHE_DISABLE"),
    *("MALLOC_", "GLIBC_TUNABLES", "PYTHON", "VIRTUAL_ENV", "ASV_"),
)
"""Variables of the caller's shell that would silently change what is measured."""


def worker_environment(caller: Mapping[str, str], scratch: Path, gpu_uuid: str | None = None) -> dict[str, str]:
    """Return the variables a worker starts with.

    Args:
        caller: the variables of this process.
        scratch: a folder of the run; Keras looks there for its configuration and finds none.
        gpu_uuid: the only GPU they see. TensorFlow otherwise starts, and its barrier waits for, every one there is.
    """
    kept = {name: value for name, value in caller.items() if not name.startswith(DROPPED_PREFIXES)}
    only = {"CUDA_VISIBLE_DEVICES": gpu_uuid} if gpu_uuid else {}
    return {**kept, **PINNED, **only, "KERAS_HOME": str(scratch / "keras")}
