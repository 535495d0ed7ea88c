"""The table of families. To add one: a module with `build`, `inputs` and `operations`, and a line here."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.models import conv, deep, mlp, resnet50, transformer, weights

FAMILIES: Any = {"mlp": mlp, "conv": conv, "transformer": transformer, "deep": deep, "resnet50": resnet50}
SIZES = {"xs": 1e5, "s": 1e6, "m": 1e7, "l": 1e8, "xl": 1e9}
"""The ladder of bytes: parameters of each size, within a tenth."""

_RUNGS: dict[str, dict[str, float]] = {
    "mlp": SIZES,
    "conv": SIZES,
    "transformer": SIZES,
    "deep": dict.fromkeys(deep.WIDTHS, 1e6),
    "resnet50": {"": 25.6e6},
}
"""Parameters of each model, by family and rung."""


def names() -> list[str]:
    """Return every model's name: `mlp-xs`, `mlp-s`, …, `deep-256`, `resnet50`."""
    return [f"{family}-{rung}".rstrip("-") for family, rungs in _RUNGS.items() for rung in rungs]


def order(name: str) -> tuple[str, int]:
    """Return what sorts models by family, then from the smallest rung to the largest; unknown ones come last."""
    family, rung = _parts(name)
    rungs = list(_RUNGS.get(family, ()))
    return family, rungs.index(rung) if rung in rungs else len(rungs)


def parameters(name: str) -> float:
    """Return about how many parameters the model called `name` has."""
    family, rung = _parts(name)
    return _RUNGS[family][rung]


def operations(name: str) -> float:
    """Return the floating-point operations that one item costs in matrix products and convolutions."""
    family, rung = _parts(name)
    return float(FAMILIES[family].operations(rung))


def build(tf: Any, name: str) -> Any:
    """Return the uncompiled Keras model called `name`, with the release's own initial weights."""
    family, rung = _parts(name)
    return FAMILIES[family].build(tf, rung)


def inputs(name: str, batch: int) -> Any:
    """Return the fixed input of model `name` at a batch size, the same numbers in every release."""
    family, rung = _parts(name)
    return FAMILIES[family].inputs(rung, batch, np.random.Generator(np.random.PCG64([20230323, batch])))


def _parts(name: str) -> tuple[str, str]:
    family, _, rung = name.partition("-")
    return family, rung


fill = weights.fill
