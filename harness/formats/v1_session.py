"""Reader `v1-session`: TensorFlow 1's loader into a session, still what some servers use. Host memory in and out."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, Tuple

import numpy as np

from harness.formats.endpoint import SERVING, Endpoint, Values, named


class Loaded:
    """A session that holds the graph, and the names of its inputs' and outputs' tensors by those of the signature."""

    __slots__ = ("session", "sources", "targets")

    def __init__(self, session: Any, sources: Dict[str, str], targets: Dict[str, str]) -> None:
        self.session, self.sources, self.targets = session, sources, targets


def read(tf: Any, path: str, endpoint: Endpoint = SERVING) -> Any:
    """Return the session with the artifact's graph and variables in it; KeyError where it lacks the signature."""
    v1 = tf.compat.v1
    settings = v1.ConfigProto()
    settings.gpu_options.allow_growth = True
    session = v1.Session(graph=tf.Graph(), config=settings)
    with session.graph.as_default():
        signatures = v1.saved_model.load(session, list(endpoint.tags or ["serve"]), path).signature_def
    if endpoint.signature not in signatures:
        raise KeyError(f"no signature {endpoint.signature}: there are {', '.join(sorted(signatures))}")
    signature = signatures[endpoint.signature]
    return Loaded(session, dict(_tensors(signature.inputs)), dict(_tensors(signature.outputs)))


def _tensors(part: Any) -> Iterator[Tuple[str, str]]:
    """Yield the names of inputs or outputs with their tensors', a sparse one's as `tf.saved_model.load` names them."""
    for name, info in sorted(part.items()):
        sparse = info.coo_sparse
        if info.WhichOneof("encoding") != "coo_sparse":
            yield name, info.name
            continue
        yield f"{name}_indices", sparse.indices_tensor_name
        yield f"{name}_values", sparse.values_tensor_name
        yield f"{name}_dense_shape", sparse.dense_shape_tensor_name


def callable_of(loaded: Any, endpoint: Endpoint = SERVING) -> Callable[[Values], Values]:
    """Return a function from tensors or arrays by input name to arrays by output name."""
    run = loaded.session.make_callable(list(loaded.targets.values()), feed_list=list(loaded.sources.values()))

    def call(values: Values) -> Values:
        given = named(values, loaded.sources)
        return dict(zip(loaded.targets, run(*[np.asarray(given[name]) for name in loaded.sources])))

    return call
