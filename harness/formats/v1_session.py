"""Reader `v1-session`: TensorFlow 1's loader into a session, still what some servers use. Host memory in and out."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np


class Loaded:
    """A session that holds the graph, and the names of its first input and output."""

    __slots__ = ("session", "source", "target")

    def __init__(self, session: Any, source: str, target: str) -> None:
        self.session, self.source, self.target = session, source, target


def read(tf: Any, path: str) -> Any:
    """Return the session with the artifact's graph and variables in it."""
    v1 = tf.compat.v1
    settings = v1.ConfigProto()
    settings.gpu_options.allow_growth = True
    session = v1.Session(graph=tf.Graph(), config=settings)
    with session.graph.as_default():
        signature = v1.saved_model.load(session, ["serve"], path).signature_def["serving_default"]
    source, target = (sorted(part.items())[0][1].name for part in (signature.inputs, signature.outputs))
    return Loaded(session, source, target)


def callable_of(loaded: Any) -> Callable[[Any], Any]:
    """Return a function from one tensor or array to the first output as an array."""
    run = loaded.session.make_callable(loaded.target, feed_list=[loaded.source])
    return lambda tensor: run(np.asarray(tensor))
