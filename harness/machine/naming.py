"""The name that a machine's results are filed under where nobody gave one: made of its hardware, and then kept.

What the kernel says of the hardware varies: another kernel leaves a little less memory, a broken driver names no GPU.
So a name is made once, and later looked up among the machines in the results. The memory in it is rounded up to a size
that machines are sold with, which lies well above what a kernel shows of it, not to the nearest GiB.

Machines of equal hardware share a name, as containers that are started anew on any of them have to. Machines that
differ do not, even where they share a results folder and hardware that would give one name. Nodes of a cluster have the
node's name in theirs: they are machines of their own however equal they are.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.machine.gpu.presence import GpuModel

MEMORY_TOLERANCE = 0.03
"""Share by which the memory that a kernel shows may differ on one machine: what firmware, crash kernels and integrated
graphics reserve. Sizes that machines are sold with are 6 % apart and more."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """What tells one machine from another."""

    cpu: str
    logical_cpus: int
    memory_bytes: int
    gpus: tuple[GpuModel, ...] = ()  # each that is there, also where none answers


@dataclass(frozen=True, slots=True)
class KnownMachine:
    """A machine in the results, as its newest run describes it."""

    name: str
    hardware: Hardware
    is_named_by_hardware: bool  # not by a person
    node: str | None = None  # of a cluster


def known_machine(record: Mapping[str, Any]) -> KnownMachine | None:
    """Return the machine that a run.json describes; None where it says too little."""
    try:
        gpus = record["gpu_models"] if "gpu_models" in record else record.get("gpus", ())
        hardware = Hardware(
            str(record["cpu"]),
            int(record["logical_cpus"]),
            int(record["memory_bytes"]),
            tuple(GpuModel(gpu.get("name"), gpu.get("pci_id")) for gpu in gpus),
        )
        by_hardware = record.get("named_by") == "hardware" or record["name"] == _rounded_name(hardware)
        node = record.get("node")
        return KnownMachine(str(record["name"]), hardware, by_hardware, None if node is None else str(node))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def hardware_name(own: Hardware, known: Mapping[str, KnownMachine], node: str | None = None) -> tuple[str, Hardware]:
    """Return a machine's name, and its hardware with what the results know of GPUs that do not answer now.

    Args:
        own: what the machine shows now.
        known: the machines in the results, by name.
        node: the name of a cluster's node, which tells machines of equal hardware apart; None: this is none.

    Returns:
        The name under which a machine of this hardware is filed already, the one nearest in memory where there are
        several; else a new one such as `amd-epyc-7763-8cpu-32gib-nvidia-h100`, with four letters more where another
        machine has that.
    """
    alike = [
        one for one in known.values() if one.is_named_by_hardware and one.node == node and is_same(own, one.hardware)
    ]
    if alike:
        kept = min(alike, key=lambda one: abs(one.hardware.memory_bytes - own.memory_bytes))
        gpus = own.gpus if any(gpu.name for gpu in own.gpus) else kept.hardware.gpus
        return kept.name, Hardware(own.cpu, own.logical_cpus, own.memory_bytes, gpus)
    name = _name(own, f"{_sold_gib(own.memory_bytes)}gib")
    if node is not None:
        name = f"{name}-{node}"
    if name in known:
        digest = hashlib.sha1(repr(own).encode(), usedforsecurity=False).hexdigest()
        name = f"{name}-{digest[:4]}"
    return name, own


def is_same(one: Hardware, other: Hardware) -> bool:
    """Return whether two descriptions can be of one machine."""
    difference = abs(one.memory_bytes - other.memory_bytes) / max(one.memory_bytes, other.memory_bytes, 1)
    return (
        (one.cpu, one.logical_cpus) == (other.cpu, other.logical_cpus)
        and difference <= MEMORY_TOLERANCE
        and _have_same_gpus(one.gpus, other.gpus)
    )


def _have_same_gpus(some: tuple[GpuModel, ...], others: tuple[GpuModel, ...]) -> bool:
    """Return whether GPUs agree in what is known of both: their number and names, or else their PCI ids."""
    if not some or not others:
        return not some and not others
    for field in ("name", "pci_id"):
        first, second = ({getattr(gpu, field) for gpu in gpus} - {None} for gpus in (some, others))
        if first and second:
            return first == second and len(some) == len(others)
    return True


def _name(own: Hardware, memory: str) -> str:
    plain = re.sub(r"\((r|tm)\)|@.*|\bcpu\b|\bprocessor\b|\d+-core", " ", own.cpu, flags=re.IGNORECASE)
    parts = [plain, f"{own.logical_cpus}cpu", memory]
    if own.gpus:
        named = next((gpu.name for gpu in own.gpus if gpu.name), None)
        numbered = next((gpu.pci_id for gpu in own.gpus if gpu.pci_id), None)
        model = named or (f"nvidia {numbered.partition(':')[2]}" if numbered else "nvidia gpu")
        parts.append(model if len(own.gpus) == 1 else f"{len(own.gpus)}x {model}")
    return re.sub(r"[^a-z0-9]+", "-", " ".join(parts).lower()).strip("-")


def _rounded_name(own: Hardware) -> str:
    """Return the name as it was made before: runs of that time do not say that it was made."""
    return _name(own, f"{round(own.memory_bytes / 2**30)}gib")


def _sold_gib(memory_bytes: int) -> int:
    """Return the least of 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40 … GiB that is enough."""
    gib = max(1.0, memory_bytes / 2**30)
    step = 2.0 ** max(0, math.ceil(math.log2(gib)) - 3)
    return int(math.ceil(gib / step) * step)
