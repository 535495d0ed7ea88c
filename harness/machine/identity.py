"""Which machine this is: a name that lasts, and the facts that make two machines comparable or not.

The host name is not part of it: a container gets a new one at every start.
"""

from __future__ import annotations

import json
import os
import platform
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.machine.gpu import Gpu, gpus

NAME_VARIABLE = "SAVEDMODEL_BENCH_MACHINE"
"""The environment variable that names the machine where `--machine` does not."""

_USABLE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+ -]*")


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
    gpus: tuple[Gpu, ...]
    driver: str | None
    boot_id: str

    def as_record(self) -> dict[str, Any]:
        """Return the facts as JSON-ready values, for run.json."""
        return {**asdict(self), "gpus": [asdict(gpu) for gpu in self.gpus]}


def describe_machine(name: str | None = None) -> Machine:
    """Describe the machine this process runs on.

    Args:
        name: what `--machine` said. Without it the name is, in this order: the variable SAVEDMODEL_BENCH_MACHINE,
            the entry of ~/.asv-machine.json that asv itself would use, or one made of the hardware (processor,
            logical CPUs, memory, GPU), which stays the same in every container on the same kind of machine.

    Raises:
        UsageError: the name cannot be a folder's name, or ~/.asv-machine.json is damaged.
    """
    cpu = _proc_field(Path("/proc/cpuinfo"), "model name") or platform.processor() or "unknown CPU"
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    logical_cpus = os.cpu_count() or 1
    found = gpus()
    chosen = (
        name or os.environ.get(NAME_VARIABLE) or _asv_name() or _hardware_name(cpu, logical_cpus, memory_bytes, found)
    )
    if not _USABLE_NAME.fullmatch(chosen):
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
        gpus=found,
        driver=found[0].driver if found else None,
        boot_id=_read(Path("/proc/sys/kernel/random/boot_id")).strip(),
    )


def _asv_name() -> str | None:
    """Return the name under which asv 0.6.6 files this machine's results, None where it was never told one.

    As asv does: the entry of this host's name, or the only entry whatever its name.
    """
    path = Path.home() / ".asv-machine.json"
    if not path.exists():
        return None
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        entries.pop("version", None)
        if platform.node() in entries:
            return str(entries[platform.node()]["machine"])
        return str(next(iter(entries.values()))["machine"]) if len(entries) == 1 else None
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} cannot be read ({error}): repair or remove it, or name this machine with --machine."
        ) from error


def _hardware_name(cpu: str, logical_cpus: int, memory_bytes: int, found: tuple[Gpu, ...]) -> str:
    """Return a name such as `amd-epyc-7763-8cpu-31gib-nvidia-h100`, equal on equal hardware."""
    plain = re.sub(r"\((r|tm)\)|@.*|\bcpu\b|\bprocessor\b|\d+-core", " ", cpu, flags=re.IGNORECASE)
    parts = [plain, f"{logical_cpus}cpu", f"{round(memory_bytes / 2**30)}gib"]
    if found:
        parts.append(found[0].name if len(found) == 1 else f"{len(found)}x {found[0].name}")
    return re.sub(r"[^a-z0-9]+", "-", " ".join(parts).lower()).strip("-")


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
