"""What a repeat measures: a model of the zoo, a user's own Python file, or an artifact that somebody else wrote.

All the others need of it is here: how it is built where it can be, and its inputs by name at a batch size.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
from importlib import metadata
from typing import Any, Dict, Set

import numpy as np

from harness.formats.endpoint import Endpoint, Values
from harness.models import families
from harness.worker import arrays, random_inputs
from harness.worker.recorder import Unsupported

SEED = 20230323
"""As the zoo's inputs have it."""


class Source:
    """The model of a request.

    request: `model` is its name in the zoo; where `source` is not None it holds, of another model, `kind`
    ("saved-model", "keras-file" or "python-file"), `path`, for a Python file its `size`, for the others `inputs`: by
    batch size (as text) the file of the inputs (harness/worker/arrays.py), `base_batch` (the batch size of first
    calls, 1 where it can be chosen), `fixed_batch` (whether there is no other one), `signature`, `tags` and `packages`
    (requirements of custom ops, which are registered by importing them).
    """

    def __init__(self, request: Dict[str, Any]) -> None:
        self._model: str = request["model"]
        self._own: Dict[str, Any] = request.get("source") or {}
        self.base_batch: int = self._own.get("base_batch", 1)
        self.has_free_batch: bool = not self._own.get("fixed_batch", False)
        self.is_built = self._own.get("kind") in (None, "python-file")
        self.endpoint = Endpoint(
            self._own.get("signature") or "serving_default",
            tuple(self._own["tags"]) if self._own.get("tags") else None,
        )
        self._module: Any = None
        for requirement in self._own.get("packages", ()):
            for name in sorted(_modules_of(requirement)):
                importlib.import_module(name)

    @property
    def has_checked_output(self) -> bool:
        """Whether outputs are known to be finite and not all the same: those of the zoo's models are."""
        return not self._own

    def build(self, tf: Any) -> Any:
        """Return the uncompiled Keras model, with whatever weights its code gives it."""
        if not self._own:
            return families.build(tf, self._model)
        return self._file().build(tf, self._own["size"])

    def fill(self, model: Any) -> None:
        """Give the model weights that are the same in every release, unless its file has a `fill` of its own."""
        filling = families.fill if not self._own else getattr(self._file(), "fill", families.fill)
        filling(model)

    def inputs(self, batch: int) -> Values:
        """Return the fixed inputs at a batch size as arrays by name, the same numbers in every release."""
        if not self._own:
            return {"inputs": families.inputs(self._model, batch)}
        if self.is_built:
            generator = np.random.Generator(np.random.PCG64([SEED, batch]))
            values = self._file().inputs(self._own["size"], batch, generator)
            return values if isinstance(values, dict) else {"inputs": values}
        return arrays.load(self._own["inputs"][str(batch)])

    def make_inputs(self, model: Any) -> None:
        """Write the inputs of a loaded Keras model, at every batch size that is asked for, where nobody did before.

        Raises:
            Unsupported: one of its inputs cannot be made.
        """
        for batch, path in self._own.get("inputs", {}).items():
            if not os.path.exists(path):
                arrays.save(path, self._made(model, int(batch)))

    def tensors(self, tf: Any, batch: int) -> Values:
        """Return the inputs at a batch size as tensors, on the device."""
        return {name: tf.constant(values) for name, values in self.inputs(batch).items()}

    def _made(self, model: Any, batch: int) -> Values:
        """Return random inputs of a Keras model; dimensions that nobody settled have one element.

        Raises:
            Unsupported: of a type of which no values can be made, or asked for by a name that is not there.
        """
        asked, found = self._own.get("asked", {}), _inputs_of(model)
        for name in asked:
            if name not in found:
                raise Unsupported(f"no-inputs: there is no input {name}; there are {', '.join(found)}")
        values = {}
        for name, symbol in found.items():
            shape, low, high = asked.get(name, (None, None, None))
            dtype = str(getattr(symbol.dtype, "name", symbol.dtype))
            if dtype not in random_inputs.SUPPORTED:
                raise Unsupported(f"no-inputs: values of type {dtype} cannot be made for {name}")
            rest = [1 if size is None else int(size) for size in list(symbol.shape)[1:]] if shape is None else shape[1:]
            values[name] = random_inputs.values(name, dtype, (batch, *rest), batch, low, high)
        return values

    def _file(self) -> Any:
        if self._module is None:
            spec = importlib.util.spec_from_file_location("model_file", self._own["path"])
            if spec is None or spec.loader is None:
                raise ImportError(f"{self._own['path']} is no Python file")
            sys.dont_write_bytecode = True  # or Python would leave a folder beside the user's file
            self._module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(self._module)
        return self._module


def _modules_of(requirement: str) -> Set[str]:
    """Return the modules that a package's own files make importable; its name as a module's where none is told."""
    name = re.split(r"[^A-Za-z0-9._-]", requirement.strip())[0]
    parts = [file.parts for file in metadata.files(name) or ()]
    return {one[0] for one in parts if len(one) == 2 and one[1] == "__init__.py"} or {name.replace("-", "_")}


def _inputs_of(model: Any) -> Dict[str, Any]:
    """Return a Keras model's symbolic inputs by the names that it gives them."""
    if not getattr(model, "inputs", None):
        raise Unsupported("no-inputs: the model does not say what its inputs are (a subclassed model)")
    names = getattr(model, "input_names", None) or [one.name for one in model.inputs]
    return dict(zip(names, model.inputs))
