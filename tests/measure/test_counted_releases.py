"""Work of real releases: the same from process to process, and what is planted is found in its module."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from faulty_releases import PROJECT, add_release, around_load, has_measured, make_project, tensorflow_python
from sandboxed import needs_sandbox

from harness.measure.pinning import worker_environment
from harness.measure.worker_process import WorkerProcess
from harness.store.runs import runs_of
from harness.store.work import Counted, read_work

pytestmark = pytest.mark.tensorflow

PINNED = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
PRESET = """
[counted]
time_margin = 0.10
blocks = 1
timeout_s = 120
work = true

[[counted.groups]]
devices = ["cpu"]
models = ["mlp-xs"]
writer = "tf-module"
reader = "tf-load"
exact_only = true
later_saves = 1
cold_repeats = 1
warm_repeats = 1
"""
PLANTED = """
def one():
    pass

def some(times):
    for _ in range(times):
        one()
"""
PLACE = "cpu/mlp-xs/tf-module"


def counted_import(release: str, python: str, folder: Path) -> dict[str, Any]:
    """Return what one counting worker says of its import."""
    folder.mkdir()
    variables = {**worker_environment(os.environ, folder), **PINNED}
    worker = WorkerProcess(tensorflow_python(release, python), variables, folder / "log", folder, counting=True)
    try:
        hello = worker.wait_for_import(300.0)
    finally:
        worker.kill()
    assert hello["metrics"] == []
    found: dict[str, Any] = hello["evidence"]["work"]["import"]
    return found


def test_an_import_makes_the_same_calls_in_two_processes(tmp_path: Path) -> None:
    one, other = (counted_import("v2.20.0", "3.11", tmp_path / name) for name in ("one", "other"))
    assert one["by_module"] == other["by_module"]
    assert one["calls"] == other["calls"] > 1_000_000
    assert one["modules_imported"] == other["modules_imported"] > 2000


def test_the_import_grew_by_a_tenth_from_2_15_to_2_21_most_of_it_in_typing(tmp_path: Path) -> None:
    old, new = (counted_import(name, "3.11", tmp_path / name) for name in ("v2.15.1", "v2.21.0"))
    assert new["calls"] / old["calls"] == pytest.approx(1.11, abs=0.02)
    grown = {name: calls - old["by_module"].get(name, 0) for name, calls in new["by_module"].items()}
    assert max(grown, key=lambda name: grown[name]) == "typing"


def compare(root: Path, *words: str) -> tuple[int, dict[str, Any]]:
    (root / "counted.toml").write_text(PRESET)
    command = [sys.executable, "-m", "harness.cli", "compare", *words, "--preset", "counted.toml", "--format", "json"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 1 or has_measured(done), done.stderr
    return done.returncode, json.loads(done.stdout)


def counts_of(root: Path, subject: str) -> dict[str, Counted]:
    (run,) = runs_of(root)[0]
    return read_work(run)[0][subject].counts


def test_planted_calls_are_found_with_their_module(tmp_path: Path) -> None:
    root = make_project(tmp_path / "project")
    add_release(root, "plain", patch=around_load("return load(path)"))
    add_release(root, "planted", patch="import planted\n" + around_load("planted.some(9000); return load(path)"))
    (root / "wrappers" / "planted" / "planted.py").write_text(PLANTED)
    code, answer = compare(root, "plain", "planted")
    # Times are not judged in this test plan, and a load does far more work.
    assert code == 1
    load = next(row["work"] for row in answer["rows"] if row["metric"] == "load_warm_s")
    assert (load["says"], load["difference"]) == ("counter", "more")
    assert load["by_module"][0] == {"module": "planted", "old": 0, "new": 9001}
    assert load["new"] - load["old"] == pytest.approx(9001, abs=100)
    save = next(row["work"] for row in answer["rows"] if row["metric"] == "save_first_s")
    assert save["difference"] == "same"
    counts = counts_of(root, "planted")
    for key in ("import", *(f"{name}/{PLACE}/tf-load" for name in ("load_cold", "load_warm", "first_call"))):
        assert counts[key].calls[0] == counts[key].calls[1]
    saves = counts[f"save_first/{PLACE}"].calls
    assert max(saves) <= 1.002 * min(saves)
    assert not (root / "results" / "work").exists()  # an interpreter of one's own can change any time


@needs_sandbox
def test_work_is_counted_of_a_model_of_ones_own_in_the_sandbox(tmp_path: Path) -> None:
    build = (
        "import sys, tensorflow as tf\n"
        "module = tf.Module()\n"
        "module.weights = tf.Variable(tf.ones([4, 3]))\n"
        "module.call = tf.function(lambda values: tf.linalg.matmul(values, module.weights))\n"
        "signature = module.call.get_concrete_function(tf.TensorSpec([None, 4], tf.float32))\n"
        "tf.saved_model.save(module, sys.argv[1], signatures=signature)\n"
    )
    model = tmp_path / "mine"
    variables = worker_environment(os.environ, tmp_path)
    subprocess.run([tensorflow_python(), "-c", build, str(model)], check=True, env=variables, capture_output=True)
    root = make_project(tmp_path / "project")
    add_release(root, "one", python=tensorflow_python())
    add_release(root, "other", patch="pass")
    _, answer = compare(root, "one", "other", "--model", str(model))
    load = next(row for row in answer["rows"] if row["metric"] == "load_warm_s")
    assert load["model"].startswith("mine@")
    assert (load["work"]["says"], load["work"]["difference"]) == ("counter", "same")
    assert load["work"]["old"] > 1000
