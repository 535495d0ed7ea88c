"""`savedmodel-bench inspect`: the command as it is typed, and real SavedModels against TensorFlow's own reading."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from faulty_releases import PROJECT, python_of_tests, tensorflow_python
from saved_model_files import Graph, Tensor, node, saved_model

OLD, NEW = "v2.15.1", "v2.21.0"
"""The last release with Keras 2, and one with Keras 3."""

WRITE = """
import os, sys
import numpy as np
import tensorflow as tf

class Module(tf.Module):
    def __init__(self):
        self.w = tf.Variable(tf.random.stateless_normal([3, 5], [1, 2]), name="weights")
        self.words = tf.saved_model.Asset(os.path.join(sys.argv[1], "words.txt"))

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, "x")])
    def call(self, x):
        return {"y": tf.nn.relu(x @ self.w)}

open(os.path.join(sys.argv[1], "words.txt"), "w").write("a")
module = Module()
tf.saved_model.save(module, os.path.join(sys.argv[1], "module"), signatures=module.call)
inputs = tf.keras.Input((8,))
model = tf.keras.Model(inputs, tf.keras.layers.Dense(4)(tf.keras.layers.Dense(32)(inputs)))
model.compile("adam", "mse")
model.fit(np.random.rand(32, 8), np.random.rand(32, 4), verbose=0)
model.export(os.path.join(sys.argv[1], "export"))
tf.saved_model.save(model, os.path.join(sys.argv[1], "trained"))
with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    x = tf.compat.v1.placeholder(tf.float32, [2, 3], "x")
    w = tf.compat.v1.get_variable("w", [3, 4], use_resource=False)
    loss = tf.reduce_sum(x @ w)
    step = tf.compat.v1.train.AdamOptimizer().minimize(loss)
    session.run(tf.compat.v1.global_variables_initializer())
    tf.compat.v1.saved_model.simple_save(session, os.path.join(sys.argv[1], "session"), {"x": x}, {"loss": loss})
"""

TELL = """
import collections, json, os, sys
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

told = {}
for name in os.listdir(sys.argv[1]):
    folder = os.path.join(sys.argv[1], name)
    if not os.path.isdir(folder):
        continue
    message = saved_model_pb2.SavedModel.FromString(open(os.path.join(folder, "saved_model.pb"), "rb").read())
    graph = message.meta_graphs[0]
    nodes = [*graph.graph_def.node, *(n for f in graph.graph_def.library.function for n in f.node_def)]
    kept = tf.train.list_variables(os.path.join(folder, "variables", "variables"))
    told[name] = {
        "ops": collections.Counter(n.op for n in nodes), "functions": len(graph.graph_def.library.function),
        "version": graph.meta_info_def.tensorflow_version,
        "variables": {key: shape for key, shape in kept if not key.startswith("_CHECKPOINTABLE")},
        "inputs": {
            key: {n: [tf.as_dtype(t.dtype).name, [None if d.size < 0 else d.size for d in t.tensor_shape.dim]]
                  for n, t in signature.inputs.items()}
            for key, signature in graph.signature_def.items()
        },
    }
print("told " + json.dumps(told))
"""


def inspect(*arguments: object) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli", "inspect", *map(str, arguments)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def inspected(*arguments: object) -> dict[str, Any]:
    status, out, _ = inspect(*arguments, "--format", "json")
    assert status == 0
    found: dict[str, Any] = json.loads(out)
    return found


def contents(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        str(path): ("" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in (folder, *folder.rglob("*"))
    }


@pytest.mark.slow
def test_it_prints_a_report_and_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    folder = saved_model(tmp_path / "model", Graph(nodes=[node("v", "VarHandleOp")]), {"w": Tensor(b"1234")})
    before = contents(folder)
    for form in ("table", "markdown", "json"):
        status, out, err = inspect(folder, "--format", form)
        assert (status, err) == (0, "")
        assert "VarHandleOp" in out
    assert contents(folder) == before
    status, out, _ = inspect(folder, folder, "--output", tmp_path / "report.md", "--format", "markdown")
    assert (status, out) == (0, "")
    assert "Both hold the same content" in (tmp_path / "report.md").read_text()


@pytest.mark.slow
def test_what_is_none_is_one_sentence_and_exit_code_3(tmp_path: Path) -> None:
    model = saved_model(tmp_path / "model")
    for arguments in ((tmp_path / "nowhere",), (model, tmp_path / "nowhere")):
        status, out, err = inspect(*arguments)
        assert (status, out) == (3, "")
        assert err.startswith("savedmodel-bench: There is no ")
        assert len(err.splitlines()) == 1


def test_an_unknown_release_is_told_before_anything_is_installed(tmp_path: Path) -> None:
    status, _, err = inspect(saved_model(tmp_path), "--release", "1.0")
    assert status == 3
    assert "1.0" in err.splitlines()[-1]
    assert "Traceback" not in err


def told_by_tensorflow(python: Path, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    for script in (WRITE, TELL):
        done = subprocess.run([python, "-c", script, folder], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, Any] = json.loads(done.stdout.partition("told ")[2])
    return told


@pytest.mark.tensorflow
@pytest.mark.python
def test_real_ones_are_read_as_tensorflow_reads_them(tmp_path: Path) -> None:
    writers = {"session": "TensorFlow 1", "module": "tf.Module", "export": "Keras export"}
    minor = python_of_tests(OLD, NEW)
    for release, version in (("old", OLD), ("new", NEW)):
        told = told_by_tensorflow(tensorflow_python(version, minor), tmp_path / release)
        assert set(told) == {"session", "module", "export", "trained"}
        for name, expected in told.items():
            found = inspected(tmp_path / release / name)
            (graph,) = found["meta_graphs"]
            assert graph["ops"] == expected["ops"], name
            assert (graph["functions"], found["written_by"]) == (expected["functions"], expected["version"])
            assert {one["key"]: one["shape"] for one in found["variables"]} == expected["variables"]
            for key, inputs in expected["inputs"].items():
                shown = graph["signatures"][key]["inputs"]
                assert {n: [t["dtype"], t["shape"]] for n, t in shown.items()} == inputs
            assert found["written_with"] == writers.get(name, found["written_with"])
            assert found["missing_assets"] == []
        state = {name: _state(tmp_path / release / name) for name in ("session", "trained", "export", "module")}
        # Adam has two moments of each of four weights, a counter and a rate; TensorFlow 1's two moments and two powers.
        assert {name: len(keys) for name, keys in state.items()} == {
            "session": 4,
            "trained": 10,
            "export": 0,
            "module": 0,
        }
    assert inspected(tmp_path / "old" / "trained")["written_with"] == "Keras 2"
    assert inspected(tmp_path / "new" / "trained")["written_with"] == "Keras 3"
    twice = [one for one in inspected(tmp_path / "new" / "export")["variables"] if one["duplicate_of"]]
    assert sorted(one["shape"] for one in twice) == [[4], [8, 32], [32], [32, 4]]
    changes = inspected(tmp_path / "old" / "export", tmp_path / "new" / "export")["difference"]
    assert {one["name"] for one in changes["variables"]} == {f"_all_variables/{place}" for place in range(4)}
    asked = inspected(tmp_path / "new" / "module", "--release", NEW)
    assert asked["meta_graphs"][0]["unknown_ops"] == []


def _state(folder: Path) -> list[str]:
    return [one["key"] for one in inspected(folder)["variables"] if one["optimizer_state"]]
