"""The outline: a line for each metric and model family, its course over releases, and what moved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from stored_runs import CELL, MACHINE, NEW, OLD, blocks, project_root, store_run

from harness.answers.courses import steps_between_releases
from harness.answers.narrowing import Narrowing
from harness.answers.outline import Outline, outlines
from harness.answers.records_history import ask_releases, judged_samples
from harness.answers.summary import summary
from harness.cli import main

FIRST = "v2.15.1"


@pytest.fixture(name="root")
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = project_root(tmp_path)
    monkeypatch.chdir(root)
    return root


def measure(root: Path, model: str, values: dict[str, list[float]], metric: str = "load_warm_s", **named: Any) -> None:
    store_run(root, blocks(values, metric=metric, cell={**CELL, "model": model}, **named), subjects=tuple(values))


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["summary", *arguments]) == 0
    return capsys.readouterr().out


def asked(root: Path) -> Outline:
    judged = judged_samples(root)
    (found,) = outlines(judged.points, ask_releases(judged), steps_between_releases(root, judged.order))
    return found


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["summary", *arguments]) == 3
    return capsys.readouterr().err


def test_a_family_is_as_much_slower_as_its_models_are_on_average(root: Path) -> None:
    measure(root, "mlp-s", {OLD: [1.0], NEW: [2.0]})
    measure(root, "mlp-m", {OLD: [9.0], NEW: [18.0]})
    measure(root, "conv-s", {OLD: [5.0], NEW: [4.0]})
    conv, mlp = asked(root).by_family
    assert (conv.family, conv.model, conv.rows, conv.values) == ("conv", "conv-s", 1, (5.0, 4.0))
    assert (mlp.family, mlp.model, mlp.rows) == ("mlp", None, 2)
    assert mlp.values == pytest.approx((3.0, 6.0))
    assert (mlp.best, mlp.best_release, mlp.latest_release) == (pytest.approx(3.0), OLD, NEW)


def test_a_release_that_has_other_models_is_compared_in_those_that_both_have(root: Path) -> None:
    measure(root, "mlp-s", {FIRST: [2.0], OLD: [1.0], NEW: [1.0]})
    measure(root, "mlp-xl", {NEW: [100.0]})
    measure(root, "mlp-l", {FIRST: [70.0]})
    (mlp,) = asked(root).by_family
    assert mlp.values == pytest.approx((20.0, 10.0, 10.0))


def test_counts_are_added_up(root: Path) -> None:
    for model, values in (("mlp-s", {OLD: [1.0], NEW: [0.0]}), ("mlp-m", {OLD: [3.0], NEW: [2.0]})):
        measure(root, model, values, "graph_nodes", operation="save")
    (mlp,) = asked(root).by_family
    assert mlp.values == (4.0, 2.0)


def test_what_was_not_measured_is_a_gap_and_no_zero(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measure(root, "mlp-s", {OLD: [1.0]})
    measure(root, "mlp-s", {FIRST: [1.0], NEW: [2.0]}, "save_first_s", operation="save")
    save, load = asked(root).by_family
    assert (save.values, load.values) == ((1.0, None, 2.0), (None, 1.0, None))
    assert (load.latest_release, load.latest) == (OLD, 1.0)
    assert "▁·█" in shown(capsys)


def test_a_change_that_a_paired_run_shows_has_moved_and_noise_has_not(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calm = [1.0, 1.01, 0.99, 1.0, 1.01, 0.99]
    conv = blocks({OLD: calm, NEW: calm[::-1]}, cell={**CELL, "model": "conv-s"})
    slower = blocks({OLD: calm, NEW: [1.5 * value for value in calm[::-1]]})
    store_run(root, [*(record for record in conv if record["type"] == "repeat"), *slower])
    level, mlp = asked(root).by_family
    assert level.moves == ()
    (move,) = mlp.moves
    assert (move.release, move.previous, move.rows, move.is_next) == (NEW, OLD, 1, True)
    assert move.ratio == pytest.approx(1.5, rel=0.05)
    told = shown(capsys)
    assert "1 of 2 metrics and model families moved." in " ".join(told.split())
    (line,) = (line for line in told.splitlines() if "+50 %" in line)
    assert line.split()[-3:] == ["+50", "%", "2.21.0"]


def test_options_narrow_it_and_leave_what_has_no_model(root: Path) -> None:
    measure(root, "mlp-s", {FIRST: [1.0], OLD: [1.0], NEW: [2.0]})
    measure(root, "conv-s", {OLD: [1.0], NEW: [2.0]})
    measure(root, "mlp-s", {OLD: [1.0], NEW: [2.0]}, "save_first_s", operation="save")
    store_run(root, blocks({OLD: [4.0], NEW: [5.0]}, metric="import_s", cell=None, operation="import"))
    points = judged_samples(root).points

    def rows(**globs: str) -> list[tuple[str, str | None]]:
        (found,) = outlines(Narrowing(**globs).points(points), None, None)
        return [(line.metric, line.model) for line in found.by_row]

    load, save, imported = ("load_warm_s", "mlp-s"), ("save_first_s", "mlp-s"), ("import_s", "-")
    assert rows(models="mlp-*") == [imported, save, load]
    assert rows(metrics="load_*", models="mlp-s") == [load]
    assert rows(operations="save,import") == [imported, save]
    assert rows(devices="cpu") == [imported, save, ("load_warm_s", "conv-s"), load]

    def releases(globs: str) -> tuple[str, ...]:
        return outlines(Narrowing(releases=globs).points(points), None, None)[0].releases

    assert releases("2.2*,v2.15.1") == (FIRST, OLD, NEW)
    assert releases("2.21") == (NEW,)
    medians = Narrowing(releases="2.21", metrics="load_*").medians(summary(root))
    assert (list(medians.columns), set(medians.index.get_level_values("metric"))) == ([NEW], {"load_warm_s"})


def test_an_option_that_matches_nothing_says_what_there_is(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measure(root, "mlp-s", {OLD: [1.0], NEW: [2.0]})
    assert "Nothing matches --model 'conv-*'. The results have: mlp-s." in refused(capsys, "--model", "conv-*")
    assert "The results have: v2.20.0, v2.21.0." in refused(capsys, "--release", "2.19")


def test_a_metric_that_is_not_tested_for_change_is_shown_where_it_is_named(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measure(root, "mlp-s", {OLD: [1.0], NEW: [2.0]})
    measure(root, "mlp-s", {OLD: [1.0], NEW: [2.0]}, "load_warm_cpu_s")

    def metrics(*arguments: str) -> list[str]:
        (found,) = json.loads(shown(capsys, "--format", "json", *arguments))["outlines"]
        return [line["metric"] for line in found["by_row"]]

    assert metrics("--metric", "load_*") == ["load_warm_s"]
    assert metrics("--metric", "load_warm_cpu_s") == ["load_warm_cpu_s"]


def test_one_screen_shows_what_moved_most_and_says_how_to_see_the_rest(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    records = []
    for number in range(60):
        cell = {"device": "cpu", "model": f"own-{number}@12345678", "writer": "tf-module", "reader": "tf-load"}
        new = 1000.0 + (number if number % 20 == 7 else 0) * 10
        both = blocks({OLD: [1000.0] * 2, NEW: [new] * 2}, metric="graph_nodes", cell=cell, operation="save")
        records += [record for record in both if record["type"] == "repeat"]
    ends = [record for record in blocks({NEW: [1.0, 1.0]}) if record["type"] == "block"]
    store_run(root, [*records, *ends])
    told = shown(capsys).splitlines()
    assert len(told) <= 40
    assert max(map(len, told)) <= 80
    assert sum("own-" in line for line in told) == 3
    assert "Not shown: 57 lines, none of which moved." in " ".join(told)
    assert sum("own-" in line for line in shown(capsys, "--verbose").splitlines()) == 60


def test_other_machines_are_named_and_shown_on_request(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measure(root, "mlp-s", {OLD: [1.0], NEW: [2.0]})
    measure(root, "mlp-m", {OLD: [1.0], NEW: [2.0]})
    store_run(root, blocks({NEW: [7.0]}), subjects=(NEW,), machine="other-box")
    told = " ".join(shown(capsys).split())
    assert told.startswith(MACHINE)
    assert "Also in the results: other-box, cpu wheel, policy today, Python 3.11 (1 row)." in told
    assert "7.00 s" not in told
    assert "7.00 s" in shown(capsys, "--verbose")
    assert "7.00 s" in shown(capsys, "--machine", "other-box")
