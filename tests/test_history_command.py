"""`savedmodel-bench history`: findings over releases, nights and any asv project's commits."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asv_directories import MACHINE, benchmark, commit, write_benchmarks, write_results
from stored_runs import NEW, OLD, blocks, project_root, store_run

from harness.cli import main
from harness.releases.manifest import read_manifest

GRID = benchmark("suite.Grid.time_fill", [[10, 20, 30]])
PLAIN = benchmark("suite.time_solve")


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["history", "--format", "json", *arguments]) == 0
    return {section["axis"]: section for section in json.loads(capsys.readouterr().out)["sections"]}


@pytest.fixture(name="results")
def _results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "results"
    write_benchmarks(path, GRID, PLAIN)
    random = np.random.default_rng(1)
    for number in range(20):
        noise = [float(value) for value in np.exp(random.normal(0, 0.01, 4))]
        step = 1.4 if number >= 12 else 1.0
        grid = [[noise[0] * step], [noise[1] * step], [noise[2]]]
        write_results(
            path, number, {GRID["name"]: grid, PLAIN["name"]: [noise[3] * (9 if number == 5 else 1)]}, (GRID, PLAIN)
        )
    return path


def test_rows_of_one_benchmark_that_changed_together_are_one_finding(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    section = told(capsys, "--results", str(results))["commits"]
    assert section["courses"] == 4
    (finding,) = section["findings"]
    assert finding == {
        **finding, "machine": MACHINE, "benchmark": GRID["name"], "shape": "step", "since": commit(12)[:8],
        "previous": commit(11)[:8], "ratio": pytest.approx(1.4, rel=0.02),
    }  # fmt: skip
    assert [row["row"] for row in sorted(finding["rows"], key=lambda row: row["row"])] == ["10", "20"]


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_a_finding_says_since_when_by_how_much_and_which_rows(
    results: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["history", "--results", str(results), "--format", form]) == 0
    shown = capsys.readouterr().out
    assert "Over commits: 1 finding (4 courses, changes over 5 %)." in shown
    assert f"since {commit(12)[:8]} ({commit(11)[:8]} before) in 2 rows" in shown
    assert re.search(r"\+(39|40|41)\.\d %", shown)


def test_values_of_an_earlier_version_are_no_step(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    later = benchmark(PLAIN["name"], version="2")
    for number in range(20, 26):
        write_results(results, number, {PLAIN["name"]: [5.0 + number / 1000]}, (later,))
    write_benchmarks(results, GRID, later)
    findings = told(capsys, "--results", str(results))["commits"]["findings"]
    assert [finding["benchmark"] for finding in findings] == [GRID["name"]]


def test_a_larger_margin_lets_smaller_changes_be(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "--results", str(results), "--margin", "0.5")["commits"]["findings"] == []
    with pytest.raises(SystemExit) as ended:
        main(["history", "--margin", "5"])
    assert ended.value.code == 3


@pytest.fixture(name="root")
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = project_root(tmp_path / "project")
    monkeypatch.chdir(root)
    return root


def test_releases_are_looked_along_by_date(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    releases = [release.name for release in read_manifest(root / "releases.toml").releases]
    random = np.random.default_rng(2)
    levels = {name: 2.0 if place >= len(releases) - 3 else 1.0 for place, name in enumerate(releases)}
    series = {
        name: [float(value) for value in level * np.exp(random.normal(0, 0.01, 3))] for name, level in levels.items()
    }
    store_run(root, blocks(series), subjects=releases)
    sections = told(capsys)
    (finding,) = sections["releases"]["findings"]
    assert (finding["metric"], finding["since"], finding["previous"]) == ("load_warm_s", releases[-3], releases[-4])
    assert finding["environment"] == "cpu today"
    assert finding["rows"][0]["row"] == "cpu mlp-s tf-module/tf-load"
    assert sections["nights"]["findings"] == []


def test_nights_show_what_changed_under_one_release(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(3)
    runs = []
    for night in range(12):
        level = float(np.exp(random.normal(0, 0.01))) * (1.5 if night >= 7 else 1.0)
        runs.append(store_run(root, blocks({NEW: [level]}), subjects=(NEW,)).run)
        time.sleep(0.002)
    store_run(root, blocks({OLD: [1.0]}), subjects=(OLD,))
    sections = told(capsys)
    (finding,) = sections["nights"]["findings"]
    assert (finding["subject"], finding["since"], finding["previous"]) == (NEW, runs[7], runs[6])
    assert sections["releases"]["findings"] == []


def test_without_results_a_sentence_says_what_to_do(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history"]) == 3
    assert "measure" in capsys.readouterr().err
