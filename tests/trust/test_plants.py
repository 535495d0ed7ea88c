"""Planted regressions as patches, tried on a stand-in for TensorFlow; the real releases are compared elsewhere."""

from __future__ import annotations

import time
from fnmatch import fnmatchcase
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.metrics import CELL_FAILED, METRICS
from tests.trust.plants import PLANTS

PLANT = {plant.name: plant for plant in PLANTS}
KNOWN = {**METRICS, CELL_FAILED.name: CELL_FAILED}


class Signature:
    def __call__(self, value: int) -> int:
        return value + 1


def patched(name: str) -> Any:
    """Return a stand-in for TensorFlow with the plant in it; `traced` counts traces, `variable` is what is loaded."""
    variable = SimpleNamespace(value=1.0)
    variable.assign = lambda value: setattr(variable, "value", value)
    tf = SimpleNamespace(traced=0, variable=variable)

    def load(path: str) -> Any:
        time.sleep(0.02)
        weights = [type("Variable", (), {"assign": staticmethod(variable.assign), "__mul__": lambda self, by: by})()]
        return SimpleNamespace(variables_of_model=weights, signatures={"serving_default": Signature()})

    def save(module: object, path: str) -> None:
        folder = Path(path) / "variables"
        folder.mkdir(parents=True)
        (folder / "variables.data-00000-of-00001").write_bytes(b"weights")

    def function(body: Any) -> Any:
        def trace() -> None:
            tf.traced += 1

        return SimpleNamespace(get_concrete_function=trace)

    tf.saved_model = SimpleNamespace(load=load, save=save)
    tf.function, tf.constant = function, float
    exec(PLANT[name].patch, {"tf": tf})
    return tf


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_every_plant_names_metrics_that_exist(plant: Any) -> None:
    compile(plant.patch, plant.name, "exec")
    for pattern in (*plant.expected, *plant.allowed):
        found = [metric for name, metric in KNOWN.items() if fnmatchcase(name, pattern)]
        assert found, pattern
        if pattern in plant.expected:
            assert any(metric.judged for metric in found)


def test_a_spin_lengthens_the_load_by_its_share() -> None:
    start = time.perf_counter()
    patched("load-spins-100").saved_model.load("x")
    assert time.perf_counter() - start >= 0.039


def test_a_second_copy_is_written(tmp_path: Path) -> None:
    patched("save-writes-twice").saved_model.save(None, str(tmp_path))
    assert len(list((tmp_path / "variables").iterdir())) == 2


def test_a_load_leaks() -> None:
    tf = patched("load-leaks")
    tf.saved_model.load("x")
    assert len(tf.saved_model.load.__globals__["leaked"]) == 1


def test_weights_are_wrong() -> None:
    tf = patched("loads-wrong-weights")
    tf.saved_model.load("x")
    assert tf.variable.value == 1.01


def test_each_call_traces_once_more_and_still_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Signature, "__call__", Signature.__call__)
    tf = patched("call-traces-again")
    for _ in range(2):
        call = tf.saved_model.load("x").signatures["serving_default"]
        assert call(1) == 2
    assert tf.traced == 2
    del Signature.real_call  # type: ignore[attr-defined]
