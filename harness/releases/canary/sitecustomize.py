"""A planted slowdown: once TensorFlow is imported, each `tf.saved_model.load` takes 30 % longer.

Python imports this file at its start where its folder is on PYTHONPATH, as the settings profile `canary` has it.
"""

import importlib.util
import sys
import time
from typing import Any

SHARE = 0.3


def _slow_down(tensorflow: Any) -> None:
    real = tensorflow.saved_model.load

    def load(*arguments: Any, **named: Any) -> Any:
        begun = time.perf_counter()
        loaded = real(*arguments, **named)
        until = time.perf_counter() + SHARE * (time.perf_counter() - begun)
        while time.perf_counter() < until:
            pass
        return loaded

    tensorflow.saved_model.load = load


class _Finder:
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec: Any = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def exec_module(module: Any) -> None:
            execute(module)
            _slow_down(module)

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, _Finder())
