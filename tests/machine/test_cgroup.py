"""The limits of control groups, of both versions, from files as a kernel lays them out."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.machine.cgroup import cpu_quota, memory_left_bytes
from harness.machine.host_fitness import available_memory, processors


def laid_out(folder: Path, own: str, files: dict[str, str]) -> tuple[Path, Path]:
    for name, text in files.items():
        path = folder / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "cgroup").mkdir(exist_ok=True)
    (folder / "own").write_text(own)
    return folder / "cgroup", folder / "own"


VERSION_2 = {
    "memory.max": "max\n",
    "job/memory.max": "4000000000\n",
    "job/memory.current": "3000000000\n",
    "job/memory.stat": "anon 2000000000\ninactive_file 500000000\n",
    "job/cpu.max": "150000 100000\n",
    "job/step/memory.max": "max\n",
    "job/step/memory.current": "1\n",
    "job/step/cpu.max": "max 100000\n",
}
VERSION_1 = {
    "memory/memory.limit_in_bytes": "9223372036854771712\n",
    "memory/memory.usage_in_bytes": "5\n",
    "memory/docker/memory.limit_in_bytes": "2000000000\n",
    "memory/docker/memory.usage_in_bytes": "500000000\n",
    "memory/docker/memory.stat": "inactive_file 1\ntotal_inactive_file 100000000\n",
    "cpu,cpuacct/docker/cpu.cfs_quota_us": "50000\n",
    "cpu,cpuacct/docker/cpu.cfs_period_us": "100000\n",
    "cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
    "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
}


@pytest.mark.parametrize(
    ("own", "files", "left", "quota"),
    [
        ("0::/job/step\n", VERSION_2, 1.5e9, 1.5),
        ("9:cpuset:/x\n4:memory:/docker\n1:cpu,cpuacct:/docker\n", VERSION_1, 1.6e9, 0.5),
        # A container sees its group's path as the host does, and its own folder at the top.
        (
            "4:memory:/docker/0123abc\n",
            {"memory/memory.limit_in_bytes": "7", "memory/memory.usage_in_bytes": "2"},
            5,
            None,
        ),
        ("0::/\n", {"memory.max": "max\n"}, None, None),
        ("", {}, None, None),
    ],
    ids=["version 2", "version 1", "container", "no limit", "no groups"],
)
def test_the_tightest_group_counts(
    tmp_path: Path, own: str, files: dict[str, str], left: float | None, quota: float | None
) -> None:
    where = laid_out(tmp_path, own, files)
    assert memory_left_bytes(*where) == left
    assert cpu_quota(*where) == quota


def test_the_doctor_tells_what_a_container_is_not_given() -> None:
    assert processors(16, 16, None).text == processors(16, 16, 16.0).text == "16 logical CPUs, 16 of them usable here"
    assert "allows the time of 1.5" in processors(16, 16, 1.5).text
    assert available_memory(20 << 30, 24 << 30, None).text == available_memory(20 << 30, 24 << 30, 30 << 30).text
    assert available_memory(20 << 30, 24 << 30, 1 << 30).text.startswith(
        "1.0 GiB of memory allowed by the control group"
    )
