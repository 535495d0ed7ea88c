"""NVML through the real pynvml, against a stand-in library built from C (tests/builders/fake_nvml)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fake_nvml
import pytest

from harness.machine.gpu.devices import is_fake_driver

USED = 2_250_244_096
OURS = "1"  # a process that exists everywhere


@pytest.fixture(name="library", scope="module")
def _library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_nvml.build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture(name="old_library", scope="module")
def _old_library(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_nvml.without(library, tmp_path_factory.mktemp("old-nvml"), *fake_nvml.OLD_DRIVER)


FORKS: list[fake_nvml.Forks] = []


@pytest.fixture(autouse=True, scope="module")
def _forks() -> Iterator[None]:
    FORKS.append(fake_nvml.Forks())
    yield
    FORKS.pop().close()


IMPORTS = """
from harness.machine.gpu.devices import *
from harness.machine.gpu.memory import *
from harness.machine.gpu.selection import *
from harness.machine.gpu.state import *
from harness.machine.gpu.nvml import *

def state(uuid="GPU-fake"):
    with Nvml() as nvml:
        return read_state(nvml, nvml.device(uuid).value)

def said(reading):
    return reading.value, reading.reason
"""


def ask(expression: str, library: Path | None, **scenario: str) -> str:
    """Return what an expression over the GPU modules gives in a process of its own."""
    return FORKS[0].ask(f"{IMPORTS}\nprint(({expression}))", library, **scenario)


def without_a_driver() -> None:
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has an NVIDIA driver")


def test_without_a_library_there_is_no_gpu_and_no_exception() -> None:
    without_a_driver()
    missing = "(None, 'NVMLError_LibraryNotFound')"
    assert ask("gpu_present(), gpus()", None) == "(False, ())"
    assert ask("said(footprint({1}, 'GPU-fake')), said(baseline('GPU-fake'))", None) == f"({missing}, {missing})"
    assert ask("said(tensorflow_gpu({}))", None) == missing
    assert ask("said(accounted_peak(1, 'GPU-fake'))", None) == missing


def test_a_library_that_cannot_start_says_why(library: Path) -> None:
    assert ask("gpu_present()", library, FAIL="InitWithFlags:9") == "False"
    assert ask("said(baseline('GPU-fake'))", library, FAIL="InitWithFlags:9") == "(None, 'NVMLError_DriverNotLoaded')"


def test_a_driver_without_a_device_is_no_gpu(library: Path) -> None:
    assert ask("gpu_present()", library, GPUS="") == "False"
    assert ask("said(tensorflow_gpu({}))", library, GPUS="") == "(None, 'no-gpu: the driver lists none')"


def test_a_closed_session_says_so_instead_of_raising(library: Path) -> None:
    assert ask("said(Nvml().call('nvmlDeviceGetCount'))", library) == "(None, 'the session with NVML is not open')"


def test_what_this_pynvml_does_not_have_is_named(library: Path) -> None:
    code = f"{IMPORTS}\nwith Nvml() as nvml:\n    print(nvml.call('nvmlNoSuchThing').reason, nvml.constant('NO_SUCH'))"
    assert fake_nvml.ask(code, library) == "this pynvml has no nvmlNoSuchThing None"


def test_the_facts_of_a_gpu_are_read(library: Path) -> None:
    assert ask("gpus()", library) == (
        "(Gpu(name='NVIDIA Fake 80GB', uuid='GPU-fake', memory_bytes=85899345920, driver='000.00.fake', "
        "compute_capability='9.0', pci_bus_id='00000000:1B:00.0', mig=None, pci_id='10de:2330', memory_missing=None),)"
    )


def test_a_fact_that_the_driver_lacks_is_none_and_the_others_are_there(library: Path) -> None:
    found = ask("gpus()", library, FAIL="Capability")
    assert "compute_capability=None" in found
    assert "uuid='GPU-fake'" in found


def test_the_stand_in_is_known_as_such(library: Path) -> None:
    assert ask("is_fake_driver(gpus()[0].driver)", library) == "True"
    assert not is_fake_driver("580.159.03")
    assert not is_fake_driver(None)


def test_the_footprint_is_the_sum_of_the_processes_own_rows(library: Path) -> None:
    rows = f"100:{USED},200:1000,300:77"
    assert ask("said(footprint({100, 200}, 'GPU-fake'))", library, PROCESSES=rows) == f"({USED + 1000}, None)"


@pytest.mark.parametrize(
    ("scenario", "reason"),
    [
        ({"PROCESSES": "4242:1000"}, "none of the processes is among the 1 that the driver lists"),
        ({"PROCESSES": "100:0"}, "the driver says 0 bytes for a process, which cannot be"),
        ({"PROCESSES": "100:99999999999999"}, "the driver says 99999999999999 bytes for a process, which cannot be"),
        ({"PROCESSES": "100:18446744073709551615"}, "the driver does not say how much a process uses"),
        ({"FAIL": "RunningProcesses"}, "NVMLError_NotSupported"),
    ],
)
def test_a_row_that_cannot_be_true_is_never_a_silent_number(
    library: Path, scenario: dict[str, str], reason: str
) -> None:
    assert ask("said(footprint({100}, 'GPU-fake'))", library, **scenario) == str((None, reason))
    expression = "said(footprint({100}, 'GPU-fake', baseline=DeviceMemory(85899345920, 1000, 0, 'v2')))"
    because = f"device use minus baseline, because {reason}"
    assert ask(expression, library, USED=str(USED), **scenario) == str((USED - 1000, because))


def test_a_device_that_does_not_rise_above_its_baseline_has_no_footprint(library: Path) -> None:
    answer = ask("said(footprint({100}, 'GPU-fake', baseline=baseline('GPU-fake').value))", library, USED="5")
    assert answer.startswith("(None, ")
    assert "did not rise above its baseline" in answer


def test_device_use_leaves_out_what_the_driver_reserves(library: Path) -> None:
    assert ask("said(baseline('GPU-fake'))", library, USED="1000") == (
        "(DeviceMemory(total_bytes=85899345920, used_bytes=1000, reserved_bytes=503316480, structure='v2'), None)"
    )


@pytest.mark.parametrize("kind", ["not supported", "missing symbol"])
def test_without_the_second_memory_structure_the_first_is_read_and_named(
    library: Path, old_library: Path, kind: str
) -> None:
    chosen, fail, error = (
        (library, "MemoryInfo_v2", "NotSupported") if kind == "not supported" else (old_library, "", "FunctionNotFound")
    )
    assert ask("said(baseline('GPU-fake'))", chosen, USED="1000", FAIL=fail) == (
        "(DeviceMemory(total_bytes=85899345920, used_bytes=503317480, reserved_bytes=None, structure='v1'), "
        f"'structure v1: NVMLError_{error}')"
    )
    difference = "said(footprint({100}, 'GPU-fake', baseline=baseline('GPU-fake').value))"
    answer = ask(difference, chosen, USED="1000,4000", FAIL=fail)
    assert answer.startswith("(3000, 'device use minus baseline")


def test_readings_of_different_structures_are_not_subtracted(library: Path) -> None:
    answer = ask("said(footprint({100}, 'GPU-fake', baseline=DeviceMemory(9, 5, None, 'v1')))", library, USED="7")
    assert "changed from structure v1 to v2" in answer


def test_a_device_with_the_hosts_memory_still_tells_its_processes(library: Path) -> None:
    shared = {"FAIL": "MemoryInfo,MemoryInfo_v2", "PROCESSES": "100:4096"}
    assert ask("said(baseline('GPU-fake'))", library, **shared) == "(None, 'NVMLError_NotSupported')"
    assert ask("gpus()[0].memory_bytes", library, **shared) == "None"
    assert ask("said(footprint({100}, 'GPU-fake'))", library, **shared) == "(4096, None)"
    too_much = {**shared, "PROCESSES": f"100:{2**62}"}
    assert "which cannot be" in ask("said(footprint({100}, 'GPU-fake'))", library, **too_much)


@pytest.mark.parametrize("total", ["0", "18446744073709551615"])
def test_a_total_that_cannot_be_is_not_known(library: Path, total: str) -> None:
    reason = f"the driver says {total} bytes of memory, which cannot be"
    assert ask("said(baseline('GPU-fake'))", library, TOTAL=total) == str((None, reason))
    assert ask("(gpus()[0].memory_bytes, gpus()[0].memory_missing)", library, TOTAL=total) == str((None, reason))
    # Nothing is known of the host's memory being shared, either: what the driver lists is not held against it.
    assert (
        ask("said(footprint({100}, 'GPU-fake'))", library, TOTAL=total, PROCESSES=f"100:{2**40}") == f"({2**40}, None)"
    )


def test_more_in_use_than_there_is_cannot_be(library: Path) -> None:
    answer = ask("said(baseline('GPU-fake'))", library, USED=str(2**40), TOTAL="1000")
    assert answer == f"(None, 'the driver says {2**40} bytes in use of 1000, which cannot be')"


def test_memory_that_may_not_be_read_is_not_shared_with_the_host(library: Path) -> None:
    answer = ask("(gpus()[0].memory_bytes, gpus()[0].memory_missing)", library, FAIL="MemoryInfo:4")
    assert answer == "(None, 'NVMLError_NoPermission')"


def test_another_uuid_is_not_found(library: Path) -> None:
    assert ask("said(footprint({1}, 'GPU-other'))", library) == "(None, 'NVMLError_NotFound')"


def test_the_drivers_own_peak_is_read_where_an_operator_has_enabled_accounting(library: Path) -> None:
    assert ask("said(accounted_peak(7, 'GPU-fake'))", library, ACCOUNTING=f"7:{USED}") == f"({USED}, None)"
    for scenario, reason in (
        ({}, "accounting mode is not enabled on this GPU"),
        ({"ACCOUNTING": f"8:{USED}"}, "NVMLError_NotFound"),
        ({"ACCOUNTING": "7:0"}, "the driver accounts 0 bytes for a process, which cannot be"),
        ({"FAIL": "AccountingMode"}, "NVMLError_NotSupported"),
    ):
        assert ask("said(accounted_peak(7, 'GPU-fake'))", library, **scenario) == str((None, reason))
    not_available = ask("said(accounted_peak(7, 'GPU-fake'))", library, ACCOUNTING=f"7:{2**64 - 1}")
    assert not_available.startswith("(None, ")


TWO = {"GPUS": "GPU-aaaa,GPU-bbbb", "NAMES": "Slow,Fast"}
PCI = "'CUDA_DEVICE_ORDER': 'PCI_BUS_ID'"


@pytest.mark.parametrize(
    ("variables", "scenario", "answer"),
    [
        ("", {}, ("GPU-fake", None)),
        (PCI, TWO, ("GPU-aaaa", None)),
        (f"{PCI}, 'CUDA_VISIBLE_DEVICES': '1,0'", TWO, ("GPU-bbbb", None)),
        ("'CUDA_VISIBLE_DEVICES': 'GPU-bb'", TWO, ("GPU-bbbb", None)),
        ("'CUDA_VISIBLE_DEVICES': 'GPU-'", TWO, (None, "no-gpu: CUDA_VISIBLE_DEVICES=GPU- matches 2 GPUs")),
        ("'CUDA_VISIBLE_DEVICES': ''", {}, (None, "no-gpu: CUDA_VISIBLE_DEVICES= shows none")),
        ("'CUDA_VISIBLE_DEVICES': '-1'", {}, (None, "no-gpu: CUDA_VISIBLE_DEVICES=-1 shows none")),
        ("'CUDA_VISIBLE_DEVICES': '5,0'", {}, (None, "no-gpu: CUDA_VISIBLE_DEVICES=5,0 shows none")),
        ("", {"MIG": "MIG-one"}, ("MIG-one", None)),
        ("'CUDA_VISIBLE_DEVICES': 'MIG-one'", {"MIG": "MIG-one"}, ("MIG-one", None)),
        ("'CUDA_VISIBLE_DEVICES': 'MIG-two'", {"MIG": "MIG-one"},
         (None, "no-gpu: CUDA_VISIBLE_DEVICES=MIG-two shows none (NVMLError_NotFound)")),
        # Digits to Python, and to CUDA none.
        ("'CUDA_VISIBLE_DEVICES': '\u00b2'", {}, (None, "no-gpu: CUDA_VISIBLE_DEVICES=\u00b2 shows none")),
        ("'CUDA_VISIBLE_DEVICES': '\uff10'", {}, (None, "no-gpu: CUDA_VISIBLE_DEVICES=\uff10 shows none")),
        ("'CUDA_VISIBLE_DEVICES': '\\udcff'", {}, (None, r"no-gpu: CUDA_VISIBLE_DEVICES=\udcff shows none")),

        ("'CUDA_VISIBLE_DEVICES': '9' * 5000", {}, (None, f"no-gpu: CUDA_VISIBLE_DEVICES={'9' * 5000} shows none")),
    ],
)  # fmt: skip
def test_tensorflows_gpu_is_found_by_the_rules_of_cuda(
    library: Path, variables: str, scenario: dict[str, str], answer: tuple[str | None, str | None]
) -> None:
    assert ask(f"said(tensorflow_gpu({{{variables}}}))", library, **scenario) == str(answer)


def test_cudas_own_order_of_several_gpus_is_not_guessed(library: Path) -> None:
    answer = ask("said(tensorflow_gpu({}))", library, **TWO)
    assert answer.startswith("(None, 'CUDA orders the 2 GPUs of 2 kinds by speed")
    assert "set CUDA_DEVICE_ORDER=PCI_BUS_ID" in answer


def test_a_partitioned_gpu_without_a_part_is_none(library: Path) -> None:
    assert "no MIG device has been made" in ask("said(tensorflow_gpu({}))", library, MIG="none")


def test_a_mig_device_has_its_own_memory_and_the_whole_gpus_clocks(library: Path) -> None:
    part = {"MIG": "MIG-one", "PROCESSES": "100:4096", "USED": "8192"}
    assert ask("baseline('MIG-one').value.used_bytes", library, **part) == "8192"
    assert ask("said(footprint({100}, 'MIG-one'))", library, **part) == "(4096, None)"
    assert ask("said(state('MIG-one').sm_clock_mhz)", library, **part) == "(1980, None)"
    assert ask("gpus()[0].mig", library, **part) == "True"


def test_the_state_of_a_gpu_is_read(library: Path) -> None:
    record = ask("state().as_record()", library, PROCESSES="7:4096", HELD_DOWN="1500000000")
    assert record == str(
        {
            "sm_clock_mhz": 1980, "memory_clock_mhz": 2619, "temperature_c": 41, "power_w": 120.5,
            "throttle_bits": 0, "held_down_power_s": 0.0, "held_down_thermal_s": 1.5, "processes": 1, "absent": {},
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fail", "fields"),
    [
        ("ClockInfo", ["sm_clock_mhz", "memory_clock_mhz"]),
        ("Temperature", ["temperature_c"]),
        ("PowerUsage", ["power_w"]),
        ("Reasons", ["throttle_bits"]),
        ("Violation", ["held_down_power_s", "held_down_thermal_s"]),
        ("RunningProcesses", ["processes"]),
    ],
)
def test_each_reading_can_be_missing_alone(library: Path, fail: str, fields: list[str]) -> None:
    found = eval(ask("state().as_record()", library, FAIL=fail))
    assert found["absent"] == dict.fromkeys(fields, "NVMLError_NotSupported")
    assert [name for name, value in found.items() if value is None] == fields


def test_an_older_driver_is_asked_by_the_older_names(old_library: Path) -> None:
    found = eval(ask("state().as_record()", old_library, THROTTLE="0x40"))
    assert (found["temperature_c"], found["throttle_bits"], found["absent"]) == (41, 0x40, {})


TAINTS = "(lambda before: (__import__('time').sleep({s}), gpu_taints(before, state()))[1])(state())"


@pytest.mark.parametrize(
    ("scenario", "taints"),
    [
        ({}, ()),
        ({"THROTTLE": "0x1,0x3"}, ()),  # idle, then idle under set application clocks
        ({"THROTTLE": "0x1,0x44"}, ("throttle: power cap, thermal, by hardware",)),
        ({"THROTTLE": "0x80,0x1"}, ("throttle: power brake",)),
        ({"HELD_DOWN": "5,5"}, ()),
        ({"HELD_DOWN": "0,60000000000"}, ("throttle: clocks held down by thermal for 100 % of the time",)),
        ({"PROCESSES": f"7:{3 << 30},8:{1 << 30}"}, ("foreign-gpu: 2 other processes hold 4.0 GiB",)),
        ({"PROCESSES": "0:18446744073709551615"}, ("foreign-gpu: 1 other process holds memory that the driver "
                                                  "does not tell",)),
        ({"FAIL": "RunningProcesses,Reasons,Violation"}, ()),
    ],
)  # fmt: skip
def test_gpu_taints_name_their_kind_and_figure(
    library: Path, scenario: dict[str, str], taints: tuple[str, ...]
) -> None:
    assert ask(TAINTS.format(s=0.05), library, **scenario) == str(taints)


def test_a_driver_of_before_510_lists_its_processes_by_the_older_name(library: Path, tmp_path: Path) -> None:
    older = fake_nvml.without(library, tmp_path / "old", "nvmlDeviceGetComputeRunningProcesses_v3")
    assert ask("state().processes.value", older, PROCESSES="7:4096") == "(ProcessRow(pid=7, used_bytes=4096),)"
    names = ("nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2")
    oldest = fake_nvml.without(library, tmp_path / "oldest", *names)
    assert ask("said(state().processes)", oldest) == "(None, 'NVMLError_FunctionNotFound')"


EVERYTHING = f"""{IMPORTS}
from harness.machine.gpu.energy import *
from harness.machine.gpu.fitness import gpu_findings
from harness.machine.gpu.presence import gpu_presence
"""
ASK_EVERYTHING = """with Nvml() as nvml:
    handle = nvml.device("GPU-fake").value
    if handle is not None:
        mark_energy(nvml, handle)
        read_state(nvml, handle).as_record()
readings = [baseline("GPU-fake"), footprint({1}, "GPU-fake"), accounted_peak(1, "GPU-fake"), tensorflow_gpu({})]
assert all(one.value is not None or one.reason for one in readings), readings
found = gpu_presence()
assert found.answering or found.reason
assert all(one.text for one in gpu_findings(os.environ))
return found.state.value
"""
NEEDED = {"nvmlInitWithFlags", "nvmlDeviceGetCount_v2", "nvmlDeviceGetHandleByIndex_v2"}
"""Without these no GPU answers; without any other one, something about it is not known."""


def test_every_call_can_fail_and_nothing_is_raised(library: Path) -> None:
    scenarios = [(library, {"FAKE_NVML_FAIL": f"{name}:999"}) for name in fake_nvml.SYMBOLS]
    states = dict(zip(fake_nvml.SYMBOLS, fake_nvml.ask_each(EVERYTHING, ASK_EVERYTHING, scenarios), strict=True))
    assert {name for name, state in states.items() if state != "answering"} == NEEDED
    assert set(states.values()) == {"answering", "broken"}


def test_every_symbol_can_be_absent_and_nothing_is_raised(library: Path, tmp_path: Path) -> None:
    scenarios = [(fake_nvml.without(library, tmp_path / name, name), {}) for name in fake_nvml.SYMBOLS]
    answers = fake_nvml.ask_each(EVERYTHING, ASK_EVERYTHING, scenarios)
    states = dict(zip(fake_nvml.SYMBOLS, answers, strict=True))
    assert {name for name, state in states.items() if state != "answering"} == NEEDED


def test_whatever_the_binding_raises_is_a_missing_reading_with_its_name(library: Path) -> None:
    code = f"""{IMPORTS}
import pynvml
class NVMLNewError(Exception): pass
def raising(error):
    def call(*arguments):
        raise error
    return call
pynvml.nvmlDeviceGetName = raising(NVMLNewError("text"))
pynvml.nvmlDeviceGetUUID = raising(OSError("no such thing"))
with Nvml() as nvml:
    print(nvml.call("nvmlDeviceGetName", 1).reason, nvml.call("nvmlDeviceGetUUID", 1).reason, sep="; ")
pynvml.nvmlInit = raising(pynvml.NVMLLibraryMismatchError("text"))
with Nvml() as nvml:
    print(nvml.missing)
"""
    assert fake_nvml.ask(code, library) == "NVMLNewError; pynvml: OSError: no such thing\nNVMLLibraryMismatchError"
