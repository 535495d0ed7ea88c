"""`history --results`: what rose from zero, failed or was dropped, in which order commits stand, one cause of many."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asv_directories import ENVIRONMENT, MACHINE, benchmark, commit, write_benchmarks, write_results

from harness.cli import main

LEAKS = benchmark("suite.track_leaks")
SOLVE = benchmark("suite.time_solve")


@pytest.fixture(name="results")
def _results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "results"


def write_series(results: Path, *values: tuple[dict[str, Any], list[Any]], places: int = 12) -> None:
    """Write a directory with a value of each benchmark for each commit; "-" leaves it out."""
    write_benchmarks(results, *(one for one, _ in values))
    for number in range(places):
        given = {one["name"]: series[number] for one, series in values if series[number] != "-"}
        write_results(results, number, given, [one for one, _ in values])


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["history", "--results", "results", "--format", "json", *arguments]) == 0
    (section,) = json.loads(capsys.readouterr().out)["sections"]
    return dict(section)


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["history", "--verbose", "--results", "results", *arguments]) == 0
    return " ".join(capsys.readouterr().out.split())


def levels(*parts: tuple[float, int], noise: float = 0.01, seed: int = 1) -> list[float]:
    random = np.random.default_rng(seed)
    return [float(value) for level, length in parts for value in level * np.exp(random.normal(0, noise, length))]


def test_what_was_zero_and_is_not_any_more_is_a_change_without_a_ratio(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_series(results, (LEAKS, [0.0] * 7 + [3.0] * 5), (SOLVE, levels((1.0, 12))))
    (finding,) = told(capsys)["findings"]
    assert (finding["benchmark"], finding["since"], finding["ratio"]) == (LEAKS["name"], commit(7)[:8], None)
    assert [(row["before"], row["after"], row["ratio"]) for row in finding["rows"]] == [(0.0, 3.0, None)]
    assert f"suite.track_leaks: from 0 to 3 since {commit(7)[:8]} ({commit(6)[:8]} before)" in shown(capsys)


@pytest.mark.parametrize("series", [[0.0, 3.0] * 6, [0.0] * 11 + [3.0], [0.0] * 12])
def test_values_that_are_zero_now_and_then_are_no_change(
    results: Path, series: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    write_series(results, (LEAKS, series))
    assert told(capsys)["findings"] == []


def test_what_fails_now_and_what_nobody_measures_any_more_is_listed(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dropped = benchmark("suite.time_dropped")
    write_series(
        results,
        (SOLVE, [*levels((1.0, 9)), None, None, None]),
        (dropped, [*levels((1.0, 7)), *"-----"]),
        (LEAKS, [1.0] * 12),
    )
    section = told(capsys)
    group = [MACHINE, ENVIRONMENT]
    assert section["failing"] == [
        {"group": [*group, SOLVE["name"]], "row": "", "since": commit(9)[:8], "before": commit(8)[:8]}
    ]
    assert section["stopped"] == [{"group": [*group, dropped["name"]], "row": "", "last": commit(6)[:8], "later": 5}]
    said = shown(capsys)
    assert f"failing since {commit(9)[:8]} (last worked at {commit(8)[:8]})" in said
    assert f"Last measured at {commit(6)[:8]}; 5 later commits have no value: {dropped['name']}" in said
    assert main(["summary", "--results", "results"]) == 0
    assert "(5 commits ago)" in " ".join(capsys.readouterr().out.split())


def test_what_fails_or_is_left_out_now_and_then_is_no_news(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rare = benchmark("suite.time_rare")
    good = levels((1.0, 20))
    flaky = [None if place in (3, 4, 9, 18, 19) else value for place, value in enumerate(good)]
    seldom = [value if place in (0, 6, 12) else "-" for place, value in enumerate(good)]
    write_series(results, (SOLVE, flaky), (rare, seldom), (LEAKS, [1.0] * 20), places=20)
    section = told(capsys)
    assert (section["failing"], section["stopped"]) == ([], [])


def git(repository: Path, *words: str) -> str:
    settings = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(
        ["git", "-C", str(repository), *settings, *words], check=True, capture_output=True, text=True
    ).stdout.strip()


def rewritten(results: Path, number: int, **fields: Any) -> None:
    """Change fields of the file that holds the number-th commit; its name begins with the commit's."""
    path = results / MACHINE / f"{commit(number)[:8]}-{ENVIRONMENT}.json"
    document = {**json.loads(path.read_text()), **fields}
    path.unlink()
    path.with_name(f"{document['commit_hash'][:8]}-{ENVIRONMENT}.json").write_text(json.dumps(document))


def test_commits_stand_in_the_order_of_the_log_and_not_of_their_dates(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A branch that was merged late has old dates: by these, the step would be two."""
    repository = tmp_path / "repository"
    repository.mkdir()
    git(repository, "init", "-q")
    write_series(results, (SOLVE, levels((1.0, 8), (1.4, 8))), places=16)
    hashes = []
    for number in range(16):
        git(repository, "commit", "-q", "--allow-empty", "-m", str(number))
        hashes.append(git(repository, "rev-parse", "HEAD"))
        date = 1_700_000_000_000 + (number if number < 12 else number - 11.5) * 86_400_000
        rewritten(results, number, commit_hash=hashes[-1], date=int(date))
    section = told(capsys, "--repo", "repository")
    assert [one["since"] for one in section["findings"]] == [hashes[8][:8]]
    assert "log of" in section["order"]
    by_dates = told(capsys)
    assert [one["since"] for one in by_dates["findings"]] != [hashes[8][:8]]
    assert "--repo DIR names one" in by_dates["order"]


def test_commits_of_one_second_are_one_place(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_series(results, (SOLVE, levels((1.0, 8), (1.4, 8))), places=16)
    for number in range(4):
        rewritten(results, number, date=1_700_000_000_000)
    section = told(capsys)
    assert "3 have the same second as another" in section["order"]
    assert [one["since"] for one in section["findings"]] == [commit(8)[:8]]


def test_a_repository_that_is_none_is_named_and_one_without_results_refused(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_series(results, (SOLVE, levels((1.0, 12))))
    assert main(["history", "--results", "results", "--repo", "results"]) == 3
    assert "results" in capsys.readouterr().err
    assert main(["history", "--repo", "results"]) == 3
    assert "--results" in capsys.readouterr().err


def test_most_of_a_machine_changed_by_one_factor_is_one_change(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = [benchmark(f"suite.time_{number}") for number in range(12)]
    write_series(
        results,
        *((one, levels((1.0, 10), (0.75, 10), seed=seed)) for seed, one in enumerate(suite[:10])),
        (suite[10], levels((1.0, 20), seed=20)),
        (suite[11], levels((1.0, 15), (3.0, 5), seed=21)),
        places=20,
    )
    section = told(capsys)
    assert [(one["is_common"], len(one["rows"])) for one in section["findings"]] == [(True, 10), (False, 1)]
    assert section["findings"][0]["ratio"] == pytest.approx(0.75, rel=0.02)
    assert "the machine, Python or a library changed" in shown(capsys)


def test_one_screen_shows_the_largest_changes_and_says_how_to_see_the_rest(
    results: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    suite = [benchmark(f"suite.time_{number}") for number in range(25)]
    places = 40
    write_series(
        results,
        *((one, levels((1.0, 6 + at), (1.5 + at / 10, places - 6 - at), seed=at)) for at, one in enumerate(suite)),
        places=places,
    )
    assert len(told(capsys)["findings"]) == 25
    assert main(["history", "--results", "results"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 40
    # A command is never broken: it is there to be copied.
    assert max(len(line) for line in lines if "asv continuous" not in line) <= 80
    changes = [re.findall(r"suite\S+", line)[0] for line in lines if re.match(r" +[x+]\d.* suite", line)]
    assert changes == [f"suite.time_{number}" for number in range(24, 2, -1)]
    assert "--verbose adds 3 smaller changes, and the rows of each change." in " ".join(lines)
    assert "suite.time_0:" in shown(capsys)


def test_single_steps_beside_streaks_in_short_series_are_named_but_not_found(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = [benchmark(f"suite.time_{number}") for number in range(12)]
    shapes = [(1.0, 4, 1.3, 8), (1.3, 7, 1.0, 5), (1.0, 9, 1.3, 3), (1.3, 3, 1.0, 9)]
    write_series(
        results,
        *(
            (one, levels((a, n), (b, m), seed=at))
            for at, (one, (a, n, b, m)) in enumerate(zip(suite, shapes, strict=False))
        ),
        *((one, levels((1.0, 2 + at), (1.3, 5), (1.0, 5 - at), seed=at)) for at, one in enumerate(suite[4:8])),
        *((one, levels((1.0, 12), seed=at)) for at, one in enumerate(suite[8:], 20)),
    )
    section = told(capsys)
    assert section["findings"] == []
    assert {one["benchmark"] for one in section["untold"]} == {one["name"] for one in suite[:4]}
    assert "Not told from noise" in (text := shown(capsys))
    assert f"since {commit(4)[:8]} ({commit(3)[:8]} before); desk" in text
