"""Five states of a machine's GPU: what NVML and the kernel say together. Both are played."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import fake_nvml
import pytest

from harness.machine.gpu import kernel as gpu_kernel

WHOLE: dict[str, Any] = {"devices": ["nvidia"], "nodes": 1, "module": "580.65.06", "model": "NVIDIA Fake 80GB"}
"""A kernel whose driver runs one GPU, and lets this process have it."""
CONTAINER: dict[str, Any] = {**WHOLE, "nodes": 0}
"""The same, seen from a container that was not given the GPU."""

NONE, ANSWERING, BROKEN, NOT_PERMITTED, NOT_GIVEN = "none", "answering", "broken", "not permitted", "not given"
NO_LIBRARY, NOT_LOADED = "NVMLError_LibraryNotFound", "NVMLError_DriverNotLoaded"
FAKE = ["NVIDIA Fake 80GB"]

IMPORTS = "from harness.machine.gpu.presence import gpu_presence"
STATE = """found = gpu_presence({environment})
assert (found.remedy is not None) == found.is_broken
return (found.state.value, found.reason, [model.name for model in found.models])
"""


@pytest.fixture(name="library", scope="module")
def _library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_nvml.build(tmp_path_factory.mktemp("nvml"))


def kernel_of(folder: Path, devices: list[str | None], **more: Any) -> Path:
    return fake_nvml.kernel(folder / "kernel", *devices, **more)


WITHOUT_A_LIBRARY = [
    (None, NONE, NO_LIBRARY, []),
    (WHOLE, BROKEN, NO_LIBRARY, FAKE),
    (CONTAINER, NOT_GIVEN, "there is no device node /dev/nvidia0", []),
    ({"devices": [None]}, NOT_GIVEN, "there is no device node /dev/nvidia0", []),
    ({"devices": ["vfio-pci"]}, NOT_GIVEN, "taken by vfio-pci", []),
    ({"devices": [], "nodes": 2}, BROKEN, NO_LIBRARY, [None, None]),
]
WITH_A_LIBRARY = [
    # It does not find its driver.
    (None, "Init:9", NONE, NOT_LOADED, []),
    (WHOLE, "Init:9", BROKEN, NOT_LOADED, FAKE),
    ({"devices": [None]}, "Init:9", BROKEN, NOT_LOADED, [None]),
    ({"devices": ["nouveau"]}, "Init:9", NOT_GIVEN, "taken by nouveau", []),
    (CONTAINER, "Init:9", NOT_GIVEN, "there is no device node /dev/nvidia0", []),
    # It reached a driver that does not work; a machine without a GPU does not say this.
    (None, "Init:18", BROKEN, "NVMLError_LibRmVersionMismatch", [None]),
    (WHOLE, "Init:18", BROKEN, "NVMLError_LibRmVersionMismatch", FAKE),
    (WHOLE, "Init:999", BROKEN, "NVMLError_Unknown", FAKE),
    (WHOLE, "Init:4242", BROKEN, "NVMLError 4242", FAKE),
    (WHOLE, "Init:4", NOT_PERMITTED, "NVMLError_NoPermission", FAKE),
    (WHOLE, "Count:999", BROKEN, "NVMLError_Unknown", FAKE),
    (WHOLE, "HandleByIndex:15", BROKEN, "NVMLError_GpuIsLost", FAKE),
    (WHOLE, "HandleByIndex:4", NOT_PERMITTED, "NVMLError_NoPermission", FAKE),
    # A GPU that can be opened and tells nothing answers as little; one that only keeps its name to itself does.
    (WHOLE, "GetName:15,GetUUID:15", BROKEN, "NVMLError_GpuIsLost", FAKE),
    (WHOLE, "GetName", ANSWERING, None, [None]),
    (WHOLE, "", ANSWERING, None, FAKE),
    (None, "", ANSWERING, None, FAKE),
]
LISTING_NONE = [
    (None, NONE, "the driver lists none", []),
    (WHOLE, BROKEN, "the driver lists none", FAKE),  # it cannot start the GPU that it drives
    (CONTAINER, NOT_GIVEN, "there is no device node /dev/nvidia0", []),
]


def states(scenarios: list[tuple[Path | None, dict[str, str]]], environment: str = "None") -> list[Any]:
    body = STATE.format(environment=environment)
    return [eval(answer) for answer in fake_nvml.ask_each(IMPORTS, body, scenarios)]


def of_kernel(tmp_path: Path, number: int, kernel: dict[str, Any] | None) -> dict[str, str]:
    if kernel is None:
        return {}
    return {gpu_kernel.ROOT_VARIABLE: str(kernel_of(tmp_path / str(number), **kernel))}


def test_nvml_and_the_kernel_together_tell_the_states_apart(library: Path, tmp_path: Path) -> None:
    scenarios = [
        (library, {**of_kernel(tmp_path, number, kernel), "FAKE_NVML_FAIL": fail})
        for number, (kernel, fail, *_) in enumerate(WITH_A_LIBRARY)
    ]
    assert states(scenarios) == [tuple(expected) for _, _, *expected in WITH_A_LIBRARY]


def test_without_a_library_the_kernel_alone_tells(tmp_path: Path) -> None:
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has an NVIDIA driver")
    scenarios: list[tuple[Path | None, dict[str, str]]] = [
        (None, of_kernel(tmp_path, number, kernel)) for number, (kernel, *_) in enumerate(WITHOUT_A_LIBRARY)
    ]
    assert states(scenarios) == [tuple(expected) for _, *expected in WITHOUT_A_LIBRARY]


def test_a_driver_that_lists_none_is_held_against_the_kernel(library: Path, tmp_path: Path) -> None:
    scenarios = [
        (library, {**of_kernel(tmp_path, number, kernel), "FAKE_NVML_GPUS": ""})
        for number, (kernel, *_) in enumerate(LISTING_NONE)
    ]
    assert states(scenarios) == [tuple(expected) for _, *expected in LISTING_NONE]


SHOWN = [
    ("0", "", ANSWERING, None, FAKE),
    ("-1", "", NOT_GIVEN, "CUDA_VISIBLE_DEVICES=-1", FAKE),
    ("NoDevFiles", "", NOT_GIVEN, "CUDA_VISIBLE_DEVICES=NoDevFiles", FAKE),
    ("", "Init:999", NOT_GIVEN, "CUDA_VISIBLE_DEVICES=", [None]),
    # Named and not there: somebody wanted a GPU.
    ("GPU-gone", "", BROKEN, "CUDA_VISIBLE_DEVICES=GPU-gone matches 0 GPUs", FAKE),
    ("3", "", BROKEN, "CUDA_VISIBLE_DEVICES=3 shows none", FAKE),
    ("²", "", BROKEN, "CUDA_VISIBLE_DEVICES=² shows none", FAKE),
]


def test_a_gpu_hidden_on_purpose_is_not_given_and_a_wrong_name_is_a_fault(library: Path) -> None:
    scenarios = [(library, {"CUDA_VISIBLE_DEVICES": shown, "FAKE_NVML_FAIL": fail}) for shown, fail, *_ in SHOWN]
    assert states(scenarios, "os.environ") == [tuple(expected) for _, _, *expected in SHOWN]


def test_a_partitioned_gpu_without_a_part_cannot_be_used(library: Path) -> None:
    ((state, reason, _),) = states([(library, {"FAKE_NVML_MIG": "none"})], "{}")
    assert (state, reason) == (BROKEN, "MIG is enabled and no MIG device has been made")


def test_what_the_kernel_shows_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = kernel_of(tmp_path, devices=["nvidia", "vfio-pci", None], nodes=1, module="470.256.02", model="Tesla V100")
    monkeypatch.setenv(gpu_kernel.ROOT_VARIABLE, str(root))
    view = gpu_kernel.kernel_view()
    assert [(gpu.pci_id, gpu.driver, gpu.model) for gpu in view.gpus] == [
        ("10de:2330", "nvidia", "Tesla V100"),
        ("10de:2330", "vfio-pci", "Tesla V100"),
        ("10de:2330", None, "Tesla V100"),
    ]
    assert (view.nodes, view.denied, view.module, len(view.usable)) == (("/dev/nvidia0",), (), "470.256.02", 2)


def test_nodes_without_permission_lock_a_user_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(gpu_kernel.ROOT_VARIABLE, str(kernel_of(tmp_path, **WHOLE)))
    assert not gpu_kernel.kernel_view().is_locked
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name == "nvidia0")
    assert gpu_kernel.kernel_view().is_locked


def test_a_control_group_that_denies_a_node_is_known_by_its_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(gpu_kernel.ROOT_VARIABLE, str(kernel_of(tmp_path, **WHOLE)))
    assert not gpu_kernel.is_denied("/dev/nvidia0")
    for number, denied in ((errno.EPERM, True), (errno.EIO, False), (errno.EACCES, False)):

        def refuse(path: Path, flags: int, number: int = number) -> int:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "open", refuse)
        assert gpu_kernel.is_denied("/dev/nvidia0") is denied
        monkeypatch.undo()
        monkeypatch.setenv(gpu_kernel.ROOT_VARIABLE, str(tmp_path / "kernel"))
