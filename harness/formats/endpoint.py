"""What of an artifact is called, and how its inputs and outputs get their names."""

from __future__ import annotations

from typing import Any, Dict, NamedTuple, Optional, Tuple

Values = Dict[str, Any]
"""Tensors or arrays by the name of an input or output."""


class Endpoint(NamedTuple):
    """A signature of a SavedModel, in the meta graph that has these tags; None: the only one, or "serve"."""

    signature: str = "serving_default"
    tags: Optional[Tuple[str, ...]] = None


SERVING = Endpoint()


def named(values: Values, wanted: Any) -> Values:
    """Return values under the names that are wanted; one alone takes the one name that is wanted, whatever its own.

    Raises:
        KeyError: the names differ.
    """
    if values.keys() == wanted.keys():
        return values
    if len(values) == len(wanted) == 1:
        return dict(zip(wanted, values.values()))
    raise KeyError(f"the inputs are {', '.join(sorted(wanted))}; given are {', '.join(sorted(values))}")


def as_named(outputs: Any, names: Any = ()) -> Values:
    """Return what a Keras model or layer gave as values by name: as it is where it has names, else `names` in order.

    Without names: `output_0`, `output_1`, …, as Keras calls them when it writes a SavedModel.
    """
    if isinstance(outputs, dict):
        return outputs
    given = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    if len(names) != len(given):
        names = [f"output_{number}" for number in range(len(given))]
    return dict(zip(names, given))
