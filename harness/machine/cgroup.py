"""What the control groups of this process leave it: containers and batch systems limit memory and CPU time by them.

/proc/meminfo and the list of usable CPUs know nothing of these limits. Versions 1 and 2 are read; every group above the
process's own limits it too. Files: the kernel's Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_MOUNT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def memory_left_bytes(mount: Path = _MOUNT, own: Path = _OWN) -> float | None:
    """Return the bytes that the groups still allow, pages that may be dropped counted as free; None without a limit."""
    left = []
    for group in _groups(mount, own, "memory"):
        for limit_name, usage_name, cache_name in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            limit, usage = _number(group / limit_name), _number(group / usage_name)
            if limit is not None and usage is not None and limit < 1 << 60:  # version 1's word for no limit
                left.append(limit - usage + _fields(group / "memory.stat").get(cache_name, 0.0))
    return max(0.0, min(left)) if left else None


def cpu_quota(mount: Path = _MOUNT, own: Path = _OWN) -> float | None:
    """Return how many CPUs' time the groups allow, however many the process may run on; None without a limit."""
    quotas = []
    for group in _groups(mount, own, "cpu"):
        words = [*_text(group / "cpu.max").split(), *_text(group / "cpu.cfs_quota_us").split()]
        words += _text(group / "cpu.cfs_period_us").split()
        numbers = [float(word) for word in words if word.lstrip("-").isdigit()]
        if len(numbers) == 2 and min(numbers) > 0:
            quotas.append(numbers[0] / numbers[1])
    return min(quotas, default=None)


def _groups(mount: Path, own: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of the process's group and of those above it, for either version."""
    for line in _text(own).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        # A container may see its own group's path as the host does: then only the folder at the top is there.
        for root in (mount / controllers, mount / controller) if controllers else (mount, mount / "unified"):
            group = root / path.strip("/")
            yield from (folder for folder in (group, *group.parents) if folder.is_dir() and folder.is_relative_to(root))


def _number(path: Path) -> float | None:
    text = _text(path).strip()
    return float(text) if text.isdigit() else None


def _fields(path: Path) -> dict[str, float]:
    parts = (line.split() for line in _text(path).splitlines())
    return {part[0]: float(part[1]) for part in parts if len(part) == 2 and part[1].isdigit()}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
