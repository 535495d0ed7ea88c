"""`savedmodel-bench nightly` on a local index of stub wheels: states over nights, kills, and what a night says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from local_index import MINOR, LocalIndex
from rehearsed_nights import make_rehearsed, rehearse

from harness.cli import main
from harness.store.runs import runs_of

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]
ENTRY = f'[[release]]\nversion = "2.21.0"\ndate = 2026-03-06\nnewest_python = "{MINOR}"\noldest_python = "{MINOR}"\n'
BUILD = "2.22.0.dev2026090{}"
WORDS = ("nightly", "--preset", "rehearsed.toml", "--machine", "calm", "--python", MINOR, "--wheel", "cpu")


class Nights:
    """A project on a local index, and nights in it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = folder / "project"
        self.root.mkdir()
        (self.root / "releases.toml").write_text(ENTRY)
        (self.root / ".environments").mkdir()
        make_rehearsed(self.root)
        self.index = LocalIndex(folder / "index", monkeypatch)
        self.index.add("tensorflow-cpu", "2.21.0")
        self.index.add("tensorflow", "2.21.0")
        monkeypatch.chdir(self.root)
        rehearse(monkeypatch.setattr)

    def build(self, number: int, factor: float = 1.0) -> None:
        """Put a nightly on the index whose loads take this much longer."""
        self.index.add("tf-nightly-cpu", BUILD.format(number))
        self.plant(f"dev2026090{number}", factor)

    def plant(self, part: str, factor: float) -> None:
        file = self.root / "plants.json"
        plants = json.loads(file.read_text()) if file.exists() else {}
        file.write_text(json.dumps({**plants, part: factor}))

    def run(self, number: int, *words: str) -> dict[str, Any]:
        """Run a night and return its JSON."""
        out = self.root / "out.json"
        code = main([*WORDS, "--night", f"2026-09-0{number}", "--format", "json", "--output", str(out), *words])
        told = json.loads(out.read_text())
        assert told["exit_code"] == code
        return told

    def folder(self, number: int) -> Path:
        return self.root / "results" / "nights" / "calm" / f"2026-09-0{number}"


@pytest.fixture
def nights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Nights:
    return Nights(tmp_path, monkeypatch)


def states(told: dict[str, Any]) -> list[tuple[str, str]]:
    return sorted((one["model"], one["state"]) for one in told["findings"])


def test_a_regression_is_told_once_stays_open_and_is_gone(nights: Nights) -> None:
    nights.build(1)
    first = nights.run(1)
    assert (first["exit_code"], first["findings"]) == (0, [])
    assert [one["role"] for one in first["baselines"]] == ["stable"]

    nights.build(2, 1.2)
    second = nights.run(2, "--on-finding", "cat > told.json")
    assert second["exit_code"] == 1
    assert states(second) == [("conv-s", "new"), ("mlp-s", "new")]
    assert [(one["name"][-4:], one["role"]) for one in second["baselines"]] == [
        ("0901", "last-good"),
        ("21.0", "stable"),
    ]
    finding = second["findings"][0]
    assert finding["confirmed"]
    assert finding["low"] > 1.15
    assert finding["first_seen"] == "2026-09-02"
    assert json.loads((nights.root / "told.json").read_text())["findings"] == second["findings"]

    (nights.root / "told.json").unlink()
    nights.build(3, 1.2)
    third = nights.run(3, "--on-finding", "cat > told.json")
    assert (third["exit_code"], states(third)) == (0, [("conv-s", "open"), ("mlp-s", "open")])
    assert {one["id"] for one in third["findings"]} == {one["id"] for one in second["findings"]}
    assert not (nights.root / "told.json").exists()

    nights.build(4)
    fourth = nights.run(4, "--on-finding", "cat > told.json")
    assert (fourth["exit_code"], states(fourth)) == (0, [("conv-s", "gone"), ("mlp-s", "gone")])
    assert len(json.loads((nights.root / "told.json").read_text())["findings"]) == 2

    nights.build(5)
    fifth = nights.run(5)
    assert (fifth["exit_code"], fifth["findings"]) == (0, [])
    assert fifth["baselines"][0]["name"].endswith("0904")
    record = fifth["record"]
    assert record == {"nights": 5, "aa_judged": 20, "aa_called": 0, "canaries": 5, "canaries_found": 5}


def test_a_build_that_differs_from_itself_wakes_nobody_and_changes_nothing(nights: Nights) -> None:
    nights.build(1)
    nights.run(1)
    nights.build(2, 1.3)
    nights.plant("#2", 1.4)
    told = nights.run(2, "--on-finding", "touch told")
    assert told["exit_code"] == 3
    assert told["aa"] == {"judged": 4, "called": 2}
    assert told["findings"] == []
    assert "cannot be trusted" in told["shortfall"]
    assert not (nights.root / "told").exists()
    assert "cannot be trusted" in (nights.folder(2) / "report.md").read_text()
    nights.plant("#2", 1 / 1.0)
    nights.build(3)
    after = nights.run(3)
    assert after["missed"] == [{"night": "2026-09-02", "state": "untrusted"}]
    assert after["exit_code"] == 0
    assert after["baselines"][0]["name"].endswith("0901")


def test_an_accepted_finding_is_not_told_before_its_date(nights: Nights, capsys: pytest.CaptureFixture[str]) -> None:
    nights.build(1)
    nights.run(1)
    nights.build(2, 1.2)
    ident = nights.run(2)["findings"][0]["id"]
    assert main(["nightly", "--machine", "calm", "accept", ident, "--until", "2026-09-03", "--why", "known"]) == 0
    assert main(["nightly", "--machine", "calm", "accept", "0000", "--until", "2026-09-03", "--why", "known"]) == 3
    assert f"There is no finding '0000': those that are there are {ident}" in capsys.readouterr().err
    nights.build(3, 1.2)
    third = nights.run(3)
    assert third["exit_code"] == 0
    found = next(one for one in third["findings"] if one["id"] == ident)
    assert found["state"] == "accepted"
    assert found["accepted"] == {"until": "2026-09-03", "why": "known"}
    nights.build(4, 1.2)
    fourth = nights.run(4)
    assert fourth["exit_code"] == 1
    assert next(one for one in fourth["findings"] if one["id"] == ident)["state"] == "new"


def test_a_canary_that_is_not_found_is_a_night_without_an_answer(nights: Nights) -> None:
    nights.build(1)
    nights.plant("@canary", 1 / 1.3)
    told = nights.run(1)
    assert told["exit_code"] == 3
    assert told["canary"]["called"] is False
    assert "planted regressions were not found" in told["shortfall"]


def test_the_same_night_again_measures_nothing_and_says_the_same(nights: Nights) -> None:
    nights.build(1)
    first = nights.run(1)
    runs = len(runs_of(nights.root)[0])
    assert nights.run(1) == first
    assert len(runs_of(nights.root)[0]) == runs


def test_a_night_compresses_old_records_and_still_reads_them(nights: Nights) -> None:
    nights.build(1)
    first = nights.run(1)
    for run in runs_of(nights.root)[0]:
        facts = json.loads((run.path / "run.json").read_text())
        (run.path / "run.json").write_text(json.dumps({**facts, "created_at": "2026-01-02T03:04:05+00:00"}))
    for _ in range(2):
        assert nights.run(1) == first
        assert all(run.packed_path.exists() and not run.records_path.exists() for run in runs_of(nights.root)[0])


def test_without_a_new_build_nothing_is_measured(nights: Nights) -> None:
    nights.build(1)
    nights.run(1)
    runs = len(runs_of(nights.root)[0])
    told = nights.run(3)
    assert told["exit_code"] == 0
    assert told["idle"]
    assert len(runs_of(nights.root)[0]) == runs
    assert told["silent_since"] == "2026-09-01"
    nights.build(3)
    assert not nights.run(3)["idle"]


def test_a_night_without_an_index_is_one_without_an_answer_and_the_next_says_so(nights: Nights) -> None:
    told = nights.run(1)
    assert told["exit_code"] == 3
    assert "no wheels of tf-nightly-cpu" in told["shortfall"]
    nights.build(1)
    assert nights.run(1)["exit_code"] == 0


def test_two_nights_at_once_are_refused(nights: Nights, capsys: pytest.CaptureFixture[str]) -> None:
    from harness.store.nights import NightLock

    nights.build(1)
    with NightLock(nights.root, "calm"):
        assert main([*WORDS, "--night", "2026-09-01"]) == 3
    assert "wait until it ends or stop it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "block"),
    [("find", 0), ("night", 2), ("canary", 2), ("confirm", 2), ("conclude", 0)],
    ids=lambda one: str(one),
)
def test_a_night_that_was_killed_goes_on(nights: Nights, kind: str, block: int) -> None:
    nights.build(1)
    nights.run(1)
    nights.build(2, 1.2)
    (nights.root / "killed.json").write_text(json.dumps([kind, block]))
    command = [sys.executable, "-m", "tests.builders.rehearsed_nights", *WORDS, "--night", "2026-09-02"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(PROJECT), str(PROJECT / "tests" / "builders")))}
    killed = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    told = nights.run(2)
    assert told["exit_code"] == 1
    assert len(told["findings"]) == 2
    assert sum(run.facts["kind"] == "night" for run in runs_of(nights.root)[0]) == 2


def test_what_was_not_told_is_told_by_the_same_night_once(nights: Nights) -> None:
    nights.build(1)
    nights.run(1)
    nights.build(2, 1.2)
    nights.run(2, "--on-finding", "exit 7")
    nights.run(2, "--on-finding", "cat >> told.json")
    nights.run(2, "--on-finding", "cat >> told.json")
    assert json.loads((nights.root / "told.json").read_text())["exit_code"] == 1
