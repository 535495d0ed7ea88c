"""Whether a model fits here: what measuring it takes, held against the memory and the disk there are."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from harness.measure.own_models import OwnModel
from harness.measure.presets import Cell, Preset
from harness.models import families

TOO_LARGE = "too-large"
"""How the reason of a cell begins that was not tried for want of room."""

BASE_BYTES = 0.7e9
"""A process that has imported TensorFlow and loaded a small model: 0.5 to 0.6 GB resident in 2.15 to 2.21."""
COPIES = 4.0
"""Copies of the parameters that a save repeat may hold: the variables, and while they are filled or written a layer's
values several times over. Seen to be enough: mlp-xl, conv-xl and transformer-xl, 4 GB each and half of conv-xl in one
layer, were measured with 18.2 GiB allowed."""
DISK_COPIES = 2.2
"""Copies of the parameters on the disk: the artifact that loads read and a further save, Keras's export twice each."""
DEVICE_COPIES = 3.0
"""Copies of the parameters on a GPU: the original's variables, what is written or loaded, and the pool's doubling."""
DEVICE_BASE_BYTES = 2.5e9
"""Context, kernels, libraries' workspaces and a small model's activations: 2.25 GB were seen on an H100 in 2.21."""


def why_too_large(
    cell: Cell,
    memory_limit_bytes: float,
    folder: Path,
    device_memory_bytes: float | None = None,
    own: OwnModel | None = None,
) -> str | None:
    """Return in words why a cell cannot be measured here, None if it can be tried.

    Args:
        cell: what is to be measured.
        memory_limit_bytes: what one process may hold.
        folder: where artifacts are written; the nearest folder above it that exists counts.
        device_memory_bytes: what the GPU has; None where that is not known, or the cell needs none.
        own: the cell's model where that is not of the zoo.
    """
    parameter_bytes = parameter_bytes_of(cell, own)
    memory = BASE_BYTES + COPIES * parameter_bytes
    if memory > memory_limit_bytes:
        return f"{TOO_LARGE}: needs about {_size(memory)} of memory, {_size(memory_limit_bytes)} are allowed here"
    on_device = DEVICE_BASE_BYTES + DEVICE_COPIES * parameter_bytes
    if cell.device == "gpu" and device_memory_bytes is not None and on_device > device_memory_bytes:
        has = _size(device_memory_bytes)
        return f"{TOO_LARGE}: needs about {_size(on_device)} of device memory, the GPU has {has}"
    disk = DISK_COPIES * parameter_bytes * (2 if cell.writer == "keras-export" else 1)
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if disk > free:
        return f"{TOO_LARGE}: needs about {_size(disk)} of disk, {_size(free)} are free on {_mount_point(existing)}"
    return None


def parameter_bytes_of(cell: Cell, own: OwnModel | None) -> float:
    """Return about how many bytes the parameters of a cell's model have; 0 where only its own code knows."""
    if own is None:
        return 4 * families.parameters(cell.model)
    return 0.0 if own.is_built else float(own.size_bytes)


def without_room(preset: Preset, memory_limit_bytes: float, folder: Path) -> dict[Cell, str]:
    """Return why cells of a plan cannot be measured here, those that can left out; the GPU's memory is not looked at.

    Args:
        preset: what is to be measured.
        memory_limit_bytes: what one process may hold.
        folder: where artifacts will be written.
    """
    reasons = {
        cell: why_too_large(cell, memory_limit_bytes, folder, own=preset.own_model(cell)) for cell in preset.cells
    }
    return {cell: reason for cell, reason in reasons.items() if reason is not None}


def _mount_point(folder: Path) -> Path:
    """Return where the file system of a folder begins: that is what a user has to make room on."""
    found = folder.resolve()
    while found != found.parent and not os.path.ismount(found):
        found = found.parent
    return found


def _size(size_bytes: float) -> str:
    return f"{size_bytes / 2**30:.0f} GiB" if size_bytes >= 2**30 else f"{size_bytes / 2**20:.0f} MiB"
