"""What the kernel says of NVIDIA GPUs, whatever their driver's library answers.

A driver that broke and a driver that was never there answer alike. The kernel tells them apart: it lists the PCI
devices (Documentation/ABI/testing/sysfs-bus-pci), the driver's device nodes lie in /dev, and a loaded driver lists the
GPUs it runs below /proc/driver/nvidia.
"""

from __future__ import annotations

import errno
import os
import re
from dataclasses import dataclass
from pathlib import Path

ROOT_VARIABLE = "SAVEDMODEL_BENCH_KERNEL_ROOT"
"""Names a folder that stands for `/` here: tests put a small sys/, dev/ and proc/ there. Read in this module alone."""

_VENDOR = "0x10de"
_DISPLAY_CLASS = "0x03"  # VGA (0x0300), 3D (0x0302) and other display controllers
_ITS_DRIVERS = ("nvidia", None)  # None: no driver has taken the device, as before the module is loaded


@dataclass(frozen=True, slots=True)
class KernelGpu:
    """One NVIDIA display controller on the PCI bus."""

    pci_id: str  # "10de:2330"
    driver: str | None  # what has taken the device: "nvidia", "nouveau", "vfio-pci"; None: nothing
    model: str | None  # as the loaded driver names it, "NVIDIA H100 80GB HBM3"


@dataclass(frozen=True, slots=True)
class KernelView:
    """What the kernel shows this process. A container sees the host's PCI devices, and only its own device nodes."""

    gpus: tuple[KernelGpu, ...]
    nodes: tuple[str, ...]  # "/dev/nvidia0", one for each GPU that this process was given
    denied: tuple[str, ...]  # nodes, /dev/nvidiactl among them, that this user may not open
    module: str | None  # version of the loaded kernel module, "580.65.06"; "" where it does not say

    @property
    def usable(self) -> tuple[KernelGpu, ...]:
        """The GPUs that NVIDIA's driver has or could have: not those that vfio or nouveau has taken."""
        return tuple(gpu for gpu in self.gpus if gpu.driver in _ITS_DRIVERS)

    @property
    def is_locked(self) -> bool:
        """Whether this user may open none of the GPUs' nodes, or not the one that all of them need."""
        return "/dev/nvidiactl" in self.denied or (bool(self.nodes) and set(self.nodes) <= set(self.denied))


def kernel_view() -> KernelView:
    """Return what the kernel shows; what cannot be read is not there."""
    root = _root()
    driver = root / "proc" / "driver" / "nvidia"
    nodes = sorted(path for path in (root / "dev").glob("nvidia*") if re.fullmatch(r"nvidia(\d+|ctl)", path.name))
    return KernelView(
        gpus=tuple(_gpus(root / "sys" / "bus" / "pci" / "devices", driver / "gpus")),
        nodes=tuple(f"/dev/{path.name}" for path in nodes if path.name != "nvidiactl"),
        denied=tuple(f"/dev/{path.name}" for path in nodes if not os.access(path, os.R_OK | os.W_OK)),
        module=_module(driver / "version"),
    )


def is_denied(node: str) -> bool:
    """Return whether a control group keeps this process from a device node: file permissions do not show that.

    Batch systems do so to jobs without a GPU on machines that have some. Opening a node starts its GPU: ask only where
    the driver was started already.
    """
    try:
        os.close(os.open(_root() / node.lstrip("/"), os.O_RDWR))
    except OSError as error:
        return error.errno == errno.EPERM
    return False


def _root() -> Path:
    return Path(os.environ.get(ROOT_VARIABLE) or "/")


def _gpus(devices: Path, known: Path) -> list[KernelGpu]:
    found = []
    for device in _entries(devices):
        if _text(device / "vendor") != _VENDOR or not (_text(device / "class") or "").startswith(_DISPLAY_CLASS):
            continue
        driver = device / "driver"
        found.append(
            KernelGpu(
                pci_id=f"{_VENDOR[2:]}:{(_text(device / 'device') or '0x')[2:]}",
                driver=driver.resolve().name if driver.exists() else None,
                model=_model(known / device.name / "information"),
            )
        )
    return found


def _module(path: Path) -> str | None:
    """Return the version in "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 …"."""
    text = _text(path)
    if text is None:
        return None
    version = re.search(r"\b\d+\.\d+(?:\.\d+)?\b", text)
    return version.group() if version else ""


def _model(path: Path) -> str | None:
    """Return the model in the lines of /proc/driver/nvidia/gpus/<address>/information; a GPU that failed has none."""
    model = re.search(r"^Model:[ \t]*(\S.*?)[ \t]*$", _text(path) or "", re.MULTILINE)
    return None if model is None or model.group(1) == "Unknown" else model.group(1)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None
