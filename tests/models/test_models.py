"""The models are the same numbers in every release, and as large as their names say."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faulty_releases import PROJECT, old_release, tensorflow_python

from harness.models import families

pytestmark = [pytest.mark.tensorflow, pytest.mark.python]

SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
import numpy as np
import tensorflow as tf
from harness.models import families
found = {}
for name in sys.argv[2].split(","):
    model = families.build(tf, name)
    found[name] = {"parameters": int(sum(np.prod(v.shape) for v in model.variables))}
    if name.endswith("-xs") or name in ("deep-4", "resnet50"):
        families.fill(model)
        found[name]["output"] = np.asarray(model(families.inputs(name, 3), training=False)).tolist()
print("result " + json.dumps(found))
"""


COUNT = """
import json, math, sys
sys.path.insert(0, sys.argv[1])
import tensorflow as tf
from harness.models import families

def multiply_adds(op):
    shapes, out = [tensor.shape.as_list() for tensor in op.inputs], [tensor.shape.as_list() for tensor in op.outputs]
    if op.type == "MatMul":
        return math.prod(out[0]) * shapes[0][0 if op.get_attr("transpose_a") else 1]
    if op.type == "BatchMatMulV2":
        return math.prod(out[0]) * shapes[0][-2 if op.get_attr("adj_x") else -1]
    if op.type == "Conv2D":
        return math.prod(out[0]) * math.prod(shapes[1][:3])
    if op.type == "Einsum":
        labels = op.get_attr("equation").decode().partition("->")[0].split(",")
        return math.prod(dict(pair for names, shape in zip(labels, shapes) for pair in zip(names, shape)).values())
    assert not any(word in op.type for word in ("MatMul", "Conv", "Call")), op.type
    return 0

found = {}
for name in sys.argv[2].split(","):
    model, values = families.build(tf, name), tf.constant(families.inputs(name, 1))
    graph = tf.function(lambda tensor: model(tensor, training=False)).get_concrete_function(values).graph
    found[name] = 2 * sum(map(multiply_adds, graph.get_operations()))
print("result " + json.dumps(found))
"""


def ask(python: Path, names: list[str], script: str = SCRIPT) -> dict[str, Any]:
    """Build models in a release's interpreter and return what a script says of them: parameters, outputs, counts."""
    command = [str(python), "-c", script, str(PROJECT), ",".join(names)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    (line,) = (line for line in result.stdout.splitlines() if line.startswith("result "))
    found: dict[str, Any] = json.loads(line.removeprefix("result "))
    return found


def test_outputs_are_equal_over_releases() -> None:
    names = ["mlp-xs", "conv-xs", "transformer-xs", "deep-4", "resnet50"]
    old, new = (ask(tensorflow_python(release), names) for release in (old_release(), "v2.21.0"))
    for name in names:
        before, after = (np.array(found[name]["output"]) for found in (old, new))
        assert before.shape == (3, 1000 if name == "resnet50" else 10)
        assert np.ptp(before) > 0.1 * np.abs(before).max()
        np.testing.assert_allclose(after, before, rtol=0, atol=1e-5 * np.abs(before).max())


def test_sizes_are_what_the_table_says() -> None:
    """All but the largest, which would take 4 GB each to build."""
    names = [name for name in families.names() if not name.endswith("-xl")]
    found = ask(tensorflow_python(), names)
    for name in names:
        assert found[name]["parameters"] == pytest.approx(families.parameters(name), rel=0.1), name
    # As the paper and everyone else counts them: 25,557,032 and the moving averages of normalisation.
    assert found["resnet50"]["parameters"] == 25_610_152


def test_their_operations_are_those_of_the_graph_that_tensorflow_makes() -> None:
    names = ["mlp-s", "conv-s", "transformer-m", "deep-16", "resnet50"]
    assert ask(tensorflow_python(), names, COUNT) == {name: families.operations(name) for name in names}
