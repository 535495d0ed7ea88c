"""A machine's name: made of its hardware once, kept with its results, and never another machine's."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fake_nvml
import pytest

from harness.machine import identity
from harness.machine.gpu.kernel import ROOT_VARIABLE
from harness.machine.identity import Machine, describe_machine
from harness.store.machines import this_machine
from harness.store.runs import create_run

GIB = 1 << 30
CPU = "Some EPYC 4242 64-Core Processor"


@pytest.fixture(name="machine")
def _machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return what makes this process believe to be on a machine of some memory, processor and GPU."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SAVEDMODEL_BENCH_MACHINE", raising=False)
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has an NVIDIA driver")
    real = os.sysconf

    def be(gib: float, cpu: str = CPU, cpus: int = 8, gpus: int = 0, **kernel: Any) -> None:
        pages = int(gib * GIB) // real("SC_PAGE_SIZE")
        monkeypatch.setattr(os, "sysconf", lambda name: pages if name == "SC_PHYS_PAGES" else real(name))
        monkeypatch.setattr(identity, "_proc_field", lambda path, field: cpu)
        monkeypatch.setattr(os, "cpu_count", lambda: cpus)
        folder = tmp_path / f"kernel-{len(list(tmp_path.glob('kernel-*')))}"
        monkeypatch.setenv(ROOT_VARIABLE, str(fake_nvml.kernel(folder, *["nvidia"] * gpus, nodes=gpus, **kernel)))

    return be


def measured(root: Path, machine: Machine, **changed: Any) -> str:
    """Store a run of a machine, with what its run.json says changed, and return its name."""
    record = {**machine.as_record(), **changed}
    create_run(root, record["name"], {"kind": "run", "subjects": [], "machine": json.loads(json.dumps(record))})
    return str(record["name"])


@pytest.mark.parametrize(
    ("gib", "size"),
    [(0.9, 1), (3.75, 4), (7.6, 8), (15.4, 16), (23.54, 24), (24.48, 28), (24.52, 28), (31.2, 32), (62.4, 64),
     (62.9, 64), (120, 128), (125.4, 128), (251.6, 256), (503, 512), (1510, 1536)],
)  # fmt: skip
def test_a_name_has_the_memory_that_a_machine_is_sold_with(machine: Callable[..., None], gib: float, size: int) -> None:
    machine(gib)
    assert describe_machine().name == f"some-epyc-4242-8cpu-{size}gib"


def test_a_machine_whose_memory_reads_differently_keeps_its_name(machine: Callable[..., None], tmp_path: Path) -> None:
    machine(28.2)  # just beyond a size
    name = measured(tmp_path, this_machine(tmp_path))
    for gib in (27.9, 27.5, 28.6):
        machine(gib)
        assert this_machine(tmp_path).name == name == "some-epyc-4242-8cpu-32gib"
    machine(23.6)
    assert this_machine(tmp_path).name == "some-epyc-4242-8cpu-24gib"


def test_names_that_were_made_by_rounding_are_kept(machine: Callable[..., None], tmp_path: Path) -> None:
    machine(30.6)
    old = {"gpu_models": None, "named_by": None, "gpu_state": None}
    described = describe_machine("some-epyc-4242-8cpu-31gib").as_record()
    record = {name: value for name, value in described.items() if name not in old}
    create_run(tmp_path, record["name"], {"kind": "run", "subjects": [], "machine": record})
    machine(30.3)
    assert this_machine(tmp_path).name == "some-epyc-4242-8cpu-31gib"


def test_a_name_that_a_person_gave_is_not_taken_for_this_machines(machine: Callable[..., None], tmp_path: Path) -> None:
    machine(16)
    measured(tmp_path, this_machine(tmp_path, "with-turbo"))
    assert this_machine(tmp_path).name == "some-epyc-4242-8cpu-16gib"


def test_the_nearest_of_several_that_could_be_meant_is(machine: Callable[..., None], tmp_path: Path) -> None:
    """As the rounding of before left them: two names of which each has a history."""
    for gib, name in ((24.48, "some-epyc-4242-8cpu-24gib"), (24.52, "some-epyc-4242-8cpu-25gib")):
        machine(gib)
        measured(tmp_path, dataclasses.replace(describe_machine(name), named_by="hardware"))
    machine(24.47)
    assert this_machine(tmp_path).name == "some-epyc-4242-8cpu-24gib"
    machine(24.6)
    assert this_machine(tmp_path).name == "some-epyc-4242-8cpu-25gib"


@pytest.mark.parametrize(
    "other",
    [
        {"gib": 26.5},  # another memory of the same size to be sold with
        {"gib": 24.6, "cpu": "Some EPYC 4242 64-Core Processor @ 3.1GHz"},  # a speed, which is not part of a name
    ],
)
def test_other_hardware_never_gets_a_name_that_is_taken(
    machine: Callable[..., None], tmp_path: Path, other: dict[str, Any]
) -> None:
    machine(24.6)
    first = measured(tmp_path, this_machine(tmp_path))
    machine(**other)
    second = measured(tmp_path, this_machine(tmp_path))
    assert second.startswith(f"{first}-")
    assert this_machine(tmp_path).name == second
    machine(24.6)
    assert this_machine(tmp_path).name == first


H100: dict[str, Any] = {"gpus": 1, "model": "NVIDIA H100", "pci_id": "0x2330"}
UNNAMED: dict[str, Any] = {**H100, "model": None}


def test_a_gpu_that_does_not_answer_keeps_its_part_of_the_name(machine: Callable[..., None], tmp_path: Path) -> None:
    machine(32, **H100)
    described = this_machine(tmp_path)
    assert (described.gpu_state, described.gpus) == ("broken", ())
    name = measured(tmp_path, described)
    assert name == "some-epyc-4242-8cpu-32gib-nvidia-h100"
    # Its module is gone as well, so that nothing but the PCI bus, or not even that, tells what it is.
    machine(32, **UNNAMED)
    assert measured(tmp_path, this_machine(tmp_path)) == name
    machine(32, gpus=1, pci_id="0x20b0", model=None)
    assert this_machine(tmp_path).name == "some-epyc-4242-8cpu-32gib-nvidia-20b0"
    # A night of the broken kind does not make the results forget which GPU it is.
    machine(32, gpus=1, model="NVIDIA A100", pci_id="0x20b0")
    assert this_machine(tmp_path).name == "some-epyc-4242-8cpu-32gib-nvidia-a100"
    machine(32, **H100)
    assert this_machine(tmp_path).name == name


def test_a_name_made_while_a_gpu_could_not_be_named_is_kept(machine: Callable[..., None], tmp_path: Path) -> None:
    machine(32, **UNNAMED)
    name = measured(tmp_path, this_machine(tmp_path))
    assert name == "some-epyc-4242-8cpu-32gib-nvidia-2330"
    machine(32, **H100)
    assert measured(tmp_path, this_machine(tmp_path)) == name
    machine(32, **H100)
    assert this_machine(tmp_path).name == name


def test_machines_with_and_without_a_gpu_and_with_more_of_them_are_apart(
    machine: Callable[..., None], tmp_path: Path
) -> None:
    names = set()
    for gpus in ({}, H100, {**H100, "gpus": 8}, {**H100, "model": "NVIDIA A100", "pci_id": "0x20b0"}):
        machine(32, **gpus)
        names.add(measured(tmp_path, this_machine(tmp_path)))
    assert len(names) == 4
    assert "some-epyc-4242-8cpu-32gib-8x-nvidia-h100" in names


def test_a_home_that_is_shared_does_not_lend_another_machines_name(
    machine: Callable[..., None], tmp_path: Path
) -> None:
    """asv takes the only entry of ~/.asv-machine.json for this machine, whatever it describes."""
    machine(32)
    entry = {"machine": "theirs", "cpu": CPU, "num_cpu": "8", "ram": str(32 * GIB)}
    path = tmp_path / ".asv-machine.json"
    for changed, name in (
        ({}, "theirs"),
        ({"ram": str(31 * GIB + GIB // 2)}, "theirs"),
        ({"ram": "32GB", "num_cpu": "eight"}, "theirs"),  # as a person may have written
        ({"cpu": "Another CPU"}, "some-epyc-4242-8cpu-32gib"),
        ({"num_cpu": "16"}, "some-epyc-4242-8cpu-32gib"),
        ({"ram": str(64 * GIB)}, "some-epyc-4242-8cpu-32gib"),
    ):
        path.write_text(json.dumps({"version": 1, "theirs": {**entry, **changed}}))
        assert this_machine(tmp_path).name == name
    # asv's file knows nothing of GPUs; the results do.
    path.write_text(json.dumps({"version": 1, "theirs": entry}))
    measured(tmp_path, describe_machine("theirs"), gpu_models=[{"name": "NVIDIA H100", "pci_id": "10de:2330"}])
    assert this_machine(tmp_path).name == "some-epyc-4242-8cpu-32gib"


def test_the_machine_of_the_reference_runs_keeps_its_name(machine: Callable[..., None]) -> None:
    for gib in (23.54, 23.2, 24.1):
        machine(gib, cpu="AMD EPYC", cpus=2)
        assert this_machine(Path(__file__).parents[2]).name == "amd-epyc-2cpu-24gib"


def test_nodes_of_equal_hardware_are_told_apart(
    machine: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(64)
    alone = measured(tmp_path, this_machine(tmp_path))
    names = []
    for node in ("gpu-01", "gpu-02"):
        monkeypatch.setenv("SLURMD_NODENAME", node)
        names.append(measured(tmp_path, this_machine(tmp_path)))
    assert names == [f"{alone}-gpu-01", f"{alone}-gpu-02"]
    machine(63.5)  # another kernel
    assert this_machine(tmp_path).name == names[1]
    monkeypatch.delenv("SLURMD_NODENAME")
    assert this_machine(tmp_path).name == alone


def test_a_shared_home_does_not_make_all_nodes_one_machine(
    machine: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(64)
    entry = {"machine": "login", "cpu": CPU, "num_cpu": "8", "ram": str(64 * GIB), "os": "", "arch": ""}
    (tmp_path / ".asv-machine.json").write_text(json.dumps({"version": 1, "login": entry}))
    assert this_machine(tmp_path).name == "login"
    monkeypatch.setenv("SLURMD_NODENAME", "gpu-01")
    assert this_machine(tmp_path).name == "some-epyc-4242-8cpu-64gib-gpu-01"
