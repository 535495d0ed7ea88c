"""Whether this machine has an NVIDIA GPU, and whether it can be measured: five states, told apart.

A GPU that does not answer is not "no GPU": a nightly job would measure the CPU alone and look healthy. So NVML is asked
and the kernel too (`gpu_kernel`), and what both say together decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from harness.machine.gpu.devices import Gpu, read_gpu
from harness.machine.gpu.kernel import KernelView, is_denied, kernel_view
from harness.machine.gpu.nvml import NOT_INSTALLED, Nvml, Reading
from harness.machine.gpu.selection import NO_GPU, hides_gpus, tensorflow_gpu, visible_text

NO_PERMISSION = "NVMLError_NoPermission"
_SAYS_NOTHING = ("NVMLError_LibraryNotFound", "NVMLError_DriverNotLoaded", NOT_INSTALLED)
"""What NVML answers on a machine without a GPU, too. Every other error comes from a driver that was reached."""

_REMEDIES = {
    "NVMLError_LibRmVersionMismatch": "The driver's library and its kernel module{module} differ in version, as after "
    "an update: reboot, or start the container anew.",
    "NVMLError_DriverNotLoaded": "Load the driver's kernel module (modprobe nvidia), or install the driver again for "
    "the kernel that runs.",
    "NVMLError_LibraryNotFound": "Install the driver's library libnvidia-ml.so.1, or start the container with it "
    "(docker run --gpus all).",
    "NVMLError_GpuIsLost": "The GPU fell off the bus: reboot, and look for Xid in the kernel's log (dmesg).",
    "NVMLError_ResetRequired": "Let the machine's operator reset the GPU (nvidia-smi --gpu-reset), or reboot.",
    NO_PERMISSION: "Let the machine's operator permit this user to open /dev/nvidia*.",
    NOT_INSTALLED: "Run `make setup` again.",
}
_OTHER_REMEDY = (
    "See what `nvidia-smi` and the kernel's log (dmesg) say, and reboot; a container whose devices were taken away "
    "(systemctl daemon-reload on its host does that) has to be started anew."
)


class Presence(StrEnum):
    """What there is of GPUs, for this process."""

    NONE = "none"
    ANSWERING = "answering"
    BROKEN = "broken"  # there, and the driver, its library, the GPU itself or CUDA_VISIBLE_DEVICES is at fault
    NOT_PERMITTED = "not permitted"  # there, and this user may not use it
    NOT_GIVEN = "not given"  # on the host, and this process is not meant to use it


@dataclass(frozen=True, slots=True)
class GpuModel:
    """What kind of GPU one is, as far as NVML or the kernel says; None where neither does."""

    name: str | None = None  # "NVIDIA H100 80GB HBM3"
    pci_id: str | None = None  # "10de:2330"


@dataclass(frozen=True, slots=True)
class GpuPresence:
    """What there is of GPUs, with the sentence that says so and the one that says what to do about it."""

    state: Presence
    text: str  # "1 NVIDIA GPU does not answer: NVMLError_GpuIsLost", without a full stop
    reason: str | None = None  # NVML's error name, or what else keeps GPUs from being measured
    remedy: str | None = None  # a sentence; None where nothing has to be done
    answering: tuple[Gpu, ...] = ()
    models: tuple[GpuModel, ...] = ()  # of every GPU that is this machine's, also where none answers
    silent: tuple[str, ...] = ()  # why GPUs beside the answering ones do not answer

    @property
    def is_there(self) -> bool:
        """Whether this machine counts as one with a GPU, measurable or not."""
        return self.state in (Presence.ANSWERING, Presence.BROKEN, Presence.NOT_PERMITTED)

    @property
    def is_broken(self) -> bool:
        """Whether a GPU is there that ought to be measured and cannot be."""
        return self.state in (Presence.BROKEN, Presence.NOT_PERMITTED)


def gpu_presence(environment: Mapping[str, str] | None = None) -> GpuPresence:
    """Ask NVML and the kernel what there is.

    Args:
        environment: the variables of the process that is to use a GPU. CUDA_VISIBLE_DEVICES may hide GPUs, on purpose
            (then they are not given), or by naming what is not there (then that is broken). None: it is not looked at.
    """
    found = _found()
    return found if environment is None else _as_cuda_shows(found, environment)


def _found() -> GpuPresence:
    view = kernel_view()
    with Nvml() as nvml:
        if nvml.missing is not None:
            return _without_session(nvml.missing, view)
        count: Reading[int] = nvml.call("nvmlDeviceGetCount")
        if count.value is None:
            return _unusable(count.reason or "", view)
        if count.value == 0:
            return _listing_none(view)
        found = [read_gpu(nvml, index) for index in range(count.value)]
    answering = tuple(one.value for one in found if one.value is not None)
    if not answering:
        return _unusable(found[0].reason or "", view, count.value)
    # Those that this process may not open are somebody else's.
    silent = tuple(one.reason or "" for one in found if one.value is None and one.reason != NO_PERMISSION)
    return GpuPresence(
        Presence.ANSWERING,
        f"{gpu_count(len(answering))} answer{'s' if len(answering) == 1 else ''}",
        answering=answering,
        models=(*(GpuModel(gpu.name, gpu.pci_id) for gpu in answering), *(GpuModel() for _ in silent)),
        silent=silent,
    )


def _as_cuda_shows(found: GpuPresence, environment: Mapping[str, str]) -> GpuPresence:
    """Return what is left of the GPUs for a process with these variables."""
    if found.is_there and hides_gpus(environment):
        return _not_given(len(found.models), visible_text(environment), found.models)
    if found.state is not Presence.ANSWERING:
        return found
    chosen = tensorflow_gpu(environment)
    if chosen.value is not None or not (chosen.reason or "").startswith(NO_GPU):
        return found  # which GPU it is may not be known; that there is one is
    reason = (chosen.reason or "").removeprefix(NO_GPU)
    remedy = "Set CUDA_VISIBLE_DEVICES to the UUID of a GPU that `nvidia-smi -L` lists, or unset it."
    if "CUDA_VISIBLE_DEVICES" not in reason:
        remedy = "Let the machine's operator make a MIG device (nvidia-smi mig), or disable MIG."
    text = f"CUDA can use none of {gpu_count(len(found.models))}: {reason}"
    return GpuPresence(Presence.BROKEN, text, reason, remedy, models=found.models)


def _without_session(reason: str, view: KernelView) -> GpuPresence:
    """Return what there is where NVML could not be started."""
    if reason not in _SAYS_NOTHING or view.nodes:
        return _unusable(reason, view)
    if not view.gpus:
        return GpuPresence(Presence.NONE, f"no NVIDIA GPU: {reason}", reason)
    is_loaded = view.module is not None or any(gpu.driver is not None for gpu in view.usable)
    if reason == "NVMLError_DriverNotLoaded" and view.usable and not is_loaded:
        return _unusable(reason, view)
    return _not_given_by(view)


def _listing_none(view: KernelView) -> GpuPresence:
    """Return what there is where the driver works and lists no GPU."""
    reason = "the driver lists none"
    if view.nodes and not all(is_denied(node) for node in view.nodes):
        return _unusable(reason, view)
    if view.gpus or view.nodes:
        return _not_given_by(view)
    return GpuPresence(Presence.NONE, f"no NVIDIA GPU: {reason}", reason)


def _not_given_by(view: KernelView) -> GpuPresence:
    """Return the state of GPUs that the kernel knows of and keeps from this process."""
    drivers = sorted({gpu.driver for gpu in view.gpus if gpu.driver is not None})
    if view.gpus and not view.usable:
        return _not_given(len(view.gpus), f"taken by {', '.join(drivers)}")
    reason = "its control group denies /dev/nvidia*" if view.nodes else "there is no device node /dev/nvidia0"
    return _not_given(len(view.usable) or len(view.nodes), reason)


def _not_given(number: int, reason: str, models: tuple[GpuModel, ...] = ()) -> GpuPresence:
    text = f"{gpu_count(number)} on this machine, not given to this process: {reason}"
    return GpuPresence(Presence.NOT_GIVEN, text, reason, models=models)


def _unusable(reason: str, view: KernelView, listed: int = 0) -> GpuPresence:
    """Return the state of GPUs that are there and of which none answers; `listed` is how many the driver counts."""
    number = listed or len(view.nodes) or len(view.usable)
    known = [GpuModel(gpu.model, gpu.pci_id) for gpu in view.usable][:number]
    models = (*known, *(GpuModel() for _ in range(max(1, number) - len(known))))
    what = gpu_count(number) if number else "an NVIDIA GPU"
    if reason == NO_PERMISSION or (view.is_locked and reason != "NVMLError_LibraryNotFound"):
        text = f"{what} may not be used by this user: {reason}"
        return GpuPresence(Presence.NOT_PERMITTED, text, reason, _REMEDIES[NO_PERMISSION], models=models)
    text = f"{what} {'do' if number > 1 else 'does'} not answer: {reason}"
    remedy = _REMEDIES.get(reason, _OTHER_REMEDY).format(module=f" {view.module}" if view.module else "")
    return GpuPresence(Presence.BROKEN, text, reason, remedy, models=models)


def gpu_count(number: int) -> str:
    """Return "1 NVIDIA GPU" or "2 NVIDIA GPUs"."""
    return f"{number} NVIDIA GPU{'' if number == 1 else 's'}"
