"""Nights of a fleet, by the commands alone: everything is real but Slurm and the measurements, which are drawn."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fake_slurm
import pytest
from local_index import MINOR, LocalIndex
from rehearsed_nights import make_rehearsed, rehearse

import harness.fleet.work as working
from harness.cli import main
from harness.fleet.folder import fleet_names, open_fleet

pytestmark = pytest.mark.slow

ENTRY = f'[[release]]\nversion = "2.21.0"\ndate = 2026-03-06\nnewest_python = "{MINOR}"\noldest_python = "{MINOR}"\n'
BUILD = "2.22.0.dev2026090{}"
TYPE = '[{0}]\nconstraint = "{0}"\nstage = false\nwheel = "cpu"\ndevices = ["cpu"]\nscratch = "{1}"\n'
NIGHTLY = ("nightly", "--preset", "rehearsed.toml", "--python", MINOR)


class FleetOfNights:
    """A project on a local index, two machine types, and nights on them; the test runs the jobs itself."""

    def __init__(self, folder: Path, slurm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self._slurm = folder / "project", slurm
        (self.root / ".environments").mkdir(parents=True)
        (folder / "scratch").mkdir()
        (self.root / "releases.toml").write_text(ENTRY)
        (self.root / "fleet.toml").write_text("".join(TYPE.format(one, folder / "scratch") for one in ("h100", "a100")))
        make_rehearsed(self.root)
        self._index = LocalIndex(folder / "index", monkeypatch)
        self._index.add("tensorflow-cpu", "2.21.0")
        monkeypatch.chdir(self.root)
        monkeypatch.setattr(working, "host_findings", list)
        rehearse(monkeypatch.setattr)

    def build(self, number: int, factor: float = 1.0) -> None:
        """Put a nightly on the index whose loads take this much longer."""
        self._index.add("tf-nightly-cpu", BUILD.format(number))
        self.plant(f"dev2026090{number}", factor)

    def plant(self, part: str, factor: float) -> None:
        file = self.root / "plants.json"
        plants = json.loads(file.read_text()) if file.exists() else {}
        file.write_text(json.dumps({**plants, part: factor}))

    def start(self, number: int, *words: str, on: str = "h100") -> int:
        return main(["fleet", "start", "--on", on, "--", *NIGHTLY, "--night", f"2026-09-0{number}", *words])

    def jobs(self) -> int:
        """Run the waiting jobs, and return how many there were."""
        waiting = [job for job in fake_slurm.jobs(self._slurm) if job["state"] == "PENDING"]
        for job in waiting:
            os.environ.update(SLURM_JOB_ID=job["id"], SLURMD_NODENAME=job["node"])
            fake_slurm.change(self._slurm, job["id"], state="RUNNING")
            try:
                assert working.work(Path(job["arguments"][-1])) == 0
            finally:
                fake_slurm.change(self._slurm, job["id"], state="COMPLETED")
                del os.environ["SLURM_JOB_ID"], os.environ["SLURMD_NODENAME"]
        return len(waiting)

    def report(self, *words: str) -> dict[str, Any]:
        """Return `fleet report` as JSON."""
        out = self.root / "out.json"
        code = main(["fleet", "report", *words, "--format", "json", "--output", str(out)])
        told: dict[str, Any] = json.loads(out.read_text())
        assert told["exit_code"] == code
        return told

    def night(self, number: int, *words: str, on: str = "h100") -> dict[str, Any]:
        """Do a whole night and return its report."""
        assert self.start(number, *words, on=on) == 0
        first = fleet_names(self.root)[-1]
        while self.jobs():
            main(["fleet", "collect"])
        return self.report(first)


@pytest.fixture
def fleet(tmp_path: Path, fake: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FleetOfNights]:
    (fake / "manual").touch()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield FleetOfNights(tmp_path, fake, monkeypatch)
    for number, handler in handlers.items():
        signal.signal(number, handler)


def states(told: dict[str, Any]) -> list[list[tuple[str, str]]]:
    return [sorted((one["model"], one["state"]) for one in night["findings"]) for night in told["nights"]]


def test_a_regression_is_confirmed_on_its_node_told_once_and_gone(fleet: FleetOfNights) -> None:
    fleet.build(1)
    first = fleet.night(1)
    assert (first["exit_code"], states(first), first["second_fleet"]) == (0, [[]], None)
    (night,) = first["nights"]
    assert (night["type"], night["node"], night["machine"][-3:]) == ("h100", "n1", "-n1")
    assert [one["role"] for one in night["baselines"]] == ["stable"]

    fleet.build(2, 1.2)
    telling = ("--on-finding", "cat >> told.json")
    second = fleet.night(2, *telling)
    assert (second["exit_code"], states(second)) == (1, [[("conv-s", "new"), ("mlp-s", "new")]])
    (night,) = second["nights"]
    assert [one["role"] for one in night["baselines"]] == ["last-good", "stable"]
    assert night["aa"] == {"judged": 4, "called": 0}
    wave = open_fleet(fleet.root, second["second_fleet"])
    assert [(job.name, job.node) for job in wave.plan.jobs] == [("h100-1", "n1")]
    told = json.loads((fleet.root / "told.json").read_text())  # once, though it was collected and reported
    assert (told["findings"], told["machine"]) == (night["findings"], night["machine"])
    folder = fleet.root / "results" / "nights" / night["machine"] / "2026-09-02"
    assert {"page.html", "report.md", "report.json", "night.json"} <= {path.name for path in folder.iterdir()}

    (fleet.root / "told.json").unlink()
    fleet.build(3)
    third = fleet.night(3, *telling)
    assert (third["exit_code"], states(third)) == (0, [[("conv-s", "gone"), ("mlp-s", "gone")]])
    assert len(json.loads((fleet.root / "told.json").read_text())["findings"]) == 2
    assert fleet.start(4) == 0  # there is no new build
    assert fleet.jobs() == 0
