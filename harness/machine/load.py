"""Was the machine calm while a repeat ran? Two cheap samples, before and after, give the taints.

The load average is not used: it counts our own measuring process and its threads. What others took is the time
that the usable CPUs were busy less that of this process and all its descendants, which also shows neighbours
outside a container.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

FOREIGN_SHARE_LIMIT = 0.25
"""Share of the usable CPUs' time that others may take: on two of them, half of one."""

IDLE_SHARE_ENOUGH = 0.25
"""Others disturb only where the CPUs run short: with this share idle, their work is no taint. On a large shared
host much runs beside us without being in the way."""

STEAL_SHARE_LIMIT = 0.05
"""Share of the usable CPUs' time that the hypervisor may take away."""

SWAP_IN_LIMIT_BYTES = 1 << 20
"""Bytes that may be swapped in; more means that the measured memory may not have been resident."""

SHORTEST_INTERVAL_S = 0.2
"""Below this, the kernel's 10 ms ticks say too little about shares, so only swapping is looked at. A shorter repeat is
judged by the stretch of at least this length that ends with it."""

_PROC = Path("/proc")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Shares:
    """Who had the usable CPUs between two samples: shares of their time."""

    foreign: float  # other processes; a little under 0 where ticks are counted late
    steal: float
    idle: float

    @property
    def others_disturb(self) -> bool:
        """Whether other processes took so much that a repeat beside them is tainted."""
        return self.foreign > FOREIGN_SHARE_LIMIT and self.idle < IDLE_SHARE_ENOUGH

    def beside(self, own: float) -> Shares:
        """Return the shares as they would be with so much own work in what was idle."""
        return Shares(self.foreign, self.steal, self.idle - own)

    @property
    def steal_disturbs(self) -> bool:
        """Whether the hypervisor took so much."""
        return self.steal > STEAL_SHARE_LIMIT


@dataclass(frozen=True, slots=True)
class HostSample:
    """The counters of the CPUs that this process may use, at one moment; all rising since boot."""

    clock_s: float  # time.monotonic()
    cpus: int
    busy_s: float  # CPU seconds of everything that ran, own work included, stolen time not
    steal_s: float
    own_s: float  # CPU seconds of this process and its descendants, ended ones included
    swap_in_bytes: int


def sample_host() -> HostSample:
    """Read the counters; about 2 ms with a hundred processes. What the kernel hides reads 0."""
    fields, cpus = _cpu_ticks()
    # user nice system idle iowait irq softirq steal guest guest_nice; guest time is inside user time already.
    busy = sum(fields[index] for index in (0, 1, 2, 5, 6))
    return HostSample(
        clock_s=time.monotonic(),
        cpus=cpus,
        busy_s=busy / _TICKS_PER_S,
        steal_s=fields[7] / _TICKS_PER_S,
        own_s=_own_ticks(os.getpid()) / _TICKS_PER_S,
        swap_in_bytes=_swap_in_pages() * os.sysconf("SC_PAGE_SIZE"),
    )


def far_enough(before: HostSample, after: HostSample) -> bool:
    """Whether two samples lie far enough apart to tell shares of the CPUs' time."""
    return after.clock_s - before.clock_s >= SHORTEST_INTERVAL_S


def shares_between(before: HostSample, after: HostSample) -> Shares:
    """Return the shares between two samples of different moments."""
    capacity_s = (after.clock_s - before.clock_s) * after.cpus
    busy = (after.busy_s - before.busy_s) / capacity_s
    steal = (after.steal_s - before.steal_s) / capacity_s
    own = (after.own_s - before.own_s) / capacity_s
    return Shares(foreign=busy - own, steal=steal, idle=1 - busy - steal)


def taints_between(before: HostSample, after: HostSample) -> tuple[str, ...]:
    """Return why a repeat between two samples should not be trusted; empty on a calm machine.

    Each text is `kind: figure`, as in `steal: 12 % of CPU time`.
    """
    taints = []
    if far_enough(before, after):
        shares = shares_between(before, after)
        if shares.others_disturb:
            taints.append(f"foreign-load: {shares.foreign:.0%} of CPU time on {after.cpus} CPUs".replace("%", " %"))
        if shares.steal_disturbs:
            taints.append(f"steal: {shares.steal:.0%} of CPU time".replace("%", " %"))
    swapped = after.swap_in_bytes - before.swap_in_bytes
    if swapped > SWAP_IN_LIMIT_BYTES:
        taints.append(f"swap-in: {swapped / 2**20:.0f} MiB")
    return tuple(taints)


def _cpu_ticks() -> tuple[list[int], int]:
    """Return the ticks of the usable CPUs added up, as in a line of /proc/stat, and their number."""
    usable = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    total = [0] * 8
    for line in _lines(_PROC / "stat"):
        name, *fields = line.split()
        if name in usable:
            total = [known + int(more) for known, more in zip(total, fields, strict=False)]
    return total, len(usable)


def _own_ticks(root: int) -> int:
    """Return the ticks of a process and its living descendants; each holds those of its ended, awaited children."""
    ticks: dict[int, int] = {}
    children: dict[int, list[int]] = {}
    for folder in _PROC.iterdir():
        if not folder.name.isdigit():
            continue
        lines = _lines(folder / "stat")
        if not lines:
            continue  # ended meanwhile
        # The command's name may hold spaces and parentheses, so count from the last one.
        fields = lines[0].rpartition(")")[2].split()
        pid = int(folder.name)
        ticks[pid] = sum(int(text) for text in fields[11:15])
        children.setdefault(int(fields[1]), []).append(pid)
    total, waiting = 0, [root]
    while waiting:
        pid = waiting.pop()
        total += ticks.get(pid, 0)
        waiting += children.get(pid, [])
    return total


def _swap_in_pages() -> int:
    for line in _lines(_PROC / "vmstat"):
        if line.startswith("pswpin "):
            return int(line.split()[1])
    return 0


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
