"""NVML through the real pynvml, against a stand-in library built from C (tests/fake_nvml)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.machine.gpu import is_fake_driver

SOURCE = Path(__file__).parent / "fake_nvml" / "nvml.c"
USED = 2_250_244_096


@pytest.fixture(name="library", scope="module")
def _library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("nvml")
    name = "libnvidia-ml.so.1"
    subprocess.run(
        [compiler, "-shared", "-fPIC", f"-Wl,-soname,{name}", "-o", str(folder / name), str(SOURCE)], check=True
    )
    return folder


def ask(expression: str, library: Path | None, **scenario: str) -> str:
    """Return what an expression over harness.machine.gpu gives in a process of its own."""
    environment = {**os.environ, **{f"FAKE_NVML_{name}": value for name, value in scenario.items()}}
    environment["LD_LIBRARY_PATH"] = str(library or "/nonexistent")
    code = f"from harness.machine.gpu import *; print(({expression}))"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_without_a_driver_there_is_no_gpu_and_no_exception() -> None:
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has an NVIDIA driver")
    assert ask("gpu_present(), gpus()", None) == "(False, ())"
    assert ask("footprint_bytes({1}, 'GPU-fake'), device_used_bytes('GPU-fake')", None) == (
        "((None, 'no-gpu'), (None, 'no-gpu'))"
    )


def test_a_library_that_cannot_start_is_no_gpu(library: Path) -> None:
    assert ask("gpu_present()", library, FAIL="init") == "False"


def test_the_facts_of_a_gpu_are_read(library: Path) -> None:
    assert ask("gpus()", library) == (
        "(Gpu(name='NVIDIA Fake 80GB', uuid='GPU-fake', memory_bytes=85899345920, driver='000.00.fake', "
        "compute_capability='9.0'),)"
    )


def test_a_fact_that_the_driver_lacks_is_none_and_the_others_are_there(library: Path) -> None:
    found = ask("gpus()", library, FAIL="capability")
    assert "compute_capability=None" in found
    assert "uuid='GPU-fake'" in found


def test_the_stand_in_is_known_as_such(library: Path) -> None:
    assert ask("is_fake_driver(gpus()[0].driver)", library) == "True"
    assert not is_fake_driver("580.159.03")
    assert not is_fake_driver(None)


def test_the_footprint_is_the_sum_of_the_processes_own_rows(library: Path) -> None:
    rows = f"100:{USED},200:1000,300:77"
    assert ask("footprint_bytes({100, 200}, 'GPU-fake')", library, PROCESSES=rows) == f"({USED + 1000}, None)"


@pytest.mark.parametrize(
    ("scenario", "reason"),
    [
        ({"PROCESSES": "4242:1000"}, "none of the processes is among the 1 that the driver lists"),
        ({"PROCESSES": "100:0"}, "the driver says 0 bytes for a process, which cannot be"),
        ({"PROCESSES": "100:99999999999999"}, "the driver says 99999999999999 bytes for a process, which cannot be"),
        ({"PROCESSES": "100:18446744073709551615"}, "the driver does not say how much a process uses"),
        ({"FAIL": "processes"}, "NVMLError_NotSupported"),
    ],
)
def test_a_row_that_cannot_be_true_is_never_a_silent_number(
    library: Path, scenario: dict[str, str], reason: str
) -> None:
    assert ask("footprint_bytes({100}, 'GPU-fake')", library, **scenario) == str((None, reason))
    answer = ask("footprint_bytes({100}, 'GPU-fake', baseline_bytes=1000)", library, USED=str(USED), **scenario)
    assert answer == str((USED - 1000, f"device use minus baseline, because {reason}"))


def test_a_device_that_does_not_rise_above_its_baseline_has_no_footprint(library: Path) -> None:
    answer = ask("footprint_bytes({100}, 'GPU-fake', baseline_bytes=5)", library, USED="5")
    assert answer.startswith("(None, ")
    assert "did not rise above its baseline" in answer


def test_device_use_leaves_out_what_the_driver_reserves(library: Path) -> None:
    assert ask("device_used_bytes('GPU-fake')", library, USED="1000") == "(1000, None)"
    assert ask("device_used_bytes('GPU-fake')", library, FAIL="memory_v2") == "(None, 'NVMLError_NotSupported')"


def test_another_uuid_is_not_found(library: Path) -> None:
    assert ask("footprint_bytes({1}, 'GPU-other')", library) == "(None, 'NVMLError_NotFound')"
