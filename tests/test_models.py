"""The models are the same numbers in every release, and as large as their names say."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faulty_releases import PROJECT, tensorflow_python

from harness.zoo import families

pytestmark = pytest.mark.tensorflow

SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
import numpy as np
import tensorflow as tf
from harness.zoo import families
found = {}
for name in sys.argv[2].split(","):
    model = families.build(tf, name)
    found[name] = {"parameters": int(sum(np.prod(v.shape) for v in model.variables))}
    if name.endswith("-xs") or name in ("deep-4", "resnet50"):
        families.fill(model)
        found[name]["output"] = np.asarray(model(families.inputs(name, 3), training=False)).tolist()
print("result " + json.dumps(found))
"""


def ask(python: Path, names: list[str]) -> dict[str, Any]:
    """Build models in a release's interpreter and return their parameters and outputs on the fixed input."""
    command = [str(python), "-c", SCRIPT, str(PROJECT), ",".join(names)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    (line,) = (line for line in result.stdout.splitlines() if line.startswith("result "))
    found: dict[str, Any] = json.loads(line.removeprefix("result "))
    return found


def test_outputs_are_equal_over_releases() -> None:
    names = ["mlp-xs", "conv-xs", "transformer-xs", "deep-4", "resnet50"]
    keras_2, keras_3 = (ask(tensorflow_python(release), names) for release in ("v2.15.1", "v2.21.0"))
    for name in names:
        before, after = (np.array(found[name]["output"]) for found in (keras_2, keras_3))
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
