"""What the device memory tracker costs: its share of a core, and how often it asks the driver.

On a machine without a GPU the tests' stand-in library answers at once: what is left is the harness's own part.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from harness.machine.gpu.devices import gpus
from tests.builders import fake_nvml

CALLS_A_SAMPLE = 2
"""Device memory, and the list of processes."""
SECONDS = 5.0

_TRACK = """
import json, os, time
from harness.machine.gpu.tracker import MemoryTracker
with MemoryTracker({uuid!r}, root=os.getpid()) as tracker:
    time.sleep({seconds})
print(json.dumps(tracker.track.as_record()))
"""


def tracker_cost() -> tuple[dict[str, Any], bool]:
    """Track for some seconds and return the track's record, and whether a real driver answered.

    Raises:
        RuntimeError: nothing could be sampled.
    """
    found = gpus()
    if not found and not shutil.which("cc") and not shutil.which("gcc"):
        raise RuntimeError("without a GPU the tracker is measured against a library built from C: install a compiler")
    if found:
        code = _TRACK.format(uuid=found[0].uuid, seconds=SECONDS)
        track = json.loads(fake_nvml.ask_any(code))
    else:
        with tempfile.TemporaryDirectory() as folder:
            library = fake_nvml.build(Path(folder))
            track = json.loads(fake_nvml.ask(_TRACK.format(uuid="GPU-fake", seconds=SECONDS), library))
    if not track["samples"]:
        raise RuntimeError(f"the tracker took no sample: {track['absent']}")
    return track, bool(found)
