"""What only a real Slurm does to jobs: time limits, drained nodes, a slurmd that dies; and a real question."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fleet_scenarios import collected, kill_work, state_of, stub, types, until, whole
from fleets import make_fleet
from msgspec.structs import replace
from real_slurm import Slurm

from harness.fleet import slurm as commands
from harness.fleet.collecting import collect
from harness.fleet.status import State, statuses

PROJECT = Path(__file__).parents[2]


def test_a_time_limit_is_survived(real: Slurm, tmp_path: Path) -> None:
    root = tmp_path / "project"
    stub(root, pause_s=8.0)
    kinds = types(tmp_path, "h100")
    fleet = make_fleet(root, {"h100": replace(kinds["h100"], wall_time="1m", notice="20s")}, blocks=12)
    until(lambda: state_of(fleet) is State.LOST, 120)
    # Slurm tells a job up to a minute before it was asked to: at times before the first block ends.
    assert statuses(fleet, commands.listed())[0].blocks_done < 12
    stub(root, pause_s=0.0)
    assert collected(fleet).jobs[0].attempt == 2
    whole(fleet, root)


def test_a_drained_node_is_waited_for(real: Slurm, tmp_path: Path) -> None:
    real.ask("scontrol", "update", "nodename=n1", "state=drain", "reason=test")
    try:
        fleet = make_fleet(tmp_path / "project", types(tmp_path, "h100"))
        done = collect(fleet)
        assert (done.jobs[0].state, done.submitted) == (State.WAITING, [])
    finally:
        real.ask("scontrol", "update", "nodename=n1", "state=resume")
    collected(fleet)
    whole(fleet, tmp_path / "project")


def test_a_killed_slurmd_loses_nothing(real: Slurm, tmp_path: Path) -> None:
    root = tmp_path / "project"
    stub(root, pause_s=1.0)
    fleet = make_fleet(root, types(tmp_path, "h100"), blocks=6)
    until(lambda: statuses(fleet, commands.listed())[0].blocks_done >= 1)
    real.stop("slurmd-n1", signal.SIGKILL)
    try:
        kill_work(fleet)
        until(lambda: state_of(fleet) is State.LOST, 90)
        assert collect(fleet).submitted == ["h100-1"]
    finally:
        real.start("slurmd", "-N", "n1")
    stub(root, pause_s=0.0)
    collected(fleet)
    whole(fleet, root)


@pytest.mark.tensorflow
def test_a_real_question_is_asked_measured_collected_and_answered(real: Slurm, tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    for name in ("releases.toml", "asv.conf.json", "locks", ".environments"):
        (root / name).symlink_to(PROJECT / name)
    (tmp_path / "scratch").mkdir()
    (root / "fleet.toml").write_text(
        '[h100]\nconstraint = "h100"\ngres = "gpu:h100:1"\nlicenses = "host:1"\nwheel = "cpu"\ndevices = ["cpu"]\n'
        f'wall_time = "10m"\nnotice = "30s"\nscratch = "{tmp_path}/scratch"\nstage = false\n'
    )
    words = ["fleet", "start", "--on", "h100", "--wait", "--format", "json", "--"]
    words += ["compare", "2.20", "2.21", "--model", "mlp-s", "--operation", "save", "--repeats", "1", "--blocks", "4"]
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli", *words],
        cwd=root, env={**os.environ, "PYTHONPATH": str(PROJECT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1, 3), done.stderr
    answer = json.loads(done.stdout)
    assert answer["coverage"] == {"h100": 1.0}
    assert {row["types"]["h100"]["node"] for row in answer["rows"]} == {"n1"}
    assert list((tmp_path / "scratch").iterdir()) == []
