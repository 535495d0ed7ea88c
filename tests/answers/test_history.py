"""`savedmodel-bench history`: findings over releases, nights and any asv project's commits."""

from __future__ import annotations

import json
import re
import shlex
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asv_directories import MACHINE, benchmark, commit, write_benchmarks, write_results
from stored_runs import MACHINE as CALM
from stored_runs import NEW, OLD, blocks, project_root, store_run

from harness.cli import main, parser_of
from harness.commands.shared import confirm
from harness.measure.limits import Limits
from harness.measure.sitting import Outcome
from harness.planning.request import Request
from harness.releases.manifest import read_manifest
from harness.worker import WORKER_VERSION

GRID = benchmark("suite.Grid.time_fill", [[10, 20, 30]])
PLAIN = benchmark("suite.time_solve")


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["history", "--verbose", "--format", "json", *arguments]) == 0
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
    assert main(["history", "--verbose", "--results", str(results), "--format", form]) == 0
    shown = capsys.readouterr().out
    assert "Over commits: 1 change of more than 5 % in 4 series." in shown
    assert f"since {commit(12)[:8]} ({commit(11)[:8]} before) in 2 rows" in shown
    assert re.search(r"\+(39|40|41)\.\d %", shown)


def test_courses_too_short_to_show_a_change_are_counted_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Four releases show no change, however large; a row that has a fifth is looked at."""
    root = project_root(tmp_path)
    monkeypatch.chdir(root)
    names = ["v2.16.2", "v2.17.1", "v2.18.1", OLD, NEW]
    store_run(root, blocks({name: [0.1 if name != NEW else 0.4] for name in names[1:]}), subjects=names[1:])
    section = told(capsys)["releases"]
    assert (section["courses"], section["courses_too_short"], section["fewest_values"]) == (1, 1, 5)
    assert main(["history", "--verbose"]) == 0
    shown = capsys.readouterr().out
    assert "Over releases: no change of more than 5 % in 0 series.\n  Not searched: 1 series, which has" in shown
    assert "fewer than 5 values (`savedmodel-bench compare` compares two releases)." in " ".join(shown.split())
    store_run(root, blocks({name: [2.0] for name in names}, metric="import_s", cell=None), subjects=names)
    section = told(capsys)["releases"]
    assert (section["courses"], section["courses_too_short"]) == (2, 1)
    assert main(["history", "--verbose", "--format", "markdown"]) == 0
    shown = capsys.readouterr().out
    assert "## Over releases: no change of more than 5 % in 1 series.\n\nNot searched: 1 series, which" in shown
    assert "9 series, which have fewer than 5 values (each complete run adds one value)." in shown


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
        main(["history", "--verbose", "--margin", "5"])
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
    assert finding["environment"] == "cpu today py3.11"
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


def test_profiles_and_calibrations_have_no_place_among_releases(
    slower: tuple[Path, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Today's release under a profile, or measured against itself, would otherwise stand before all others."""
    root, old, _ = slower
    before = told(capsys)["releases"]
    for name, kind in ((f"{NEW}@xla", "compare"), (f"{NEW}#2", "compare"), (NEW, "calibrate")):
        stored = store_run(root, blocks({name: [0.1, 0.1]}), subjects=(NEW,), kind=kind)
        stored.updated(subjects=[{**stored.facts["subjects"][0], "name": name}])
    after = told(capsys)["releases"]
    assert (after["courses"], after["findings"]) == (before["courses"], before["findings"])
    assert after["findings"][0]["previous"] == old
    assert main(["summary", "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["standings"]
    assert row["best"] > 0.5
    assert "@" not in row["best_release"]


def test_times_that_their_run_does_not_judge_are_no_finding(
    slower: tuple[Path, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A paired run of the same preset would not judge them either, so nothing could ever confirm them."""
    root, _, _ = slower
    assert len(told(capsys)["releases"]["findings"]) == 1
    (path,) = (root / "results" / "runs").glob("*/*/run.json")
    facts = json.loads(path.read_text())
    facts["preset"]["groups"] = [{"exact_only": True, "cells": [{"model": "mlp-s", "writer": "tf-module"}]}]
    path.write_text(json.dumps(facts))
    assert told(capsys)["releases"]["findings"] == []


@pytest.fixture(name="slower")
def _slower(root: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str, str]:
    """A project whose newest three releases load twice as slowly, on this machine; the releases around the step."""
    monkeypatch.setenv("SAVEDMODEL_BENCH_MACHINE", CALM)
    releases = [release.name for release in read_manifest(root / "releases.toml").releases]
    random = np.random.default_rng(2)
    levels = {name: 2.0 if place >= len(releases) - 3 else 1.0 for place, name in enumerate(releases)}
    series = {
        name: [float(value) for value in level * np.exp(random.normal(0, 0.01, 3))] for name, level in levels.items()
    }
    store_run(root, blocks(series), subjects=releases)
    return root, releases[-4], releases[-3]


def test_an_unconfirmed_finding_prints_the_command_that_would_confirm_it(
    slower: tuple[Path, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    _, old, new = slower
    (finding,) = told(capsys)["releases"]["findings"]
    assert finding["standing"] == "unconfirmed"
    arguments = shlex.split(finding["command"])[1:]
    options = parser_of(arguments).parse_args(arguments)
    assert (options.command, options.old, options.new, options.preset) == ("compare", old, new, "quick")
    assert (options.device, options.model, options.operation) == (["cpu"], "mlp-s", ["load"])
    assert (options.wheel, options.policy, options.margin, options.budget) == ("cpu", "today", [(None, 0.05)], 1200)
    assert main(["history", "--verbose"]) == 0
    assert f"compare {old} {new} --preset quick" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("ratio", "noise", "standing", "code"),
    [(2.0, 0.01, "confirmed", 1), (1.0, 0.01, "refuted", 0), (1.05, 0.3, "undecided", 0)],
)
def test_a_paired_run_of_both_sides_settles_a_finding(
    slower: tuple[Path, str, str], ratio: float, noise: float, standing: str, code: int,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    _, old, new = slower
    asked = []

    def measured(request: Request, kind: str, limits: Limits, looks: object) -> Outcome:
        """Stand in for minutes of TensorFlow: the run that such a measurement leaves behind."""
        asked.append((kind, request.subjects, request.models, limits.budget_s))
        random = np.random.default_rng(4)
        sides = {
            name: [float(value) for value in level * np.exp(random.normal(0, noise, 6))]
            for name, level in ((old, 1.0), (new, ratio))
        }
        run = store_run(request.root, blocks(sides), subjects=request.subjects, kind=kind)
        return Outcome(run, 6, 0, 6, interrupted=False, stopped_by=None)

    monkeypatch.setattr(confirm, "measure_request", measured)
    assert main(["history", "--verbose", "--confirm", "5m"]) == code
    shown = capsys.readouterr().out
    assert asked == [("confirm", (old, new), "mlp-s", 300.0)]
    assert f"{standing} in {int(standing == 'confirmed')} of 1 row" in shown
    # What is known is not measured again, and stays known.
    (finding,) = (one for one in told(capsys)["releases"]["findings"] if one["since"] == new)
    assert (finding["standing"], len(finding["paired_rows"])) == (standing, 1)
    main(["history", "--verbose", "--confirm", "5m"])
    assert len(asked) == (2 if standing == "undecided" else 1)


def test_a_new_worker_version_is_no_change(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a number means changed in the middle of the nights, and with the newest release."""
    releases = [release.name for release in read_manifest(root / "releases.toml").releases]
    random = np.random.default_rng(5)

    def noisy(level: float) -> list[float]:
        return [float(level * np.exp(random.normal(0, 0.01)))]

    older = [store_run(root, blocks({name: noisy(1.0) for name in releases}), subjects=releases, worker_version=3).run]
    older += [store_run(root, blocks({NEW: noisy(1.0)}), subjects=(NEW,), worker_version=3).run for _ in range(5)]
    for _ in range(5):
        store_run(root, blocks({NEW: noisy(2.0)}), subjects=(NEW,), worker_version=WORKER_VERSION)
    assert main(["history", "--verbose", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [section["findings"] for section in document["sections"]] == [[], []]
    (left_out,) = document["older_runs"]
    assert (left_out["machine"], left_out["version_read"], sorted(left_out["runs"])) == (
        CALM,
        WORKER_VERSION,
        sorted(older),
    )
    assert main(["history", "--verbose"]) == 0
    assert (
        f"{CALM}: 6 runs with a measurement method before version {WORKER_VERSION} left out, because not all of their "
        "numbers are comparable; `savedmodel-bench export` has all."
    ) in " ".join(capsys.readouterr().out.split())


def test_a_paired_run_of_an_older_worker_settles_nothing(
    slower: tuple[Path, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    root, old, new = slower
    sides = {old: [1.0, 1.01, 0.99, 1.0, 1.01, 0.99], new: [2.0, 2.01, 1.99, 2.0, 2.01, 1.99]}
    store_run(root, blocks(sides), subjects=[old, new], kind="confirm", worker_version=WORKER_VERSION - 1)
    (finding,) = told(capsys)["releases"]["findings"]
    assert (finding["standing"], finding["paired_run"]) == ("unconfirmed", None)
    assert "older version of the measurement method" in finding["reason"]
    store_run(root, blocks(sides), subjects=[old, new], kind="confirm")
    (finding,) = told(capsys)["releases"]["findings"]
    assert (finding["standing"], finding["reason"]) == ("confirmed", None)


def test_a_finding_of_another_machine_is_not_measured_here(
    slower: tuple[Path, str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SAVEDMODEL_BENCH_MACHINE", "elsewhere")
    assert main(["history", "--verbose", "--confirm"]) == 0
    assert f"unconfirmed: it was found in the results of {CALM}" in capsys.readouterr().out


def test_findings_of_another_project_say_how_its_owner_confirms_them(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (finding,) = told(capsys, "--results", str(results))["commits"]["findings"]
    measured, judged = finding["command"].split(" && ")
    assert measured.startswith("asv continuous --interleave-rounds")
    assert measured.endswith(commit(12)[:8])
    assert f"compare --results {results} {commit(11)[:8]} {commit(12)[:8]}" in judged
    assert main(["history", "--verbose", "--results", str(results), "--confirm"]) == 3


def test_without_results_a_sentence_says_what_to_do(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history", "--verbose"]) == 3
    assert "measure" in capsys.readouterr().err
