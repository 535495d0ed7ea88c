"""Planted releases compared for real: how a run is scored, and one plant found from end to end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stored_runs import NEW, OLD, PROJECT, block_end, repeat, store_run

from harness.store.runs import RunDirectory
from tests.trust.plants import PLANTS
from tests.trust.real import main
from tests.trust.scores import RULES, THIS, RunScore, score_run

SPIN = next(plant for plant in PLANTS if plant.name == "load-spins-30")
ASV = "asv compare, factor 1.1"


def stored(root: Path, changes: dict[str, float], blocks: int = 8) -> RunDirectory:
    """Store a run of three repeats a block: the machine moves by 20 % between blocks, the sides of a block by 1 %."""
    random = np.random.default_rng(1)
    records: list[dict[str, Any]] = []
    for block in range(blocks):
        for metric in ("load_warm_s", "load_again_s", "first_call_s", "build_s"):
            machine = random.normal(0, 0.2)
            for subject in (OLD, NEW):
                change = np.log(changes.get(metric, 1.0)) if subject == NEW else 0.0
                values = np.exp(machine + change + random.normal(0, 0.01, 3))
                records += [
                    repeat(value, metric=metric, subject=subject, block=block, number=number)
                    for number, value in enumerate(values.tolist())
                ]
        records.append(block_end(block))
    run = store_run(root, records)
    return run.updated(preset={"name": "planted", "time_margin": 0.03, "groups": []})


def score(run: RunDirectory, planted: bool = True) -> RunScore:
    return score_run(run, SPIN if planted else None, OLD, NEW, number=1, wall_s=80.0, exit_code=1)


def test_a_plant_is_found_where_every_metric_of_it_is_called(tmp_path: Path) -> None:
    whole = score(stored(tmp_path / "whole", {"load_warm_s": 1.3, "load_again_s": 1.3}))
    assert whole.is_found()
    assert not whole.unplanted()
    half = score(stored(tmp_path / "half", {"load_warm_s": 1.3}))
    assert not half.is_found()
    assert {name: [row.is_found() for row in rows] for name, rows in half.metrics().items()} == {
        "load_warm_s": [True],
        "load_again_s": [False],
    }


def test_what_was_not_planted_is_a_false_finding_and_so_is_any_improvement(tmp_path: Path) -> None:
    moved = {"load_warm_s": 1.3, "load_again_s": 0.7, "first_call_s": 1.3, "build_s": 1.3}
    found = score(stored(tmp_path / "planted", moved))
    assert set(found.unplanted()) == {("build_s", 1), ("load_again_s", -1)}
    assert not found.is_found()
    alike = score(stored(tmp_path / "itself", moved), planted=False)
    assert set(alike.unplanted()) == {("load_warm_s", 1), ("first_call_s", 1), ("build_s", 1), ("load_again_s", -1)}


def test_the_other_rules_judge_the_same_repeats(tmp_path: Path) -> None:
    """Pooled, the blocks' own movement of 20 % hides a change of 30 % from asv; paired it does not."""
    found = score(stored(tmp_path / "planted", {"load_warm_s": 1.3, "load_again_s": 3.0}))
    called = {row.metric: {rule: row.calls[rule] for rule in RULES} for row in found.rows}
    assert set(called["load_again_s"].values()) == {1}
    assert called["load_warm_s"][THIS] == 1
    assert called["build_s"][ASV] == 0


def test_a_score_survives_publication(tmp_path: Path) -> None:
    before = score(stored(tmp_path / "planted", {"load_warm_s": 1.3, "load_again_s": 1.3}))
    assert RunScore.of_record(json.loads(json.dumps(before.as_record()))) == before


def real(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.trust.real", *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=300, check=False)


def test_results_inside_the_repository_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(PROJECT)
    assert main(["--results", "results/real"]) == 3
    assert "outside of it" in capsys.readouterr().err


@pytest.mark.tensorflow
def test_doubled_bytes_are_found_with_two_blocks_and_measured_once(tmp_path: Path) -> None:
    wanted = ("--results", str(tmp_path), "--plant", "save-writes-twice", "--runs", "1", "--same", "0")
    done = real(*wanted)
    assert done.returncode == 0, done.stderr
    assert "artifact_bytes 2 of 2, artifact_variables_bytes 2 of 2, artifact_files 2 of 2" in done.stdout
    assert "ended with 1" in done.stderr
    again = real(*wanted)
    assert again.stdout == done.stdout
    assert "ended" not in again.stderr
