"""How the kernel sets the CPUs' clocks: governor and boost. Virtual machines mostly show neither."""

from __future__ import annotations

import os
from pathlib import Path

CPUS = Path("/sys/devices/system/cpu")


def governors(cpus: Path = CPUS) -> tuple[str, ...]:
    """Return the frequency governors in use on the usable CPUs, sorted; empty where the kernel shows none."""
    found = set()
    for number in os.sched_getaffinity(0):
        governor = _word(cpus / f"cpu{number}" / "cpufreq" / "scaling_governor")
        if governor is None:
            # All CPUs have the folder or none has: a machine of 200 CPUs without it costs one look, not 200.
            break
        found.add(governor)
    return tuple(sorted(found))


def boost(cpus: Path = CPUS) -> bool | None:
    """Return whether CPUs may run above their base clock; None where the kernel does not tell.

    Intel's driver says so as `no_turbo`, the others as `boost`.
    """
    no_turbo = _word(cpus / "intel_pstate" / "no_turbo")
    if no_turbo is not None:
        return no_turbo == "0"
    allowed = _word(cpus / "cpufreq" / "boost")
    return None if allowed is None else allowed == "1"


def _word(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
