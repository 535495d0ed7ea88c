"""`savedmodel-bench doctor`: the machine's fitness, with advice for each finding."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import fake_nvml
import pytest
from shown import as_json, as_table
from stored_runs import project_root

from harness.machine import host_fitness, storage_fitness
from harness.machine.findings import Finding, Severity, advice, ok, problem
from harness.machine.floors import Floor
from harness.machine.load import HostSample, taints_between
from harness.report.doctor import answer, report_doctor

pytestmark = pytest.mark.slow

GIB = 1 << 30


def doctor(root: Path, library: Path | None, *arguments: str, **scenario: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli", "doctor", *arguments],
        cwd=root,
        env=fake_nvml.playing(library, **scenario),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def by_code(text: str) -> dict[str, Any]:
    return {finding["code"]: finding for finding in json.loads(text)["findings"]}


def test_everything_that_matters_is_looked_at_and_nothing_is_left_behind(tmp_path: Path) -> None:
    root = project_root(tmp_path / "project")
    before = sorted(path.name for path in root.iterdir())
    status, out, err = doctor(root, None, "--format", "json")
    assert (status, err) == (0, "")
    found = by_code(out)
    for code in (
        *("cpu-count", "cpu-governor", "cpu-boost", "cpu-load", "cpu-steal", "swap", "memory", "host-peak"),
        *("disk-results", "disk-environments", "shared-memory", "page-cache", "releases", "wheel", "hard-links", "gpu"),
    ):
        assert found[code]["text"]
    assert all(finding["advice"] for finding in found.values() if finding["severity"] != "ok")
    document = json.loads(out)
    assert (document["schema"], document["fit"], document["floors"]) == (1, True, None)
    assert sorted(path.name for path in root.iterdir()) == before


def test_the_tests_own_driver_keeps_everything_from_being_measured(tmp_path: Path) -> None:
    root = project_root(tmp_path / "project")
    library = fake_nvml.build(tmp_path)
    busy = {"PROCESSES": f"7:{GIB}", "THROTTLE": "0x40", "PERSISTENCE": "off"}
    status, out, _ = doctor(root, library, "--format", "json", **busy)
    assert status == 3
    found = by_code(out)
    assert found["gpu-driver"]["severity"] == "problem"
    assert found["gpu"]["text"] == "NVIDIA Fake 80GB, 80 GiB, GPU-fake"
    assert found["gpu-persistence"]["severity"] == "advice"
    assert found["gpu-cache"]["severity"] == "ok"
    assert found["gpu-accounting"]["severity"] == "ok"
    assert found["gpu-processes"]["text"] == "1 other process holds 1.0 GiB"
    assert found["gpu-throttle"]["text"] == "clocks are held down at 41 C: thermal, by hardware"
    status, out, _ = doctor(root, library, MIG="MIG-one")
    assert status == 3
    assert "a part of a partitioned GPU" in " ".join(out.split())
    assert "Result: nothing can be measured here until this is solved: gpu-driver." in out


def test_outside_a_project_one_sentence_says_so(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()  # an empty folder would become a project
    status, _, err = doctor(tmp_path, None)
    assert status == 3
    assert "There is no releases.toml" in err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def severity(finding: Finding) -> str:
    assert (finding.advice is None) == (finding.severity is Severity.OK)
    return finding.severity.value


@pytest.mark.parametrize(
    ("finding", "expected"),
    [
        (host_fitness.processors(8, 8), "ok"),
        (host_fitness.processors(8, 1), "advice"),
        (host_fitness.governor(()), "ok"),
        (host_fitness.governor(("performance",)), "ok"),
        (host_fitness.governor(("performance", "powersave")), "advice"),
        (host_fitness.turbo(None), "ok"),
        (host_fitness.turbo(True), "ok"),
        (host_fitness.swap(0, 0), "ok"),
        (host_fitness.swap(4 * GIB, 4 * GIB), "ok"),
        (host_fitness.swap(4 * GIB, GIB), "advice"),
        (host_fitness.available_memory(16 * GIB, 32 * GIB), "ok"),
        (host_fitness.available_memory(4 * GIB, 32 * GIB), "advice"),
        (host_fitness.available_memory(GIB, 2 * GIB), "problem"),
        (host_fitness.peak_counter(Path("/proc/self/clear_refs")), "ok"),
        (host_fitness.peak_counter(Path("/nowhere/clear_refs")), "advice"),
    ],
)
def test_each_finding_has_the_weight_it_deserves(finding: Finding, expected: str) -> None:
    assert severity(finding) == expected


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (HostSample(2.0, 2, 0.4, 0.0, 0.4, 0), ["ok", "ok"]),
        (HostSample(2.0, 2, 2.0, 0.0, 0.0, 0), ["advice", "ok"]),
        (HostSample(2.0, 2, 0.0, 1.0, 0.0, 0), ["ok", "advice"]),
        # On a large host others may take a lot while a quarter is idle.
        (HostSample(2.0, 64, 51.2, 0.0, 0.0, 0), ["ok", "ok"]),
        (HostSample(2.0, 64, 102.4, 0.0, 0.0, 0), ["advice", "ok"]),
    ],
)
def test_load_and_steal_are_told_apart(after: HostSample, expected: list[str]) -> None:
    """Advice is given where a repeat that keeps one CPU busy would be tainted, and nowhere else."""
    before = HostSample(0.0, after.cpus, 0.0, 0.0, 0.0, 0)
    assert [severity(finding) for finding in host_fitness.load(before, after)] == expected
    beside = dataclasses.replace(after, busy_s=after.busy_s + after.clock_s, own_s=after.own_s + after.clock_s)
    kinds = [taint.partition(":")[0] for taint in taints_between(before, beside)]
    assert kinds == [kind for kind, found in zip(("foreign-load", "steal"), expected, strict=True) if found != "ok"]


def test_space_is_judged_where_a_folder_is_going_to_be(tmp_path: Path) -> None:
    assert severity(storage_fitness.space("results", tmp_path / "not" / "yet", 1)) == "ok"
    assert severity(storage_fitness.space("results", tmp_path, 1 << 60)) == "advice"
    assert storage_fitness.file_system(Path("/proc")) == "proc"


def test_pages_that_stay_after_eviction_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_fitness, "resident_fraction", lambda folder: 1.0)
    finding = storage_fitness.page_cache(tmp_path)
    assert severity(finding) == "advice"
    assert finding.text.startswith("100% of evicted pages stay resident on ")
    assert list(tmp_path.iterdir()) == []


def test_memory_file_systems_cannot_be_cold() -> None:
    if storage_fitness.file_system(Path("/dev/shm")) != "tmpfs":
        pytest.skip("no tmpfs at /dev/shm")
    assert "it lives in memory" in storage_fitness.page_cache(Path("/dev/shm")).text


def test_the_answer_is_the_worst_that_was_found() -> None:
    fine, noisy, broken = ok("a", "is a"), advice("b", "is b", "do b"), problem("c", "is c", "do c")
    assert answer([fine]) == "this machine is suitable for benchmarking."
    assert answer([fine, noisy]) == (
        "this machine can be used. Following the recommendation above would make its results more precise."
    )
    assert answer([noisy, fine, noisy]).startswith("this machine can be used. Following the 2 recommendations above")
    assert answer([noisy, broken]) == "nothing can be measured here until this is solved: c."


def test_floors_stand_beside_the_findings_with_their_rates() -> None:
    floors = [
        Floor("read, warm", 0.1, 1e9, "bytes", "in pieces"),
        Floor("read, cold", None, 1e9, "bytes", "in pieces", "not-cold: 100% of the pages stayed resident"),
        Floor("matrix product", 0.02, 2e9, "operations", "numpy.matmul"),
    ]
    report = report_doctor([ok("a", "is a")], floors)
    table = as_table(report, 110)
    assert "10.00 GB/s" in table
    assert "100 Gflop/s" in table
    assert "not-cold" in table
    assert [floor["rate_per_s"] for floor in as_json(report)["floors"]] == [1e10, None, 1e11]
