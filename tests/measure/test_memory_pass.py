"""The memory pass: a leak per load is found in a real release, and the host's side works against the fake NVML."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import fake_nvml
import pytest
from faulty_releases import add_release, around_load, make_project, tensorflow_python
from tiny_plans import tiny_plan

from harness.worker.memory import CYCLES, WARM_CYCLES, WINDOWS, Held, line

COMMAND = Path(sys.executable).with_name("savedmodel-bench")

LEAKY = around_load("""
    loaded = load(path)
    held.append(bytearray(os.urandom(1)) * (1 << 20))
    return loaded
""").replace("def patched", "held = []\ndef patched")

PLAN = tiny_plan({"memory_repeats": 1}, blocks=2)

EMPTY = {"metrics": [], "absent": [], "phases": [], "taints": [], "evidence": {}, "status": "ok", "reason": None}

WATCH = f"""
import os, time
from harness.measure.memory_watch import MemoryWatch
watch = MemoryWatch("GPU-fake")
watch.read({{"hold": "cycles-begin", "pid": os.getpid()}})
time.sleep(0.2)
watch.read({{"hold": "cycles-end", "pid": os.getpid()}})
watch.read({{"hold": "energy-begin", "pid": os.getpid()}})
time.sleep({{wait_s}})
watch.read({{"hold": "energy-end", "pid": os.getpid(), "calls": 100, "batch": 32}})
print(watch.added_to({EMPTY!r}))
"""


def test_a_line_has_a_slope_and_its_error() -> None:
    assert line([10, 20, 30, 40]) == (pytest.approx(10.0), pytest.approx(0.0))
    slope, error = line([0, 0, 0, 1000, 0, 0, 0, 0])
    assert abs(slope) < 2.447 * error


def cycles_until_sure(growth: list[int]) -> tuple[int, bool]:
    """Return after how many cycles memory that grows so is judged, and whether it leaks."""
    held, now = Held(before=0, artifact_bytes=1000), 0
    for grown in growth:
        now += grown
        held.append(now)
        if not held.may_leak():
            break
    return len(held.bytes), held.may_leak()


@pytest.mark.parametrize(
    ("growth", "cycles", "leaks"),
    [
        ([0] * 40, WARM_CYCLES + CYCLES, False),
        ([100 << 10] * WARM_CYCLES + [10 << 10] * 40, WARM_CYCLES + CYCLES, False),
        ([100 << 10] * (WARM_CYCLES + CYCLES) + [10 << 10] * 40, WARM_CYCLES + 2 * CYCLES, False),
        ([100 << 10] * (WARM_CYCLES + WINDOWS * CYCLES), WARM_CYCLES + WINDOWS * CYCLES, True),
    ],
    ids=["flat", "warming", "wandering", "leak"],
)
def test_a_leak_is_what_every_window_shows(growth: list[int], cycles: int, leaks: bool) -> None:
    assert cycles_until_sure(growth) == (cycles, leaks)


@pytest.mark.tensorflow
@pytest.mark.python
def test_a_leak_per_load_is_a_regression_and_a_clean_release_has_none(tmp_path: Path) -> None:
    root = make_project(tmp_path / "project")
    add_release(root, "clean", python=tensorflow_python())
    add_release(root, "leaky", patch=LEAKY)
    (root / "memory.toml").write_text(PLAN)
    command = [COMMAND, "compare", "clean", "leaky", "--preset", "memory.toml", "--format", "json"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1, done.stderr
    rows = {row["metric"]: row for row in json.loads(done.stdout)["rows"]}
    assert (rows["host_leaks"]["old"], rows["host_leaks"]["new"]) == (0, 1)
    assert rows["host_leaks"]["verdict"] == "regression"
    assert rows["host_growth_bytes"]["new"] == pytest.approx(1 << 20, rel=0.1)
    assert abs(rows["host_growth_bytes"]["old"]) < 64 << 10


@pytest.fixture(name="library", scope="module")
def _library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_nvml.build(tmp_path_factory.mktemp("nvml"))


def watched(library: Path, wait_s: float, **scenario: str) -> dict[str, Any]:
    result: dict[str, Any] = eval(fake_nvml.ask(WATCH.replace("{wait_s}", str(wait_s)), library, **scenario))
    return result


@pytest.mark.slow
def test_the_host_samples_device_memory_and_reads_energy_around_calls(library: Path) -> None:
    found = watched(library, 2.1, USED="1000,9000,3000", ENERGY="1000000,2050000")
    values = {entry["metric"]: entry["value"] for entry in found["metrics"]}
    assert values["infer_energy_j"] == pytest.approx(10.5)
    assert found["evidence"]["energy"]["error_j"] > 0
    assert found["evidence"]["device_track"]["device_peak_bytes"] == 9000
    assert found["evidence"]["device_track"]["longest_gap_s"] > 0


@pytest.mark.slow
def test_an_energy_counter_that_stands_still_is_no_zero(library: Path) -> None:
    found = watched(library, 2.1, ENERGY="1000000,1000000")
    reasons = {entry["metric"]: entry["reason"] for entry in found["absent"]}
    assert reasons["infer_energy_j"] == "counter-stood-still: 1000000 mJ before and after"


def test_energy_that_cannot_be_told_is_absent_with_its_reason(library: Path) -> None:
    found = watched(library, 0.1, FAIL="Energy")
    reasons = {entry["metric"]: entry["reason"] for entry in found["absent"]}
    assert reasons["infer_energy_j"] == "NVMLError_NotSupported"
