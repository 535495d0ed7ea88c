"""The tree of Python objects beside a checkpoint: what the graph calls a variable, and which ones an optimizer holds.

An optimizer's variables are those that the tree reaches through it alone; it lists the model's own variables, too. It
is known by its slot variables (Keras up to 2.10), by the names of what it holds, or by its own name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.savedmodel.wire import Limit, Message

_HELD = ({"_iterations", "_learning_rate"}, {"iter", "learning_rate"}, {"base_optimizer", "loss_scale"})
"""What the optimizers of Keras 3 and of Keras 2.11 and later hold, those before, and the wrapper for float16."""
_CALLED = frozenset({"optimizer", "_optimizer", "base_optimizer"})
_MODEL_VARIABLES = "_trainable_variables"
"""Under this name an optimizer lists the variables that it trains."""
_NAMES = frozenset({
    "adadelta", "adafactor", "adagrad", "adam", "adamax", "adamw", "ftrl", "lamb", "lion", "momentum", "muon", "nadam",
    "rmsprop", "sgd",
})  # fmt: skip
"""What Keras calls the variables of an optimizer first ("Adam/m/dense/kernel"), and TensorFlow 1 last."""
_POWERS = frozenset({"beta1_power", "beta2_power"})
"""Variables of TensorFlow 1's Adam that belong to no variable of the model."""
_MOST_OBJECTS = 2_000_000


@dataclass(frozen=True, slots=True)
class Objects:
    """What the tree tells: the variables' names in the graph by key, and the keys of those that an optimizer holds."""

    full_names: Mapping[str, str]
    optimizer_keys: frozenset[str]

    def is_optimizer_state(self, key: str) -> bool:
        """Return whether the variable of this key belongs to an optimizer, and not to the model."""
        return key in self.optimizer_keys or _is_optimizer_name(self.full_names.get(key, key))


NOTHING = Objects({}, frozenset())
"""What is known without a tree."""


def _is_optimizer_name(name: str) -> bool:
    parts = [part.rstrip("_0123456789").lower() for part in name.split("/")]
    return (len(parts) > 1 and not _NAMES.isdisjoint((parts[0], parts[-1]))) or parts[-1] in _POWERS


def read_tree(graph: Message) -> Objects:
    """Return what a TrackableObjectGraph tells.

    Raises:
        MalformedError: it is none.
    """
    children: list[list[tuple[str, int]]] = []
    keys: list[list[str]] = []
    full_names: dict[str, str] = {}
    optimizers: set[int] = set()
    limit = Limit(_MOST_OBJECTS)
    for place, node in enumerate(limit.of(graph.each(1))):
        held = [(child.text(2), child.number(1)) for child in limit.of(node.each(1))]
        children.append(held)
        keys.append([attribute.text(3) for attribute in limit.of(node.each(2))])
        full_names.update({one.text(3): one.text(2) for one in node.each(2) if one.text(2)})
        optimizers.update(child for name, child in held if name in _CALLED)
        names = {name for name, _ in held}
        if any(some <= names for some in _HELD) or node.message(3) is not None:
            optimizers.add(place)
    of_model = _reached(children, optimizers - {0})
    state = (key for place, some in enumerate(keys) if place not in of_model for key in some)
    return Objects(full_names, frozenset(state))


def _reached(children: list[list[tuple[str, int]]], optimizers: set[int]) -> set[int]:
    """Return the objects that the root reaches otherwise than through an optimizer."""
    reached, waiting = {0}, [0] if children else []
    while waiting:
        place = waiting.pop()
        for name, child in children[place]:
            is_of_model = place not in optimizers or name == _MODEL_VARIABLES
            if is_of_model and 0 <= child < len(children) and child not in reached:
                reached.add(child)
                waiting.append(child)
    return reached
