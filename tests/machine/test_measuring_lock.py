"""The measuring lock: one run a machine, on the machine's own disk, and gone with its holder."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.machine.boot import NODE_VARIABLE, boot_id, node_name
from harness.machine.measuring_lock import FOLDER_VARIABLE, MeasuringLock, lock_path

HOLD = (
    "import time; from harness.machine.measuring_lock import MeasuringLock\n"
    "with MeasuringLock(): print('held', flush=True); time.sleep(60)\n"
)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))


def test_a_second_run_is_refused_with_the_holder_named_until_that_one_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    holder = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        found = json.loads(lock_path().read_text())
        assert (found["pid"], found["boot"], found["job"]) == (holder.pid, boot_id(), "77")
        with pytest.raises(UsageError, match=rf"process {holder.pid} on .*, Slurm job 77\) is measuring"):
            MeasuringLock().__enter__()
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with MeasuringLock():
        pass
    assert lock_path().read_text() == ""


def test_who_waits_gets_it() -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD.replace("60", "0.3")], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    holder.stdout.readline()
    with MeasuringLock(wait_s=20):
        pass
    holder.wait()


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("mine")
    lock_path().symlink_to(tmp_path / "victim")
    with pytest.raises(UsageError, match="remove it"):
        MeasuringLock().__enter__()
    assert (tmp_path / "victim").read_text() == "mine"


def test_it_lies_where_other_machines_do_not_see_it() -> None:
    assert str(lock_path({}).parent) in ("/run/lock", "/tmp")


@pytest.mark.parametrize(
    ("said", "name"), [("gpu-07", "gpu-07"), ("Rack 3/../x", "rack-3-..-x"), ("..", None), ("", None)]
)
def test_a_node_name_can_be_part_of_a_folder_name(said: str, name: str | None) -> None:
    assert node_name({NODE_VARIABLE: said}) == name
