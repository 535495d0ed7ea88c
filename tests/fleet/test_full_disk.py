"""The fleet's folder on a file system that is full for real: a small tmpfs, on which both Slurms deliver."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleet_scenarios import collected, stub, types, until
from fleets import make_fleet, measured
from real_slurm import Slurm

from harness.fleet import slurm as commands
from harness.fleet.collecting import collect
from harness.fleet.status import State, statuses

SIZE = 1 << 20


@pytest.fixture
def small_results(tmp_path: Path) -> Iterator[Path]:
    """A project whose results are on a file system of 1 MiB."""
    results = tmp_path / "project" / "results"
    results.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=700", "tmpfs", str(results)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a tmpfs")
    try:
        yield results.parent
    finally:
        subprocess.run(["umount", "--lazy", str(results)], check=True)


def fill(root: Path) -> Path:
    """Write until nothing more can be written."""
    ballast = root / "results" / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return ballast


def test_a_full_quota_loses_nothing(slurm: Path | Slurm, small_results: Path, tmp_path: Path) -> None:
    root = small_results
    stub(root, pause_s=0.5, pad=3000)
    fleet = make_fleet(root, types(tmp_path, "h100"), blocks=4)
    until(lambda: statuses(fleet, commands.listed())[0].blocks_done >= 1)
    ballast = fill(root)
    (attempt,) = fleet.attempts("h100-1")
    until(lambda: (one := commands.listed()) is not None and statuses(fleet, one)[0].state is not State.RUNNING)
    (status,) = statuses(fleet, commands.listed())
    # Nothing more can be written, not even that: the node and the path of what is there stand in the status.
    (scratch,) = (tmp_path / "scratch").iterdir()
    assert status.state is State.LOST
    assert f"{scratch} on n1 may still be there" in str(status.reason)
    (run,) = scratch.glob("project/results/runs/*/*")
    assert (run / "records.jsonl").read_text().count('"type":"block"') == 4
    with pytest.raises(OSError, match="No space left"):
        collect(fleet)
    assert attempt.number == fleet.attempts("h100-1")[-1].number  # nothing was submitted
    ballast.unlink()
    stub(root, pad=3000)
    done = collected(fleet)
    assert [(one.state, one.attempt) for one in done.jobs] == [(State.FINISHED, 2)]
    found = measured(root)
    assert len(found) == len(set(found)) == 8
    assert {attempt for _, _, _, _, attempt, _ in found} == {1, 2}  # what was delivered by then, and the rest
    assert list((tmp_path / "scratch").iterdir()) == [scratch]
