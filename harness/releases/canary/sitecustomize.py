"""Planted regressions: once TensorFlow is imported, a load takes 30 % longer, and a save writes the variables twice.

Python imports this file at its start where its folder is on PYTHONPATH, as the settings profile `canary` has it.
"""

import importlib.util
import shutil
import sys
import time
from pathlib import Path
from typing import Any

SHARE = 0.3


def _plant(tensorflow: Any) -> None:
    real_load, real_save = tensorflow.saved_model.load, tensorflow.saved_model.save

    def load(*arguments: Any, **named: Any) -> Any:
        begun = time.perf_counter()
        loaded = real_load(*arguments, **named)
        until = time.perf_counter() + SHARE * (time.perf_counter() - begun)
        while time.perf_counter() < until:
            pass
        return loaded

    def save(model: Any, folder: Any, *arguments: Any, **named: Any) -> None:
        real_save(model, folder, *arguments, **named)
        for path in list(Path(folder, "variables").glob("*.data-*")):
            shutil.copyfile(path, f"{path}.again")

    tensorflow.saved_model.load, tensorflow.saved_model.save = load, save


class _Finder:
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec: Any = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def exec_module(module: Any) -> None:
            execute(module)
            _plant(module)

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, _Finder())
