"""Which machine this is, and whether it was calm."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stored_runs import project_root

from harness.errors import UsageError
from harness.machine.identity import describe_machine
from harness.machine.load import HostSample, sample_host, taints_between


@pytest.fixture(autouse=True)
def _empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SAVEDMODEL_BENCH_MACHINE", raising=False)


def tell_asv(home: Path, **entries: object) -> None:
    (home / ".asv-machine.json").write_text(json.dumps({"version": 1, **entries}))


def test_the_default_name_is_the_hardware_whatever_the_host_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    first = describe_machine()
    monkeypatch.setattr(platform, "node", lambda: "f00dfeed4242")
    assert describe_machine() == first
    assert f"{os.cpu_count()}cpu" in first.name
    assert first.name == first.name.lower()
    assert "/" not in first.name


def test_the_name_that_is_given_comes_first_then_the_variable_then_asvs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell_asv(tmp_path, box={"machine": "as-asv-knows-it"})
    assert describe_machine().name == "as-asv-knows-it"
    monkeypatch.setenv("SAVEDMODEL_BENCH_MACHINE", "by-variable")
    assert describe_machine().name == "by-variable"
    assert describe_machine("by-option").name == "by-option"


def test_among_several_entries_asvs_is_the_one_of_this_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tell_asv(tmp_path, one={"machine": "one"}, two={"machine": "two"})
    by_hardware = describe_machine().name
    assert by_hardware not in ("one", "two")
    monkeypatch.setattr(platform, "node", lambda: "two")
    assert describe_machine().name == "two"


def test_the_name_is_the_one_under_which_asv_files_results(tmp_path: Path) -> None:
    root = project_root(tmp_path / "project")
    subprocess.run([sys.executable, "-m", "asv", "machine", "--yes"], cwd=root, check=True, capture_output=True)
    registered = json.loads((Path.home() / ".asv-machine.json").read_text())
    assert registered.keys() - {"version"} == {describe_machine().name}


@pytest.mark.parametrize("name", ["../elsewhere", "a/b", "-x", "."])
def test_a_name_that_cannot_be_a_folder_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="--machine"):
        describe_machine(name)


def test_a_damaged_asv_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / ".asv-machine.json").write_text("{")
    with pytest.raises(UsageError, match=r"asv-machine\.json cannot be read.*--machine"):
        describe_machine()
    assert describe_machine("given").name == "given"


def test_the_facts_can_stand_in_a_record(tmp_path: Path) -> None:
    machine = describe_machine("box")
    record = json.loads(json.dumps(machine.as_record()))
    assert record["name"] == "box"
    assert record["logical_cpus"] == os.cpu_count()
    assert record["memory_bytes"] > 2**28
    assert record["boot_id"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert "hostname" not in record


BURN = "import time\nend = time.process_time() + {s}\nwhile time.process_time() < end: pass"
"""Takes so many CPU seconds, however long that lasts beside others."""


def test_work_of_this_process_and_its_children_is_counted_as_own() -> None:
    before = sample_host()
    exec(BURN.format(s=0.2))
    subprocess.run([sys.executable, "-c", BURN.format(s=0.2)], check=True)
    command = [sys.executable, "-c", BURN.format(s=0.2) + "\nprint('done', flush=True)\ntime.sleep(60)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as living:
        assert living.stdout is not None
        assert living.stdout.readline() == "done\n"
        after = sample_host()
        living.kill()
    own_s = after.own_s - before.own_s
    assert own_s > 0.55
    assert after.busy_s - before.busy_s >= own_s - 0.1


def test_work_of_a_process_that_is_not_ours_is_foreign() -> None:
    # Two forks on, nobody of this process's line is its parent any more.
    code = (
        f"import os\nif os.fork() == 0:\n os.setsid()\n if os.fork() == 0:\n  exec({BURN.format(s=1)!r})\n os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    before = sample_host()
    time.sleep(0.6)
    after = sample_host()
    foreign_s = (after.busy_s - before.busy_s) - (after.own_s - before.own_s)
    assert foreign_s > 0.3 * (after.clock_s - before.clock_s)


def sample(clock_s: float = 0, busy_s: float = 0, steal_s: float = 0, own_s: float = 0, swapped: int = 0) -> HostSample:
    return HostSample(clock_s, 2, busy_s, steal_s, own_s, swapped)


@pytest.mark.parametrize(
    ("after", "taints"),
    [
        (sample(10, busy_s=20, own_s=20), ()),
        (sample(10, busy_s=14, own_s=10), ()),
        (sample(10, busy_s=16, own_s=10), ("foreign-load: 30 % of CPU time on 2 CPUs",)),
        (sample(10, busy_s=14, own_s=4), ()),  # much beside us, and CPUs to spare
        (sample(10, steal_s=0.9), ()),
        (sample(10, steal_s=2.4), ("steal: 12 % of CPU time",)),
        (sample(10, swapped=4096), ()),
        (sample(10, swapped=5 << 20), ("swap-in: 5 MiB",)),
        (sample(0.05, busy_s=0.1, steal_s=0.1), ()),
    ],
)
def test_taints_name_their_kind_and_figure(after: HostSample, taints: tuple[str, ...]) -> None:
    assert taints_between(sample(), after) == taints
