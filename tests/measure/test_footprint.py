"""What the host adds to a repeat's result: its footprint on the device, and what the machine did meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fake_nvml
import pytest

from harness.machine.guards import Guards
from harness.measure.watch import Watch

EMPTY = {"metrics": [], "absent": [], "phases": [], "taints": [], "evidence": {}, "status": "ok", "reason": None}

FOOTPRINT = f"""
from harness.measure.footprint import Footprint
footprint = Footprint("GPU-fake")
footprint.read({{"pid": 100}})
print(footprint.added_to({EMPTY!r}))
"""


@pytest.fixture(name="library", scope="module")
def _library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_nvml.build(tmp_path_factory.mktemp("nvml"))


def footprint(library: Path, **scenario: str) -> dict[str, Any]:
    result: dict[str, Any] = eval(fake_nvml.ask(FOOTPRINT, library, **scenario))
    return result


def test_a_footprint_is_a_metric_with_its_source(library: Path) -> None:
    found = footprint(library, PROCESSES="100:4096", ACCOUNTING="100:5000")
    assert found["metrics"] == [{"metric": "device_footprint_bytes", "value": 4096.0}]
    assert found["evidence"] == {"accounted_peak_bytes": 5000, "footprint_source": "NVML process list"}


def test_a_footprint_from_the_rise_of_the_device_says_so(library: Path) -> None:
    found = footprint(library, PROCESSES="0:4096", USED="1000,9000")
    assert found["metrics"] == [{"metric": "device_footprint_bytes", "value": 8000.0}]
    assert found["evidence"]["footprint_source"].startswith("device use minus baseline, because none of the processes")
    assert found["evidence"]["accounted_peak_bytes"] is None
    assert found["evidence"]["accounted_peak_absent"] == "accounting mode is not enabled on this GPU"


def test_no_footprint_is_absent_with_the_reason_never_zero(library: Path) -> None:
    found = footprint(library, FAIL="RunningProcesses,MemoryInfo,MemoryInfo_v2")
    assert found["metrics"] == []
    assert found["absent"] == [
        {
            "metric": "device_footprint_bytes",
            "reason": "NVMLError_NotSupported; device memory cannot be read either",
        }
    ]


def test_a_watch_adds_to_what_the_worker_found_and_times_itself(tmp_path: Path) -> None:
    worker = dict(EMPTY, taints=["not-cold: x"], evidence={"resident": 0.5}, phases=[{"name": "load, cold"}])
    with Guards(None, tmp_path) as guards:
        found = Watch(guards, "cpu").added_to(worker)
    assert found["taints"][0] == "not-cold: x"
    assert found["evidence"] == {"resident": 0.5}
    assert [phase["name"] for phase in found["phases"]] == ["load, cold", "sample the host", "sample the host"]
