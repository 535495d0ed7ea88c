"""A way that fails in one release counts against it, and leaves what else is measured of its cell alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from faulty_releases import add_release, make_project, records_of, tensorflow_python
from tiny_plans import tiny_plan

COMMAND = Path(sys.executable).with_name("savedmodel-bench")

PATCH = """
real, loads = tf.saved_model.load, []
def patched(path, *arguments, **named):
    loads.append(path)
    if str(path).endswith(".resume"):
        raise ValueError("nothing can be resumed")  # as Keras says of what is gone, too
    if len(loads) > 5:
        raise RuntimeError("five loads are enough")
    return real(path, *arguments, **named)
tf.saved_model.load = patched
def predict(self, *arguments, **named):
    raise AttributeError("nothing can be predicted")
tf.keras.Model.predict = predict
"""

PLAN = tiny_plan(
    {
        "warm_repeats": 1, "infer_repeats": 1, "calls_repeats": 1, "reload_repeats": 1, "resume_repeats": 1,
        "batches": [1], "window_s": 0.05,
    },
    blocks=2,
)  # fmt: skip


@pytest.mark.tensorflow
@pytest.mark.python
def test_what_fails_is_a_regression_and_the_rest_is_measured(tmp_path: Path) -> None:
    root = make_project(tmp_path / "project")
    add_release(root, "clean", python=tensorflow_python())
    add_release(root, "broken", patch=PATCH)
    (root / "ways.toml").write_text(PLAN)
    command = [COMMAND, "compare", "clean", "broken", "--preset", "ways.toml", "--format", "json"]
    (temporary := tmp_path / "temporary").mkdir()
    here = {**os.environ, "TMPDIR": str(temporary)}
    done = subprocess.run(command, cwd=root, env=here, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    rows = {(row["metric"], row["variant"]): (row["old"], row["new"], row["verdict"]) for row in document["rows"]}
    cell = "tf-module/tf-load"
    assert rows["call_failed", f"{cell} predict"] == (0, 1, "regression")
    assert rows["call_failed", f"{cell} direct"] == (0, 0, "same")
    assert rows["resume_broken_promises", "tf-module train-signature"] == (0, 4, "regression")
    assert rows["cell_failed", cell] == (0, 1, "regression")
    # The failing passes took nothing from the others.
    repeats = [record for record in records_of(root) if record["type"] == "repeat" and record["subject"] == "broken"]
    told = {(entry["metric"], entry.get("way")) for record in repeats for entry in record["metrics"]}
    assert {("load_warm_s", None), ("infer_p50_s", None), ("call_p50_s", "xla")} <= told
    assert not {("load_tenth_s", None), ("call_p50_s", "predict")} & told
    assert any("five loads are enough" in failure["reason"] for failure in document["failures"])
    # TensorFlow writes the code that autograph makes there, and removes it only where a process ends by itself.
    assert not [*temporary.iterdir()]
