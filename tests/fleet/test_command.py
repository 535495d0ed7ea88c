"""`savedmodel-bench fleet` as it is typed: what it prints, what it refuses before anything is submitted, exit codes."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import fake_slurm
import pytest
from faulty_releases import add_release, make_project
from fleets import make_fleet, make_type

from harness.cli import main
from harness.commands import fleet as commands
from harness.fleet import matrix
from harness.fleet.collecting import cancel
from harness.fleet.folder import fleet_names, open_fleet

pytestmark = pytest.mark.slow

QUESTION = ["--", "compare", "one", "two", "--model", "mlp-s", "--blocks", "4"]

TYPES = """
[h100]
constraint = "h100"
gres = "gpu:h100:1"
wheel = "cpu"
devices = ["cpu"]
wall_time = "1h30m"
tries = 2

[a100]
constraint = "a100"
wheel = "cpu"
max_node_hours = 1.0

[typo]
constraint = "h10"
wheel = "cpu"
"""


@pytest.fixture
def project(fake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of two releases whose interpreters are there, a Slurm that keeps jobs waiting, and machine types."""
    (fake / "manual").touch()
    root = make_project(tmp_path / "project")
    for name in ("one", "two"):
        add_release(root, name, python=python_with_tensorflow(tmp_path / name))
    (root / "fleet.toml").write_text(TYPES)
    monkeypatch.chdir(root)
    return root


def python_with_tensorflow(folder: Path) -> Path:
    """Write an interpreter that has a TensorFlow as far as its files say: nothing here imports it."""
    site = folder / "site"
    for name, text in {
        "tensorflow/__init__.py": "",
        "tensorflow-2.21.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tensorflow\nVersion: 2.21.0\n",
        "tensorflow-2.21.0.dist-info/RECORD": "tensorflow/__init__.py,,\n",
    }.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    python = folder / "python"
    python.write_text(f'#!/bin/bash\nexport PYTHONPATH={site}\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return python


def test_a_dry_run_says_what_it_takes_and_submits_nothing(
    project: Path, fake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fleet", "start", "--on", "h100", "--dry-run", "--collect-job", *QUESTION]) == 0
    printed = capsys.readouterr()
    assert printed.err.partition("\n")[2].startswith("h100: 1 job, about ")
    assert "at most 3 node-hours and 3 GPU-hours, tries included." in printed.err
    job, collecting = printed.out.splitlines()
    words = json.loads(job.removeprefix("h100-1: sbatch "))
    assert {"--export=NONE", "--no-requeue", "--exclusive", "--time=90", "--constraint=h100"} <= {*words}
    assert "--dependency=afterany:h100-1" in json.loads(collecting.removeprefix("collect: sbatch "))
    assert fake_slurm.jobs(fake) == []
    assert not (project / "results" / "fleet").exists()


def test_a_dry_run_says_what_slurm_would_refuse(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fleet", "start", "--on", "typo", "--dry-run", *QUESTION]) == 3
    printed = capsys.readouterr()
    assert "typo-1: sbatch" in printed.out
    assert "Slurm would refuse typo-1" in printed.err


def test_a_matrix_that_is_refused_leaves_no_plan(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matrix, "MOST_ENTRIES", 0)
    assert main(["fleet", "matrix", "--on", "h100", "--plan", "plan.json", *QUESTION]) == 3
    assert "lower `nodes`" in capsys.readouterr().err
    assert not (project / "plan.json").exists()


def test_a_start_submits_and_the_status_is_the_same_as_data(
    project: Path, fake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fleet", "start", "--on", "h100", *QUESTION]) == 0
    assert "is on its way: " in capsys.readouterr().err
    (name,) = fleet_names(project)
    (job,) = fake_slurm.jobs(fake)
    assert f"--comment=savedmodel-bench:{name}:h100-1:1" in job["words"]
    assert main(["fleet", "status", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(one["state"], one["slurm_id"], one["attempt"]) for one in told["jobs"]] == [("waiting", "1", 1)]
    assert told["jobs"][0]["reason"] == "it waits: Resources"
    assert main(["fleet", "clean"]) == 3
    assert "h100-1 have not ended" in capsys.readouterr().err
    assert main(["fleet", "cancel"]) == 0
    assert main(["fleet", "report"]) == 3
    assert "is in the results yet" in capsys.readouterr().err
    assert main(["fleet", "clean"]) == 0
    assert fleet_names(project) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--on", "b200", *QUESTION], "fleet.toml has no machine type 'b200'"),
        (["--on", "a100", *QUESTION], "a100 could take 12 node-hours, tries included, and `max_node_hours` allows 1"),
        (["--on", "typo", *QUESTION], "Slurm would refuse typo-1"),
        (["--on", "h100"], "Say what to measure after `--`"),
        (["--on", "h100", "--", "compare", "one", "three"], "three"),
        (["--on", "h100", *QUESTION, "--dry-run"], "--dry-run belongs before `--`"),
        (["--on", "h100", *QUESTION, "--machine", "x"], "--machine names one machine"),
        (["--on", "h100", *QUESTION, "--operation", "fly"], "nothing was submitted"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_submitted(
    project: Path, fake: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["fleet", "start", *words]) == 3
    printed = capsys.readouterr()
    assert said in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""
    assert (fake_slurm.jobs(fake), fleet_names(project)) == ([], [])


def test_without_an_answer_of_slurm_nothing_is_submitted(
    project: Path, fake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (fake / "silent").touch()
    assert main(["fleet", "start", "--on", "h100", *QUESTION]) == 3
    assert "Slurm does not answer here, so nothing was submitted" in capsys.readouterr().err
    assert fleet_names(project) == []


def test_a_collect_beside_another_one_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    fleet = make_fleet(project, {"h100": make_type("h100", scratch=str(tmp_path))})
    with fleet.locked():
        assert main(["fleet", "collect"]) == 3
    assert "Another command works on fleet" in capsys.readouterr().err


def test_who_waits_outlasts_a_collect_of_cron(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other, pauses = ExitStack(), 0

    def pause(_: float) -> None:
        nonlocal pauses
        pauses += 1
        fleet = open_fleet(project)
        if pauses == 1:
            other.enter_context(fleet.locked())
        elif pauses == 3:
            other.close()
            cancel(fleet)

    monkeypatch.setattr(commands, "time", SimpleNamespace(sleep=pause))
    assert main(["fleet", "start", "--on", "h100", "--wait", *QUESTION]) == 3
    assert pauses == 3
    assert "Nothing of fleet" in capsys.readouterr().err  # it ends once the job has, not with the other command


def test_the_status_of_one_fleet_names_the_others_that_have_not_ended(
    project: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    first = make_fleet(project, {"h100": make_type("h100", scratch=str(tmp_path))})
    make_fleet(project, {"h100": make_type("h100", scratch=str(tmp_path))})
    assert main(["fleet", "status"]) == 0
    assert f"Fleet {first.plan.fleet} has not ended (1 of 1 job open): " in capsys.readouterr().err
