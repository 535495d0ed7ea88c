"""What is looked at around a repeat, and the taints that follow."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import fake_nvml
import pytest

from harness.machine.frequency import boost, governors
from harness.machine.guards import Guards, Look, gpu_evidence, taints
from harness.machine.load import HostSample

CALM = HostSample(0.0, 2, 0.0, 0.0, 0.0, 0)


def look(governor: tuple[str, ...] = ("performance",), **free: int) -> Look:
    return Look(CALM, governor, {name.replace("_", "-"): value for name, value in free.items()}, None)


def test_a_calm_machine_has_no_taint() -> None:
    assert taints(look(low_disk=1 << 40, low_shm=64 << 20), look(low_disk=1 << 40, low_shm=64 << 20)) == ()


@pytest.mark.parametrize(
    ("after", "found"),
    [
        (look(("powersave",)), ("governor: performance before, powersave after",)),
        (look(()), ("governor: performance before, none after",)),
        (look(low_disk=100 << 20), ("low-disk: 100 MiB free",)),
        (look(low_shm=3 << 20), ("low-shm: 3 MiB free",)),
    ],
)
def test_what_changed_or_ran_short_is_named_with_its_figure(after: Look, found: tuple[str, ...]) -> None:
    assert taints(look(), after) == found


def test_the_hosts_own_taints_are_among_them() -> None:
    stolen = dataclasses.replace(CALM, clock_s=10.0, steal_s=2.4)
    assert taints(look(), dataclasses.replace(look(), host=stolen)) == ("steal: 12 % of CPU time",)


def test_a_repeat_too_short_for_shares_is_judged_by_the_stretch_that_ends_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looks 0.05 s apart; from the fourth on the hypervisor takes half of the processors."""
    stolen = iter([0.0, 0.0, 0.0, 0.05, 0.10, 0.15, 0.20])
    moments = iter(range(7))

    def sample() -> HostSample:
        return dataclasses.replace(CALM, clock_s=0.05 * next(moments), steal_s=next(stolen))

    monkeypatch.setattr("harness.machine.guards.sample_host", sample)
    with Guards(None, tmp_path) as guards:
        looks = [guards.look("cpu") for _ in range(7)]
    assert taints(looks[5], looks[6]) == ()
    since = guards.stretch_before(looks[6])
    assert since is looks[2]
    assert taints(looks[5], looks[6], since) == ("steal: 50 % of CPU time",)
    # Before there was 0.2 s to look at, the oldest look has to do, and says nothing.
    assert guards.stretch_before(looks[1]) is looks[0]


def test_a_look_without_a_gpu_is_cheap_and_complete(tmp_path: Path) -> None:
    with Guards(None, tmp_path) as guards:
        assert guards.gpu_missing == "no-gpu"
        before, after = guards.look("gpu"), guards.look("cpu")
    assert before.gpu is after.gpu is None
    assert before.free_bytes["low-disk"] > 0
    assert gpu_evidence(before, after) == {}


LOOKS = """
from pathlib import Path
from harness.machine.guards import *
with Guards("GPU-fake", Path("/")) as guards:
    looks = {looks}
print([[taint for taint in taints(*looks) if taint.startswith(("foreign-gpu", "throttle"))],
       gpu_evidence(*looks).get("gpu_after", {{}}).get("processes")])
"""


def test_a_gpu_repeat_is_tainted_by_foreign_processes_and_a_cpu_repeat_is_not(tmp_path: Path) -> None:
    library = fake_nvml.build(tmp_path)
    busy = {"PROCESSES": f"7:{1 << 30}", "THROTTLE": "0x8"}
    on_gpu = LOOKS.format(looks='guards.look("gpu"), guards.look("gpu")')
    assert fake_nvml.ask(on_gpu, library, **busy) == str(
        [["throttle: hardware slowdown", "foreign-gpu: 1 other process holds 1.0 GiB"], 1]
    )
    on_cpu = LOOKS.format(looks='guards.look("cpu"), guards.look("cpu")')
    assert fake_nvml.ask(on_cpu, library, **busy) == "[[], None]"


COMPILING = """
import os
from pathlib import Path
from harness.machine.guards import *
cache = Path(os.environ["CUDA_CACHE_PATH"])
with Guards("GPU-fake", Path("/")) as guards:
    looks = [guards.look("gpu")]
    (cache / "7" / "c").mkdir(parents=True)
    (cache / "7" / "c" / "kernels").write_bytes(bytes(3 << 20))
    looks += [guards.look("gpu"), guards.look("gpu")]
print([[taint for taint in taints(*pair) if taint.startswith("jit")] for pair in (looks[:2], looks[1:])])
"""


def test_a_repeat_in_which_the_driver_compiled_kernels_is_tainted(tmp_path: Path) -> None:
    library = fake_nvml.build(tmp_path)
    answer = fake_nvml.ask_any(COMPILING, {**fake_nvml.playing(library), "CUDA_CACHE_PATH": str(tmp_path / "cache")})
    assert answer == "[['jit-compiled: the driver compiled 3.0 MiB of kernels for this GPU'], []]"


def test_a_gpu_that_is_lost_between_two_looks_is_no_exception(tmp_path: Path) -> None:
    library = fake_nvml.build(tmp_path)
    on_gpu = LOOKS.format(looks='guards.look("gpu"), guards.look("gpu")')
    everything = "RunningProcesses,Reasons,Violation,ClockInfo,Temperature,PowerUsage"
    assert fake_nvml.ask(on_gpu, library, FAIL=everything) == "[[], None]"


def test_governors_and_boost_are_read_where_the_kernel_shows_them(tmp_path: Path) -> None:
    assert (governors(tmp_path), boost(tmp_path)) == ((), None)
    for number in os.sched_getaffinity(0):
        folder = tmp_path / f"cpu{number}" / "cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_governor").write_text("powersave\n")
    assert governors(tmp_path) == ("powersave",)
    (tmp_path / "cpufreq").mkdir()
    (tmp_path / "cpufreq" / "boost").write_text("0\n")
    assert boost(tmp_path) is False
    (tmp_path / "intel_pstate").mkdir()
    (tmp_path / "intel_pstate" / "no_turbo").write_text("0\n")
    assert boost(tmp_path) is True
