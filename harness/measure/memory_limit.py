"""How much memory one measuring process may hold before it is ended."""

from __future__ import annotations

import os
from pathlib import Path

from harness.machine.cgroup import memory_left_bytes
from harness.measure.presets import Preset

MEMORY_SHARE = 0.8
"""Share of the memory available at a block's start that one measuring process may hold."""


def memory_limit_bytes(preset: Preset) -> float:
    """Return the limit in bytes: the preset's, or a share of what is available now where that is less."""
    allowed = memory_allowed_bytes()
    return allowed if preset.memory_limit_gib is None else min(allowed, preset.memory_limit_gib * 2**30)


def memory_allowed_bytes() -> float:
    """Return the bytes that one process may hold of what is available now."""
    return _available_bytes() * MEMORY_SHARE


def _available_bytes() -> float:
    available = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            available = float(line.split()[1]) * 1024
    left = memory_left_bytes()
    return available if left is None else min(available, left)
