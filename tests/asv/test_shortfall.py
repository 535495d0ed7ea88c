"""Commits of an asv project that have nothing in common are not compared, and the reason is given."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asv_directories import benchmark, commit, write_benchmarks, write_results

from harness.cli import main

TIME = benchmark("suite.time_solve")
MORE = benchmark("suite.time_fill")


def compared(root: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    arguments = ["compare", "--results", str(root), commit(1), commit(2), "--format", "json"]
    code = main(arguments)
    return code, json.loads(capsys.readouterr().out)


@pytest.fixture(name="results")
def _results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_benchmarks(tmp_path / "results", TIME, MORE)
    return tmp_path / "results"


def noisy(seed: int) -> list[float]:
    return [float(value) for value in np.exp(np.random.default_rng(seed).normal(0, 0.01, 10))]


def test_commits_of_two_environments_are_not_compared_and_both_are_named(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pin moved between two nights, so every series has another name."""
    write_results(results, 1, {TIME["name"]: noisy(1)}, (TIME, MORE), environment="virtualenv-py3.11-numpy1.26")
    write_results(results, 2, {TIME["name"]: noisy(2)}, (TIME, MORE), environment="virtualenv-py3.11-numpy2.1")
    code, document = compared(results, capsys)
    assert code == 3
    assert {row["verdict"] for row in document["rows"]} == {"inconclusive"}
    for name in ("no environment in common", "numpy1.26", "numpy2.1", "measure both commits under one name"):
        assert name in document["shortfall"]
    assert main(["compare", "--results", str(results), commit(1), commit(2)]) == 3
    assert capsys.readouterr().out.startswith("Nothing could be compared: ")


def test_commits_without_a_benchmark_in_common_are_not_compared(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_results(results, 1, {TIME["name"]: noisy(1)}, (TIME, MORE))
    write_results(results, 2, {MORE["name"]: noisy(2)}, (TIME, MORE))
    code, document = compared(results, capsys)
    assert code == 3
    assert "no benchmark in common" in document["shortfall"]
    assert f"{commit(2)[:8]} has suite.time_fill" in document["shortfall"]


def test_commits_of_which_neither_has_a_value_are_not_the_same(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (1, 2):
        write_results(results, number, {TIME["name"]: None, MORE["name"]: math.nan}, (TIME, MORE))
    code, document = compared(results, capsys)
    assert code == 3
    assert [row["verdict"] for row in document["rows"]] == ["inconclusive"] * 2
    assert "of 2 rows 1 lack a value on a side, 1 failed on both sides" in document["shortfall"]
    # One row that both have is a comparison.
    write_results(results, 1, {TIME["name"]: None, MORE["name"]: noisy(1)}, (TIME, MORE))
    write_results(results, 2, {TIME["name"]: None, MORE["name"]: noisy(2)}, (TIME, MORE))
    assert compared(results, capsys)[0] == 0


def test_a_new_version_of_every_benchmark_leaves_nothing_to_compare(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_results(results, 1, {TIME["name"]: noisy(1)}, (TIME,))
    write_results(results, 2, {TIME["name"]: noisy(2)}, (benchmark(TIME["name"], version="2"),))
    code, document = compared(results, capsys)
    assert (code, document["rows"][0]["reason"]) == (3, "other-version")
    assert "1 have another version of the benchmark" in document["shortfall"]
