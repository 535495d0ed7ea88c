"""Models that take ragged or sparse tensors: shown by `inspect`, tried in two real releases, measured by `run`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faulty_releases import records_of, tensorflow_python
from ragged_models import INT64, ragged_model, ragged_spec, sparse_spec
from saved_model_files import FLOAT
from stored_runs import tensorflow_project
from tiny_plans import tiny_plan

from harness.cli import main
from harness.measure.pinning import worker_environment

OLD, NEW = "v2.15.1", "v2.21.0"
COMMAND = str(Path(sys.executable).with_name("savedmodel-bench"))

SAVE = """
import sys
import tensorflow as tf

def save(name, spec, depth):
    module = tf.Module()
    module.sums = tf.function(
        lambda x, n: {"sum": n + tf.reduce_sum(x, axis=list(range(1, depth + 1)))},
        input_signature=[spec, tf.TensorSpec([None], tf.float32, "n")],
    )
    tf.saved_model.save(module, f"{sys.argv[1]}/{name}", signatures={"serving_default": module.sums})

save("rows", tf.RaggedTensorSpec([None, None], tf.float32), 1)
save("nested", tf.RaggedTensorSpec([None, None, None, 2], tf.float32, ragged_rank=2, row_splits_dtype=tf.int32), 3)
module = tf.Module()
module.sums = tf.function(
    lambda x: {"sum": tf.sparse.reduce_sum(x, axis=1)}, input_signature=[tf.SparseTensorSpec([None, 9], tf.float32)]
)
tf.saved_model.save(module, f"{sys.argv[1]}/sparse", signatures={"serving_default": module.sums})
"""

PLAN = tiny_plan({"warm_repeats": 1, "infer_repeats": 1, "batches": [1, 32], "window_s": 0.02})


def test_inspect_says_which_tensors_are_one_ragged_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inputs = {"x": (FLOAT, (-1, 3)), "x_1": (INT64, (-1,)), "x_2": (INT64, (-1,))}
    path = ragged_model(tmp_path / "m", inputs, [ragged_spec((-1, -1, -1, 3), rank=2)])
    assert main(["inspect", str(path)]) == 0
    shown = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "serving_default input x float32, values of ragged x (None, None, None, 3) (None, 3)" in shown
    assert "input x_1 int64, row splits 1 of ragged x (None,)" in shown
    assert "input x_2 int64, row splits 2 of ragged x (None,)" in shown
    assert main(["inspect", str(path), "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)["meta_graphs"][0]["signatures"]["serving_default"]["inputs"]
    assert told["x_2"]["part"] == {
        "kind": "ragged", "place": 2, "tensors": ["x", "x_1", "x_2"], "shape": [None, None, None, 3],
    }  # fmt: skip


def test_inspect_says_which_tensors_are_one_sparse_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inputs = {"s": (INT64, (-1, 2)), "s_1": (FLOAT, (-1,)), "s_2": (INT64, (2,))}
    assert main(["inspect", str(ragged_model(tmp_path / "m", inputs, [sparse_spec((-1, 9))]))]) == 0
    shown = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "serving_default input s int64, indices of sparse s (None, 9) (None, 2)" in shown
    assert "input s_1 float32, values of sparse s (None, 9) (None,)" in shown
    assert "input s_2 int64, dense shape of sparse s (None, 9) (2,)" in shown


@pytest.fixture(scope="module", name="project")
def _project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project, and in its folder `models` three that the new release saved."""
    folder = tensorflow_project(tmp_path_factory.mktemp("ragged").resolve() / "project", PLAN)
    variables = worker_environment(os.environ, folder.with_name("home"))
    done = subprocess.run(
        [tensorflow_python(NEW, "3.11"), "-c", SAVE, str(folder / "models")],
        env=variables, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([COMMAND, *arguments], cwd=project, capture_output=True, text=True, timeout=600, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.mark.tensorflow
@pytest.mark.python
def test_such_models_answer_the_same_in_both_releases_by_every_reader(project: Path) -> None:
    models = [f"models/{name}" for name in ("rows", "nested", "sparse")]
    done = run(project, "check", *models, "--releases", f"{OLD},{NEW}", "--format", "json")
    assert done.returncode == 0, done.stdout
    answer: dict[str, Any] = json.loads(done.stdout)
    told = {model["name"]: model["inputs"] for model in answer["models"]}
    assert told == {
        "rows": "random, seed 1; x is ragged, 2 values a row",
        "nested": "random, seed 1; x is ragged, 2 by 2 by 2 values a row",
        "sparse": "random, seed 1; x is sparse, one value a row",
    }
    for model in answer["models"]:
        states = {(cell["release"], cell["reader"]): cell["state"] for cell in model["cells"]}
        assert states[OLD, "tf-load"] == "answers"
        fine = {
            states[key] for key in ((NEW, "tf-load"), (NEW, "tfsm-layer"), (OLD, "v1-session"), (NEW, "v1-session"))
        }
        assert fine == {"equal"}


@pytest.mark.tensorflow
@pytest.mark.python
def test_rows_that_are_given_are_what_the_model_answers(project: Path) -> None:
    (project / "rows.json").write_text('{"instances": [{"x": [1, 2], "n": 100}, {"x": [], "n": 200}]}')
    np.savez(project / "right.npz", sum=np.array([103.0]))
    given = ("--inputs", "rows.json", "--expect", "right.npz")
    done = run(project, "check", "models/rows", "--releases", NEW, *given)
    assert done.returncode == 0, done.stdout


@pytest.mark.tensorflow
@pytest.mark.python
def test_a_ragged_model_is_measured_at_any_batch_size(project: Path) -> None:
    plan = ("--preset", "tiny.toml", "--device", "cpu", "--python", "3.11", "--wheel", "cpu", "--machine", "calm")
    done = run(project, "run", NEW, *plan, "--model", "models/rows")
    assert done.returncode in (0, 3), done.stdout + done.stderr  # other programs may disturb all of it
    records = [one for one in records_of(project) if one["type"] == "repeat" and one["cell"] is not None]
    assert {one["status"] for one in records} == {"ok"}
    metrics = [entry for one in records for entry in one["metrics"]]
    assert {entry["batch"] for entry in metrics if entry["metric"] == "infer_p50_s"} == {1, 32}
