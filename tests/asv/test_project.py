"""`summary` and `compare` on the results of any asv project, through the command line."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asv_directories import (
    ENVIRONMENT,
    GRID,
    MACHINE,
    MEMORY,
    TIME,
    TRACK,
    benchmark,
    commit,
    results_of,
    write_benchmarks,
    write_first_layout,
    write_results,
)
from stored_runs import NEW, OLD, project_root

from harness.cli import main

ALL = (TIME, GRID, MEMORY, TRACK)


@pytest.fixture(name="results")
def _results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return results_of(tmp_path, monkeypatch, *ALL)


def noisy(centre: float, seed: int, count: int = 10) -> list[float]:
    return [float(value) for value in centre * np.exp(np.random.default_rng(seed).normal(0, 0.01, count))]


def compared(capsys: pytest.CaptureFixture[str], results: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    code = main(["compare", "--results", str(results), *arguments, "--format", "json"])
    return code, json.loads(capsys.readouterr().out)


def by_place(document: dict[str, Any], *fields: str) -> dict[str, Any]:
    return {
        f"{row['metric'].rpartition('.')[2]}{'' if row['model'] == '-' else '(' + row['model'] + ')'}": tuple(
            row[field] for field in fields
        )
        for row in document["rows"]
    }


def test_two_commits_are_judged_by_their_samples_and_what_cannot_be_says_why(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["new", "odd", "few", "stuck", "broke", "skipped", "gone"]
    more = {name: benchmark(f"suite.time_{name}") for name in names}
    suite = [*ALL, *more.values()]

    def values(factor: float) -> dict[str, Any]:
        return {
            TIME["name"]: noisy(factor, 1), GRID["name"]: [noisy(1.0, round(factor * 10)), noisy(1 / factor, 3)],
            MEMORY["name"]: 100.0, TRACK["name"]: factor, "suite.time_odd": noisy(1.0, 5),
            "suite.time_few": noisy(factor, 6, 3), "suite.time_stuck": [1.0] * 6,
        }  # fmt: skip

    first = {**values(1.0), "suite.time_broke": [1.0] * 5, "suite.time_gone": [1.0], "suite.time_skipped": 1.0}
    write_results(results, 1, first, suite)
    more["odd"] = benchmark("suite.time_odd", version="2")
    suite = [*ALL, *more.values()]
    later = {**values(1.5), "suite.time_broke": None, "suite.time_new": [1.0], "suite.time_skipped": math.nan}
    write_results(results, 2, later, suite)
    code, document = compared(capsys, results, commit(1)[:7], commit(2)[:9])
    assert code == 1
    assert by_place(document, "verdict", "reason", "judged") == {
        "time_solve": ("regression", "beyond-margin", True),
        "time_fill(10)": ("same", "within-margin", True),
        "time_fill(20)": ("improvement", "beyond-margin", True),
        "peakmem_solve": ("inconclusive", "single-value", True),
        "track_score": ("inconclusive", "unknown-direction", False),
        "time_odd": ("inconclusive", "other-version", True),
        "time_few": ("inconclusive", "too-few-samples", True),
        "time_stuck": ("inconclusive", "zero-variance", True),
        "time_broke": ("regression", "failed", True),
        "time_new": ("inconclusive", "not-measured", False),
        "time_gone": ("inconclusive", "not-measured", False),
        "time_skipped": ("inconclusive", "not-measured", False),
    }
    assert by_place(document, "old", "new", "ratio")["track_score"] == (1.0, 1.5, 1.5)
    assert by_place(document, "method")["time_solve"] == ("welch-t",)
    assert document["old"]["name"] == commit(1)[:8]
    assert document["paired"] is False


def test_unchanged_code_measured_again_has_no_finding(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite = [benchmark(f"suite.time_{number}") for number in range(30)]
    for side in (1, 2):
        values = {one["name"]: noisy(1.0, 100 * side + place) for place, one in enumerate(suite)}
        write_results(results, side, values, suite)
    code, document = compared(capsys, results, commit(1), commit(2), "--require-decision")
    assert code == 0
    assert {row["verdict"] for row in document["rows"]} == {"same"}


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_the_report_says_nothing_of_models(results: Path, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    for number, factor in ((1, 1.0), (2, 2.0)):
        write_results(results, number, {TIME["name"]: noisy(factor, number), MEMORY["name"]: 5.0}, ALL)
    assert main(["compare", "--results", str(results), commit(1), commit(2), "--format", form]) == 1
    told = capsys.readouterr().out
    assert "time_solve" in told
    assert "asv keeps one value of such a benchmark" in told
    assert "model" not in told
    assert "TensorFlow" not in told


def test_environments_are_rows_of_their_own(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in (1, 2):
        for environment, factor in ((ENVIRONMENT, 1.0), ("virtualenv-py3.12", 1.0 + number)):
            values = {TIME["name"]: noisy(factor, number)}
            write_results(results, number, values, ALL, environment=environment)
    _, document = compared(capsys, results, commit(1), commit(2))
    assert [(row["device"], row["verdict"]) for row in document["rows"]] == [
        (ENVIRONMENT, "same"), ("virtualenv-py3.12", "regression"),
    ]  # fmt: skip


def test_machines_are_never_mixed(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for machine in (MACHINE, "box"):
        for number in (1, 2):
            values = {TIME["name"]: noisy(3.0 if (machine, number) == ("box", 2) else 1.0, number)}
            write_results(results, number, values, ALL, machine=machine)
    arguments = ["compare", "--results", str(results), commit(1), commit(2)]
    assert main(arguments) == 3
    assert "--machine" in capsys.readouterr().err
    assert main([*arguments, "--machine", MACHINE]) == 0
    assert main([*arguments, "--machine", "box"]) == 1
    assert main([*arguments, "--machine", "unknown"]) == 3
    assert "box" in capsys.readouterr().err.splitlines()[-1]
    write_results(results, 3, {TIME["name"]: noisy(1.0, 1)}, ALL)
    assert main(["compare", "--results", str(results), commit(2), commit(3)]) == 0  # only one machine has both


def test_a_file_of_layout_1_can_be_compared_with_one_of_layout_2(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = {TIME["name"]: {"result": [1.0], "samples": [noisy(1.0, 1)]}}
    write_first_layout(results, 1, old, versions={TIME["name"]: "1"})
    write_results(results, 2, {TIME["name"]: noisy(2.0, 2)}, ALL)
    assert compared(capsys, results, commit(1), commit(2))[0] == 1


def test_results_without_a_version_belong_to_any(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """asv kept none at first; its own `compare` takes such a benchmark for the same one."""
    old = {TIME["name"]: {"result": [1.0], "samples": [noisy(1.0, 1)]}}
    write_first_layout(results, 1, old)
    write_results(results, 2, {TIME["name"]: noisy(2.0, 2)}, ALL)
    code, document = compared(capsys, results, commit(1), commit(2))
    assert (code, by_place(document, "verdict")["time_solve"]) == (1, ("regression",))
    (row,) = summarised(capsys, results).values()
    assert (row["results"], row["best_commit"], row["state"]) == (2, commit(1), "current")


def test_a_benchmark_that_begins_to_fail_is_a_regression(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_results(results, 1, {TIME["name"]: noisy(1.0, 1)}, ALL)
    write_results(results, 2, {TIME["name"]: None}, ALL)
    assert compared(capsys, results, commit(1), commit(2))[0] == 1
    assert compared(capsys, results, commit(2), commit(1))[0] == 0
    assert main(["compare", "--results", str(results), commit(1), commit(2)]) == 1
    told = capsys.readouterr().out
    assert "- 1 operation failed that worked before." in told
    assert re.search(r"time_solve +works +fails", told)
    assert main(["compare", "--results", str(results), commit(1), commit(2), "--verbose"]) == 1
    assert "time_solve: fails now" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "verdict", "code"),
    [
        (None, math.nan, ("inconclusive", "not-measured"), 0),
        (math.nan, None, ("regression", "failed"), 1),
        (None, 1.0, ("improvement", "failed"), 0),
        (None, "fast", ("inconclusive", "not-measured"), 0),
    ],
)
def test_what_failed_and_is_skipped_now_was_not_mended(
    results: Path, capsys: pytest.CaptureFixture[str], old: Any, new: Any, verdict: tuple[str, str], code: int
) -> None:
    for number, value in ((1, old), (2, new)):
        file = write_results(results, number, {TIME["name"]: noisy(1.0, number), MEMORY["name"]: 5.0}, ALL)
        document = json.loads(file.read_text())
        document["results"][MEMORY["name"]][0] = [value]
        file.write_text(json.dumps(document))
    found, document = compared(capsys, results, commit(1), commit(2))
    assert (found, by_place(document, "verdict", "reason")["peakmem_solve"]) == (code, verdict)


def test_one_commit_in_two_files_is_said_with_the_one_that_counts(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = write_results(results, 1, {TIME["name"]: noisy(5.0, 1)}, ALL)
    first.rename(first.with_name(f"{commit(1)[:8]}-earlier.json"))
    for number in (1, 2):
        write_results(results, number, {TIME["name"]: noisy(1.0, number)}, ALL)
    assert main(["compare", "--results", str(results), commit(1), commit(2)]) == 0
    told = capsys.readouterr().err
    assert f"{commit(1)[:8]}-earlier.json: is a second file of commit {commit(1)[:8]}" in told
    assert f"{first.name} counts" in told
    assert summarised(capsys, results)["time_solve"]["results"] == 2


def test_margins_go_by_pattern_and_one_that_matches_nothing_is_refused(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_results(results, 1, {TIME["name"]: noisy(1.0, 1)}, ALL)
    write_results(results, 2, {TIME["name"]: noisy(1.5, 2)}, ALL)
    arguments = ["compare", "--results", str(results), commit(1), commit(2), "--margin"]
    assert main([*arguments, "suite.time_solve=0.8"]) == 0
    assert main([*arguments, "*solve=0.8", "--margin", "*_solve/*=0.1"]) == 1
    capsys.readouterr()
    assert main([*arguments, "*sovle=0.8"]) == 3
    assert "'*sovle'" in capsys.readouterr().err


def test_commits_go_by_the_beginning_of_their_hash_or_by_a_tag(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
        done = subprocess.run(["git", *identity, *arguments], cwd=results, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "-m", "one")
    git("tag", "v1")
    file = write_results(results, 1, {TIME["name"]: noisy(1.0, 1)}, ALL)
    file.write_text(file.read_text().replace(commit(1), git("rev-parse", "v1")))
    write_results(results, 2, {TIME["name"]: noisy(1.0, 2)}, ALL)
    _, document = compared(capsys, results, "v1", commit(2)[:5])
    assert document["old"]["name"] == git("rev-parse", "v1")[:8]
    for wrong in ("v2", "zz", "", "-x"):
        assert main(["compare", "--results", str(results), "v1", "--", wrong]) == 3
    assert commit(2)[:8] in capsys.readouterr().err


def test_this_projects_own_asv_results_go_by_release(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = project_root(tmp_path / "project")
    from harness.releases.manifest import read_manifest

    manifest = read_manifest(root / "releases.toml")
    for number, name in ((1, OLD), (2, NEW)):
        file = write_results(root / "results" / "asv", number, {TIME["name"]: noisy(1.0, number)}, ALL)
        file.write_text(file.read_text().replace(commit(number), manifest.find(name).ident))
    code, document = compared(capsys, root / "results" / "asv", OLD, NEW)
    assert (code, document["old"]["name"]) == (0, manifest.find(OLD).ident[:8])


def summarised(capsys: pytest.CaptureFixture[str], results: Path, *arguments: str) -> dict[str, dict[str, Any]]:
    assert main(["summary", "--results", str(results), "--format", "json", *arguments]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    return {row["benchmark"].rpartition(".")[2] + row["parameters"]: row for row in rows}


def test_the_summary_sets_each_series_latest_value_against_its_best(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, value in enumerate((4.0, 2.0, 3.0)):
        values = {TIME["name"]: [value], GRID["name"]: [None, [value]], TRACK["name"]: value}
        write_results(results, number, values, ALL)
    write_results(results, 3, {TIME["name"]: None}, ALL)
    rows = summarised(capsys, results)
    solve = rows["time_solve"]
    assert (solve["latest"], solve["best"], solve["latest_to_best"]) == (3.0, 2.0, 1.5)
    assert (solve["commit"], solve["best_commit"]) == (commit(2), commit(1))
    assert (solve["results"], solve["failed"], solve["course"]) == (3, 1, [4.0, 2.0, 3.0])
    assert rows["time_fill10"]["latest"] is None
    assert rows["time_fill10"]["failed"] == 3
    assert (rows["track_score"]["latest"], rows["track_score"]["best"]) == (3.0, None)


def test_the_summary_keeps_to_one_version_and_names_what_is_retired(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    renamed = benchmark("suite.time_old_name")
    write_results(results, 1, {TIME["name"]: [1.0], renamed["name"]: [1.0], MEMORY["name"]: 5.0}, [*ALL, renamed])
    later = benchmark(TIME["name"], version="2")
    write_results(results, 2, {TIME["name"]: [9.0]}, [later])
    write_benchmarks(results, later, benchmark(MEMORY["name"], version="7"))
    rows = summarised(capsys, results)
    assert (rows["time_solve"]["version"], rows["time_solve"]["best"]) == ("2", 9.0)
    assert {name: row["state"] for name, row in rows.items()} == {
        "time_solve": "current", "time_old_name": "retired", "peakmem_solve": "outdated",
    }  # fmt: skip


@pytest.mark.parametrize("form", ["table", "markdown", "json", "csv"])
def test_every_format_of_the_summary_can_be_had(results: Path, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    for number, value in enumerate((4.0, 2.0, 3.0)):
        write_results(results, number, {GRID["name"]: [[value], None], MEMORY["name"]: 2.0**20}, ALL)
    assert main(["summary", "--verbose", "--results", str(results), "--format", form]) == 0
    told = capsys.readouterr().out
    if form == "csv":
        (row,) = (row for row in csv.DictReader(io.StringIO(told)) if row["parameters"] == "10")
        assert (row["latest"], row["course"]) == ("3.0", "4.0 2.0 3.0")
    elif form != "json":
        assert "1 machine, 1 environment, 2 benchmarks, 3 commits, 2023-11-14 to 2023-11-16" in " ".join(told.split())
        assert re.search(r"time_fill\(10\).* 3 .*3\.00 s.*2\.00 s at " + commit(1)[:8] + r".*\+50\.0 %.*█▁▅", told)
        assert "1.00 MiB" in told
        assert "▄▄▄" in told


def test_environments_with_long_names_get_short_ones(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for environment in (ENVIRONMENT, "virtualenv-py3.12-numpy"):
        write_results(results, 1, {TIME["name"]: [1.0]}, ALL, environment=environment)
    assert main(["summary", "--results", str(results)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert f"E1 is {ENVIRONMENT}; E2 is virtualenv-py3.12-numpy." in told
    assert "suite.time_solve E1 1.00 s" in told


def test_the_summary_of_benchmarks_is_narrowed_by_their_names_alone(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_results(results, 1, {TIME["name"]: [1.0], MEMORY["name"]: 2.0**20}, ALL)
    assert [row["unit"] for row in summarised(capsys, results, "--metric", "*.peakmem_*").values()] == ["bytes"]
    assert main(["summary", "--results", str(results), "--metric", "nothing*"]) == 3
    assert "No benchmark matches --metric 'nothing*'" in capsys.readouterr().err
    for command in ("summary", "export"):
        assert main([command, "--results", str(results), "--model", "mlp-s"]) == 3
        assert "--model is for this project's own results" in capsys.readouterr().err


def test_a_directory_without_any_value_is_summarised_as_such(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_results(results, 1, {TIME["name"]: None}, ALL)
    assert summarised(capsys, results)["time_solve"]["results"] == 0
    write_results(results, 1, {}, ALL)
    assert summarised(capsys, results) == {}
    for form in ("table", "markdown", "csv"):
        assert main(["summary", "--results", str(results), "--format", form]) == 0


def test_what_is_skipped_is_named_but_not_without_end(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_results(results, 1, {TIME["name"]: [1.0]}, ALL)
    for number in range(15):
        (results / MACHINE / f"{number}.json").write_text("{")
    summarised_error = main(["summary", "--results", str(results)])
    told = capsys.readouterr().err.splitlines()
    assert summarised_error == 0
    assert len(told) == 11
    assert "5 more" in told[-1]
