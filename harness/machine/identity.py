"""Which machine this is: a name that lasts, and the facts that make two machines comparable or not.

The host name is not part of it: a container gets a new one at every start. How a name comes from hardware: `naming`.
"""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.machine.boot import boot_id, node_name
from harness.machine.gpu.devices import Gpu
from harness.machine.gpu.presence import GpuModel, gpu_presence
from harness.machine.naming import Hardware, KnownMachine, hardware_name, is_same

NAME_VARIABLE = "SAVEDMODEL_BENCH_MACHINE"
"""The environment variable that names the machine where `--machine` does not."""

USABLE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+ -]{0,199}")
"""What a machine's name may be: it becomes a folder's."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine as results are filed under it and judged by it."""

    name: str
    cpu: str
    logical_cpus: int
    usable_cpus: int  # those that this process may run on
    memory_bytes: int
    arch: str
    kernel: str
    os: str
    python: str
    gpus: tuple[Gpu, ...]  # those that answer
    driver: str | None
    boot_id: str
    gpu_state: str  # a value of `gpu_presence.Presence`
    gpu_reason: str | None  # why GPUs that are there do not answer
    gpu_models: tuple[GpuModel, ...]  # of each GPU that is there, whether or not it answers
    named_by: str  # "person", or "hardware" where the name is the one that its hardware has in the results
    node: str | None = None  # the name of a cluster's node, which tells machines of equal hardware apart

    def as_record(self) -> dict[str, Any]:
        """Return the facts as JSON-ready values, for run.json."""
        lists = {name: [asdict(one) for one in getattr(self, name)] for name in ("gpus", "gpu_models")}
        return {**asdict(self), **lists}


def describe_machine(name: str | None = None, known: Mapping[str, KnownMachine] | None = None) -> Machine:
    """Describe the machine this process runs on.

    Args:
        name: what `--machine` said. Without it the name is, in this order: the variable SAVEDMODEL_BENCH_MACHINE,
            the entry of ~/.asv-machine.json that asv itself would use, or one made of the hardware (processor,
            logical CPUs, memory, GPU), which stays the same in every container on the same kind of machine; in a job
            of Slurm the node's name is part of it.
        known: the machines in the results, which keep their names; `harness.store.machines.this_machine` passes them.

    Raises:
        UsageError: the name cannot be a folder's name, or ~/.asv-machine.json is damaged.
    """
    cpu = _proc_field(Path("/proc/cpuinfo"), "model name") or platform.processor() or "unknown CPU"
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    logical_cpus = os.cpu_count() or 1
    presence, node = gpu_presence(), node_name()
    own = Hardware(cpu, logical_cpus, memory_bytes, presence.models if presence.is_there else ())
    by_hardware, own = hardware_name(own, known or {}, node)
    chosen = name or os.environ.get(NAME_VARIABLE) or _asv_name(own, known or {}, node) or by_hardware
    if not USABLE_NAME.fullmatch(chosen):
        raise UsageError(
            f"The machine name {chosen!r} cannot name a folder; use letters, digits, '.', '_', '+' and '-', "
            f"with --machine or {NAME_VARIABLE}."
        )
    return Machine(
        name=chosen,
        cpu=cpu,
        logical_cpus=logical_cpus,
        usable_cpus=len(os.sched_getaffinity(0)),
        memory_bytes=memory_bytes,
        arch=platform.machine(),
        kernel=platform.release(),
        os=_os_name(),
        python=platform.python_version(),
        gpus=presence.answering,
        driver=presence.answering[0].driver if presence.answering else None,
        boot_id=boot_id(),
        gpu_state=presence.state.value,
        gpu_reason=presence.reason,
        gpu_models=own.gpus,
        named_by="hardware" if chosen == by_hardware else "person",
        node=node,
    )


def asv_entry() -> tuple[dict[str, Any], bool] | None:
    """Return the entry of ~/.asv-machine.json that asv 0.6.6 takes by itself, and whether it is this host's by name.

    Else it is the only entry, whatever its name. None where asv was told nothing that it would take.

    Raises:
        UsageError: the file is damaged.
    """
    path = Path.home() / ".asv-machine.json"
    if not path.exists():
        return None
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        entries.pop("version", None)
        is_by_host = platform.node() in entries
        if not is_by_host and len(entries) != 1:
            return None
        entry = entries[platform.node()] if is_by_host else next(iter(entries.values()))
        return {**entry, "machine": str(entry["machine"])}, is_by_host
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} cannot be read ({error}): repair or remove it, or name this machine with --machine."
        ) from error


def _asv_name(own: Hardware, known: Mapping[str, KnownMachine], node: str | None) -> str | None:
    """Return asv's name for this machine; None where its only entry describes another one: homes may be shared.

    On a node of a cluster an entry counts only if it names the host: all nodes have the same home, and equal hardware.
    """
    found = asv_entry()
    if found is None:
        return None
    entry, is_by_host = found
    if node is not None and not is_by_host:
        return None
    return str(entry["machine"]) if is_by_host or not _is_of_another(entry, own, known) else None


def _is_of_another(entry: Mapping[str, Any], own: Hardware, known: Mapping[str, KnownMachine]) -> bool:
    """Return whether asv's entry describes other hardware, by what it says and by what the results know of its name."""
    filed = known.get(entry["machine"])
    if filed is not None:
        return not is_same(own, filed.hardware)
    cpus, memory = str(entry.get("num_cpu")), str(entry.get("ram"))
    described = Hardware(
        str(entry.get("cpu") or own.cpu),
        int(cpus) if cpus.isdecimal() else own.logical_cpus,
        int(memory) if memory.isdecimal() else own.memory_bytes,  # a person may have written "16GB"
        own.gpus,
    )
    return not is_same(own, described)


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return platform.system()


def _proc_field(path: Path, field: str) -> str | None:
    for line in _read(path).splitlines():
        key, separator, value = line.partition(":")
        if separator and key.strip() == field:
            return value.strip()
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
