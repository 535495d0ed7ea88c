"""Device memory sampled by a process of its own, and energy from the counter: against the stand-in library."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import fake_nvml
import pytest

from harness.machine.gpu.energy import EnergyMark, energy_per_call
from harness.machine.gpu.nvml import Reading
from harness.machine.gpu.sampler import descends

pytestmark = pytest.mark.slow

PEAK = 5_000_000_000


@pytest.fixture(name="library", scope="module")
def _library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_nvml.build(tmp_path_factory.mktemp("nvml"))


TRACK = """
import json, os, time
from harness.machine.gpu.tracker import MemoryTracker
with MemoryTracker("{uuid}", root={root}, interval_s={interval_s}) as tracker:
    time.sleep({s})
print(json.dumps(dict(tracker.track.as_record(), series=tracker.track.series)))
"""


def track(
    library: Path | None,
    s: float = 0.3,
    interval_s: float = 0.01,
    root: str = "1",
    uuid: str = "GPU-fake",
    **scenario: str,
) -> dict[str, Any]:
    """Return what a tracker saw in `s` seconds; by default process 1 is looked at."""
    code = TRACK.format(uuid=uuid, root=root, interval_s=interval_s, s=s)
    found: dict[str, Any] = json.loads(fake_nvml.ask(code, library, **scenario))
    return found


def test_a_plateau_longer_than_the_gap_is_seen_and_the_gap_is_told(library: Path) -> None:
    found = track(library, TIMELINE=f"0:1000,0.1:{PEAK},0.25:1000")
    assert found["longest_gap_s"] < 0.14
    assert found["device_peak_bytes"] == PEAK
    assert found["samples"] > 5
    assert [used for _, used in found["series"]] == [1000, PEAK, 1000]
    assert found["samples_per_s"] == pytest.approx(found["samples"] / found["elapsed_s"])
    assert 0 < found["cpu_share"] < 1


def test_a_peak_between_two_samples_is_missed_and_the_gap_says_that_it_could_be(library: Path) -> None:
    found = track(library, s=1.2, interval_s=1.0, TIMELINE=f"0:1000,0.5:{PEAK},0.6:1000")
    assert found["device_peak_bytes"] == 1000
    assert found["longest_gap_s"] > 0.9


def test_the_peak_of_a_process_is_that_of_its_own_rows(library: Path) -> None:
    rows = f"1:{PEAK},4194303:77"  # the other is no process here
    found = track(library, PROCESSES=rows, USED="9000000000")
    assert (found["process_peak_bytes"], found["device_peak_bytes"]) == (PEAK, 9_000_000_000)
    assert found["how"] == {}


def test_a_descendant_of_the_process_belongs_to_it() -> None:
    assert descends(os.getpid(), os.getpid())
    assert descends(os.getpid(), os.getppid())
    assert not descends(os.getppid(), os.getpid())
    assert not descends(4_194_303, os.getpid())
    assert not descends(0, os.getpid())


def test_a_process_that_is_not_listed_is_told_by_the_rise_of_the_device(library: Path) -> None:
    found = track(library, PROCESSES="0:4096", TIMELINE=f"0:1000,0.1:{PEAK}")
    assert found["process_peak_bytes"] == PEAK - 1000
    assert found["how"]["process_peak_bytes"] == (
        "device use minus baseline, because none of the processes is among the 1 that the driver lists"
    )


def test_a_process_that_is_not_listed_on_a_still_device_is_null_with_the_reason(library: Path) -> None:
    found = track(library, USED="1000")
    assert found["process_peak_bytes"] is None
    assert found["absent"]["process_peak_bytes"] == (
        "the driver listed no process in any sample; device use did not rise above its baseline"
    )


def test_scrambled_rows_are_no_numbers(library: Path) -> None:
    found = track(library, PROCESSES=f"1:{2**50}", USED="1000")
    assert found["process_peak_bytes"] is None
    assert f"the driver says {2**50} bytes for a process, which cannot be" in found["absent"]["process_peak_bytes"]


def test_a_gpu_lost_in_mid_run_leaves_no_peak_that_could_be_taken_for_one(library: Path) -> None:
    found = track(library, USED=str(PEAK), LOST_AFTER="6", PROCESSES=f"1:{PEAK}")
    assert (found["device_peak_bytes"], found["process_peak_bytes"]) == (None, None)
    assert found["absent"]["device_peak_bytes"] == "NVMLError_GpuIsLost after 5 samples"


def test_device_memory_that_is_not_supported_leaves_the_processes(library: Path) -> None:
    found = track(library, FAIL="MemoryInfo,MemoryInfo_v2", PROCESSES="1:4096")
    assert found["absent"] == {"device_peak_bytes": "NVMLError_NotSupported"}
    assert found["process_peak_bytes"] == 4096


def test_a_mig_device_is_sampled_by_its_own_name(library: Path) -> None:
    found = track(library, uuid="MIG-one", MIG="MIG-one", PROCESSES="1:4096", USED="8192")
    assert (found["process_peak_bytes"], found["device_peak_bytes"]) == (4096, 8192)


@pytest.mark.parametrize(
    ("scenario", "reason"),
    [({"uuid": "GPU-other"}, "NVMLError_NotFound"), ({"FAIL": "InitWithFlags:9"}, "NVMLError_DriverNotLoaded")],
)
def test_what_cannot_be_sampled_says_why(library: Path, scenario: dict[str, str], reason: str) -> None:
    found = track(library, s=0, **scenario)  # type: ignore[arg-type]
    assert (found["samples"], found["process_peak_bytes"]) == (0, None)
    assert set(found["absent"].values()) == {reason}


ENERGY = """
from harness.machine.gpu.energy import *
from harness.machine.gpu.nvml import Nvml
with Nvml() as nvml:
    marks = [mark_energy(nvml, nvml.device("{uuid}").value) for _ in range(2)]
print([(mark.counter_mj.value, mark.counter_mj.reason) for mark in marks])
"""


def test_the_counter_is_the_whole_gpus(library: Path) -> None:
    answer = "[(1000, None), (5000, None)]"
    assert fake_nvml.ask(ENERGY.format(uuid="GPU-fake"), library, ENERGY="1000,5000") == answer
    assert fake_nvml.ask(ENERGY.format(uuid="MIG-x"), library, ENERGY="1000,5000", MIG="MIG-x") == answer
    missing = "[(None, 'NVMLError_NotSupported'), (None, 'NVMLError_NotSupported')]"
    assert fake_nvml.ask(ENERGY.format(uuid="GPU-fake"), library, FAIL="Energy") == missing


def mark(clock_s: float, counter_mj: int | None) -> EnergyMark:
    return EnergyMark(clock_s, Reading(counter_mj, None if counter_mj is not None else "NVMLError_NotSupported"))


def test_energy_of_a_call_has_the_counters_step_as_its_error() -> None:
    found = energy_per_call(mark(10, 1_000_000), mark(14, 2_200_000), calls=100)
    assert found.energy_j.value == pytest.approx(12.0)
    assert found.power_w == pytest.approx(300.0)
    assert found.error_j == pytest.approx(0.3)  # 300 W for 0.1 s over 100 calls


@pytest.mark.parametrize(
    ("before", "after", "calls", "reason"),
    [
        (mark(0, 5), mark(1.5, 9), 10, "window-too-short: 1.5 s of 2 s"),
        (mark(0, 5), mark(3, 5), 10, "counter-stood-still: 5 mJ before and after"),
        (mark(0, 9), mark(3, 5), 10, "counter-went-back: from 9 to 5 mJ"),
        (mark(0, None), mark(3, 5), 10, "NVMLError_NotSupported"),
        (mark(0, 5), mark(3, None), 10, "NVMLError_NotSupported"),
        (mark(0, 5), mark(3, 9), 0, "no call in the window"),
    ],
)
def test_energy_that_cannot_be_told_is_null_with_a_reason(
    before: EnergyMark, after: EnergyMark, calls: int, reason: str
) -> None:
    found = energy_per_call(before, after, calls)
    assert (found.energy_j.value, found.error_j, found.energy_j.reason) == (None, None, reason)
