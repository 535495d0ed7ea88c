"""Is this host suitable for benchmarking? Processors, load, steal, swap and memory; nothing is ever changed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from harness.machine.cgroup import cpu_quota, memory_left_bytes
from harness.machine.findings import Finding, advice, ok, problem
from harness.machine.frequency import boost, governors
from harness.machine.load import HostSample, sample_host, shares_between

WATCHED_S = 2.0
"""How long load and steal are watched: 200 of the kernel's 10 ms ticks on each CPU."""

ENOUGH_CPUS = 2
"""One for TensorFlow and one for everything else; the reference machines of this project have two."""

LEAST_MEMORY_BYTES = 2 << 30
"""Importing TensorFlow takes 0.5 GB and every subject of a block holds one import; below this nothing fits."""

COMFORTABLE_MEMORY_BYTES = 8 << 30

_SETTLED = ("performance", "schedutil")
"""Governors under which clocks follow the work at once, or stay up."""


def host_findings(watched_s: float = WATCHED_S) -> Iterator[Finding]:
    """Look at the host; takes `watched_s` seconds."""
    before = sample_host()
    time.sleep(watched_s)
    after = sample_host()
    yield processors(os.cpu_count() or 1, len(os.sched_getaffinity(0)), cpu_quota())
    yield governor(governors())
    yield turbo(boost())
    yield from load(before, after)
    memory = _fields(Path("/proc/meminfo"))
    yield swap(memory.get("SwapTotal", 0), memory.get("SwapFree", 0))
    yield available_memory(memory.get("MemAvailable", 0), memory.get("MemTotal", 0), memory_left_bytes())
    yield peak_counter(Path("/proc/self/clear_refs"))


def processors(logical: int, usable: int, quota: float | None = None) -> Finding:
    """Judge the number of CPUs, and how much of their time the control groups allow (in CPUs, None: all of it)."""
    if quota is not None and quota < usable:
        return advice(
            "cpu-count",
            f"{usable} usable CPUs, but the control group allows the time of {quota:g}",
            "Give the container whole CPUs (docker: --cpuset-cpus): TensorFlow starts a thread for each CPU that it "
            "sees, and a quota that is used up stops all of them for the rest of its period.",
        )
    text = f"{logical} logical CPUs, {usable} of them usable here"
    if usable < ENOUGH_CPUS:
        return advice(
            "cpu-count", text, "Give the process a second CPU: with one, the harness and TensorFlow take turns."
        )
    return ok("cpu-count", text)


def governor(found: tuple[str, ...]) -> Finding:
    """Judge the frequency governors in use."""
    if not found:
        return ok("cpu-governor", "the kernel shows no frequency governor (usual in virtual machines)")
    text = f"frequency governor {', '.join(found)}"
    if set(found) <= set(_SETTLED):
        return ok("cpu-governor", text)
    return advice("cpu-governor", text, "For steadier times, as root: cpupower frequency-set -g performance")


def turbo(allowed: bool | None) -> Finding:
    """Judge whether clocks may rise above the base clock."""
    if allowed is None:
        return ok("cpu-boost", "the kernel does not say whether CPUs boost their clock")
    if not allowed:
        return ok("cpu-boost", "boost is off: clocks depend less on heat")
    return ok(
        "cpu-boost",
        "boost is on: clocks depend on heat and on the other cores (measuring both releases in each block cancels it)",
    )


def load(before: HostSample, after: HostSample) -> Iterator[Finding]:
    """Judge what others and the hypervisor took between two samples, as it would be beside a repeat on one CPU."""
    shares = shares_between(before, after)
    foreign, idle = (100 * max(0.0, share) for share in (shares.foreign, shares.idle))
    text = f"other processes use {foreign:.0f} % of the {after.cpus} CPUs, {idle:.0f} % are idle"
    if shares.beside(1 / after.cpus).others_disturb:
        yield advice(
            "cpu-load", text, "Wait until the machine is idle: measurements beside so much other load are discarded."
        )
    else:
        yield ok("cpu-load", text)
    text = f"the hypervisor took {max(0.0, shares.steal) * 100:.0f} % of the CPU time"
    if shares.steal_disturbs:
        yield advice(
            "cpu-steal",
            text,
            "Other virtual machines use this CPU: measure at another time, or on a dedicated machine.",
        )
    else:
        yield ok("cpu-steal", text)


def swap(total_bytes: int, free_bytes: int) -> Finding:
    """Judge swapping."""
    used = total_bytes - free_bytes
    if not total_bytes:
        return ok("swap", "there is no swap")
    text = f"{_gib(used)} of {_gib(total_bytes)} swap in use"
    if used > total_bytes / 10:
        return advice("swap", text, "Free memory first: measurements during which memory is swapped in are discarded.")
    return ok("swap", text)


def available_memory(available_bytes: float, total_bytes: int, left_bytes: float | None = None) -> Finding:
    """Judge the memory that a measuring process can have; `left_bytes` is what the control groups allow, None: all."""
    text = f"{_gib(available_bytes)} of {_gib(total_bytes)} memory available"
    if left_bytes is not None and left_bytes < available_bytes:
        available_bytes = left_bytes
        text = f"{_gib(available_bytes)} of memory allowed by the control group ({text})"
    if available_bytes < LEAST_MEMORY_BYTES:
        return problem("memory", text, f"Free memory: two imports of TensorFlow need {_gib(LEAST_MEMORY_BYTES)}.")
    if available_bytes < COMFORTABLE_MEMORY_BYTES:
        return advice("memory", text, "Enough for models up to size m; larger ones are skipped with the reason.")
    return ok("memory", text)


def peak_counter(path: Path) -> Finding:
    """Judge whether the kernel lets a process reset its high-water mark of memory."""
    try:
        path.write_text("5")
    except OSError as error:
        what = "Peak host memory will be missing: allow writing to /proc/self/clear_refs, or use another container "
        what += "runtime."
        return advice("host-peak", f"{path} cannot be written ({error.strerror})", what)
    return ok("host-peak", "peak host memory can be measured (/proc/self/clear_refs)")


def _fields(path: Path) -> dict[str, int]:
    """Return the fields of a file like /proc/meminfo, in bytes; {} where it cannot be read."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    parts = (line.split() for line in lines)
    return {part[0].rstrip(":"): int(part[1]) * 1024 for part in parts if len(part) > 1 and part[1].isdigit()}


def _gib(size: float) -> str:
    return f"{size / 2**30:.1f} GiB"
