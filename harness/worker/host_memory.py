"""Peak resident memory of this process over one operation."""

from __future__ import annotations

import ctypes
from typing import Optional

from harness.worker.recorder import Recorder


def reset_peak() -> Optional[int]:
    """Set the kernel's high-water mark to the present size and return that size in bytes.

    Freed memory that the C library keeps is given back before: an operation that took it would seem to need none.
    None where /proc/self/clear_refs is not writable (proc(5), value 5; no privileges needed).
    """
    ctypes.CDLL(None).malloc_trim(0)
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        return None
    return peak_bytes()


def peak_bytes() -> int:
    """Return the high-water mark of resident memory (VmHWM) in bytes."""
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status holds no VmHWM: is this Linux?")


def report_peak(recorder: Recorder, metric: str, baseline: Optional[int]) -> None:
    """Report the peak since `reset_peak` returned `baseline`, above that baseline."""
    if baseline is None:
        recorder.report_absent(metric, "not-resettable: /proc/self/clear_refs")
    else:
        recorder.report(metric, peak_bytes() - baseline)
