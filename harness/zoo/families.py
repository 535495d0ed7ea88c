"""The table of families. To add one: a module with `build` and `inputs`, and a line here."""

from __future__ import annotations

from typing import Any, List

import numpy as np

from harness.zoo import conv, mlp, transformer, weights

FAMILIES: Any = {"mlp": mlp, "conv": conv, "transformer": transformer}
SIZES = ("xs", "s", "m", "l")


def names() -> List[str]:
    """Return every model's name: `mlp-xs`, `mlp-s`, …"""
    return [f"{family}-{size}" for family in FAMILIES for size in SIZES]


def build(tf: Any, name: str) -> Any:
    """Return the uncompiled Keras model called `name`, with the release's own initial weights."""
    family, size = name.rsplit("-", 1)
    return FAMILIES[family].build(tf, size)


def inputs(name: str, batch: int) -> Any:
    """Return the fixed input of model `name` at a batch size, the same numbers in every release."""
    family, size = name.rsplit("-", 1)
    return FAMILIES[family].inputs(size, batch, np.random.Generator(np.random.PCG64([20230323, batch])))


fill = weights.fill
