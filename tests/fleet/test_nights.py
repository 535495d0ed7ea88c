"""Nights of a fleet, by the commands alone: everything is real but Slurm and the measurements, which are drawn."""

from __future__ import annotations

import argparse
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
from harness.commands import nightly
from harness.commands.shared import fleet_night
from harness.commands.shared.fleet_night import proceed
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

    def jobs(self, node: str | None = None) -> int:
        """Run the waiting jobs, on their nodes or all on one, and return how many there were."""
        waiting = [job for job in fake_slurm.jobs(self._slurm) if job["state"] == "PENDING"]
        for job in waiting:
            os.environ.update(SLURM_JOB_ID=job["id"], SLURMD_NODENAME=node or job["node"])
            fake_slurm.change(self._slurm, job["id"], state="RUNNING")
            if "--job-name=savedmodel-bench-collect" in job["words"]:
                os.chdir("/")  # as Slurm does; what is rehearsed needs the project
            try:
                assert main(["fleet", "work", job["arguments"][-1]]) == 0
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


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    nightly.configure(parser)
    return parser.parse_args(NIGHTLY[1:])


def states(told: dict[str, Any]) -> list[list[tuple[str, str]]]:
    return [sorted((one["model"], one["state"]) for one in night["findings"]) for night in told["nights"]]


def test_a_regression_is_confirmed_on_its_node_told_once_and_gone(fleet: FleetOfNights) -> None:
    fleet.build(1)
    first = fleet.night(1)
    assert (first["exit_code"], states(first), first["second_fleet"]) == (0, [[]], None)
    assert first["notes"] == ["On h100 imports and cold loads are n/a: staging is off."]
    (night,) = first["nights"]
    assert night["canary"]["called"]
    assert (night["type"], night["node"], night["machine"][-3:]) == ("h100", "n1", "-n1")
    assert [one["role"] for one in night["baselines"]] == ["stable"]

    fleet.build(2, 1.2)
    telling = ("--on-finding", "cat >> told.json")
    second = fleet.night(2, *telling)
    assert (second["exit_code"], states(second)) == (1, [[("conv-s", "new"), ("mlp-s", "new")]])
    (night,) = second["nights"]
    assert [one["role"] for one in night["baselines"]] == ["last-good", "stable"]
    assert night["aa"] == {"judged": 4, "called": 0}
    assert [one["nights"][0]["canary"] is None for one in (first, second)] == [False, True]  # it flies once a week
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


def test_a_node_that_differs_from_itself_is_distrusted_alone(fleet: FleetOfNights) -> None:
    fleet.build(1)
    fleet.night(1, on="h100,a100")
    fleet.build(2, 1.2)
    fleet.plant("#2 -n1", 1.4)
    told = fleet.night(2, on="h100,a100")
    assert told["exit_code"] == 1
    noisy, calm = told["nights"]
    assert (noisy["type"], noisy["exit_code"], noisy["findings"]) == ("h100", 3, [])
    assert noisy["aa"]["called"] == 2
    assert "cannot be trusted" in noisy["shortfall"]
    assert (calm["type"], calm["aa"]["called"], len(calm["findings"])) == ("a100", 0, 2)
    wave = open_fleet(fleet.root, told["second_fleet"])
    assert [job.name for job in wave.plan.jobs] == ["a100-1"]
    accepting = ("accept", calm["findings"][0]["id"], "--until", "2026-12-31", "--why", "known")
    assert main(["nightly", "--machine", calm["machine"], *accepting]) == 0
    assert "accepted" in {one["state"] for one in fleet.report(told["fleet"])["nights"][1]["findings"]}


def test_what_the_second_wave_does_not_call_wakes_nobody(fleet: FleetOfNights) -> None:
    fleet.build(1)
    fleet.night(1)
    fleet.build(2)
    fleet.plant("dev20260902 night", 1.2)  # not in the runs that confirm
    told = fleet.night(2, "--on-finding", "touch told")
    assert (told["exit_code"], states(told)) == (0, [[]])
    (night,) = told["nights"]
    assert {one["standing"] for one in night["unconfirmed"]} <= {"refuted", "undecided"}
    assert told["second_fleet"] is not None
    assert not (fleet.root / "told").exists()


def test_a_second_wave_that_was_killed_before_it_began_is_started_once(
    fleet: FleetOfNights, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.build(1)
    fleet.night(1)
    fleet.build(2, 1.2)
    assert fleet.start(2) == 0
    first = fleet_names(fleet.root)[-1]
    fleet.jobs()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fleet_night, "start", killed)
        with pytest.raises(KeyboardInterrupt):
            proceed(open_fleet(fleet.root, first), _options(), print)
    (name,) = open_fleet(fleet.root, first).waves()
    for _ in range(2):
        main(["fleet", "collect", first])
    assert fleet_names(fleet.root)[-1] == name
    assert fleet.jobs() == 1
    assert states(fleet.report(first)) == [[("conv-s", "new"), ("mlp-s", "new")]]


def test_what_cannot_be_a_night_of_a_fleet_is_refused(fleet: FleetOfNights, capsys: pytest.CaptureFixture[str]) -> None:
    fleet.build(1)
    for words, told in {
        ("--budget", "2h"): "--budget cannot be used on several machines",
        ("--machine", "calm"): "--machine names one machine",
        ("accept", "0", "--until", "2026-12-31", "--why", "known"): "`nightly accept` measures nothing",
    }.items():
        assert fleet.start(1, *words) == 3
        assert told in capsys.readouterr().err
    assert main(["fleet", "start", "--on", "h100", "--dry-run", "--", *NIGHTLY]) == 0
    assert "h100-1-canary: sbatch" in capsys.readouterr().out
    assert fleet_names(fleet.root) == []
    assert fleet.start(1) == 0
    assert fleet.start(1) == 3
    assert "Another one of that day has a number: --night 2026-09-01.2" in capsys.readouterr().err
    assert main(["fleet", "report"]) == 3
    assert "h100-1 has not ended (waiting)" in capsys.readouterr().out
    assert main(["fleet", "clean"]) == 3
    assert "Night 2026-09-01 is not concluded" in capsys.readouterr().err


def test_a_comparison_with_an_arm_and_what_a_second_wave_says_of_it(
    fleet: FleetOfNights, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet.build(1, 1.2)
    fleet.plant("#2 -n1", 1.4)
    question = ("compare", "2.21", "nightly", "--preset", "rehearsed.toml", "--python", MINOR)
    assert main(["fleet", "start", "--on", "h100,a100", "--aa", "--", *question]) == 0
    (first,) = fleet_names(fleet.root)
    assert fleet.jobs() == 2
    told = fleet.report()
    assert (told["exit_code"], told["coverage"]) == (1, {"h100": 0.0, "a100": 1.0})
    assert "h100-1 cannot be trusted" in told["notes"][0]
    assert [(one["node"], one["called"] > 0) for one in told["aa"]] == [("n1", True), ("n2", False)]
    assert any("rows in which it differs from itself: " in note for note in told["notes"])
    on_a100 = [row["types"]["a100"] for row in told["rows"] if row["metric"] == "load_warm_s"]
    assert {(one["verdict"], one["standing"]) for one in on_a100} == {("regression", "unconfirmed")}
    assert main(["fleet", "confirm"]) == 0
    assert fleet.jobs() == 1
    again = fleet.report(first)
    assert again["confirmed_by"] == fleet_names(fleet.root)[1:]
    assert {row["types"]["a100"]["standing"] for row in again["rows"] if row["metric"] == "load_warm_s"} == {
        "confirmed"
    }
    assert "2 confirmed" in " ".join(again["notes"])
    assert main(["fleet", "confirm", first]) == 3
    assert "measured it again already" in capsys.readouterr().err


def test_a_part_that_is_measured_elsewhere_is_a_night_of_that_machine(fleet: FleetOfNights) -> None:
    toml = (fleet.root / "fleet.toml").read_text().partition("[a100]")[0]
    (fleet.root / "fleet.toml").write_text(toml.replace('constraint = "h100"', 'nodes = 2\nwall_time = "1h"'))
    fleet.build(1)
    assert fleet.start(1) == 0
    assert fleet.jobs("n2") == 4  # n1 is down, say
    told = fleet.report("--html", "page.html", "--junit", "cases.xml")
    assert all(f"h100-{number}, on" in (fleet.root / "page.html").read_text() for number in (1, 2))
    assert told["exit_code"] == 0
    assert {one["machine"][-3:] for one in told["nights"]} == {"-n2"}
    assert [one["night"] for one in told["nights"]] == ["2026-09-01", "2026-09-01.2"]
    assert [one["aa"]["judged"] for one in told["nights"]] == [2, 2]
    assert fleet.report()["nights"] == told["nights"]


def test_a_finding_that_nobody_heard_is_told_by_the_next_collect(fleet: FleetOfNights) -> None:
    fleet.build(1, 1.2)
    telling = ("--on-finding", "test -e ready && cat >> told.json")
    fleet.night(1, *telling)
    (fleet.root / "ready").touch()
    for _ in range(2):
        main(["fleet", "collect"])
    assert json.loads((fleet.root / "told.json").read_text())["exit_code"] == 1


def test_a_second_wave_that_was_removed_is_not_measured_again(fleet: FleetOfNights) -> None:
    fleet.build(1)
    fleet.night(1)
    fleet.build(2, 1.2)
    told = fleet.night(2)
    first = told["fleet"]
    open_fleet(fleet.root, told["second_fleet"]).remove()  # as `clean` does before it removes the first; killed then
    assert states(fleet.report(first)) == states(told)
    assert fleet.jobs() == 0
    assert main(["fleet", "clean", first]) == 0
    assert first not in fleet_names(fleet.root)


def test_a_job_that_collects_takes_a_night_to_its_end(fleet: FleetOfNights) -> None:
    """Nobody calls `fleet collect`: the second wave, the conclusion and --on-finding come from jobs alone."""
    fleet.build(1)
    fleet.night(1)
    fleet.build(2, 1.2)
    question = ("--", *NIGHTLY, "--night", "2026-09-02", "--on-finding", "cat >> told.json")
    assert main(["fleet", "start", "--on", "h100", "--collect-job", *question]) == 0
    first = fleet_names(fleet.root)[-1]
    assert fleet.jobs() == 2  # the job that measures, and the one after it
    assert fleet.jobs() == 2  # so has the second wave
    assert (open_fleet(fleet.root, first).path / "concluded.json").exists()
    assert len(json.loads((fleet.root / "told.json").read_text())["findings"]) == 2
    assert fleet.jobs() == 0
