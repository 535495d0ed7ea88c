"""SavedModels with ragged and sparse inputs as TensorFlow 2 writes them: flat signatures, specs in the object tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from saved_model_files import FLOAT, Graph, node, number, saved_model, saved_object, shape, signature, tensor, text

INT64 = 9
RAGGED, SPARSE = 3, 1


def tensor_spec(sizes: Sequence[int] | str, dtype: int = FLOAT) -> bytes:
    """Return a dense argument as a StructuredValue."""
    return text(33, text(2, shape(sizes)) + number(3, dtype))


def ragged_spec(sizes: Sequence[int] | str, rank: int = 1, dtype: int = FLOAT) -> bytes:
    """Return a ragged argument as a StructuredValue."""
    state = (text(31, shape(sizes)), number(32, dtype), number(12, rank << 1), number(32, INT64))
    content = number(1, RAGGED) + text(2, sequence(*state)) + text(3, "RaggedTensorSpec") + number(4, rank + 1)
    return text(34, content)


def sparse_spec(sizes: Sequence[int] | str | None = None) -> bytes:
    """Return a sparse argument as a StructuredValue, as releases wrote it before they counted components."""
    state = b"" if sizes is None else text(2, sequence(text(31, shape(sizes)), number(32, FLOAT)))
    return text(34, number(1, SPARSE) + state + text(3, "SparseTensorSpec"))


def sequence(*values: bytes) -> bytes:
    """Return a tuple as a StructuredValue."""
    return text(52, b"".join(text(1, one) for one in values))


def table(values: Mapping[str, bytes]) -> bytes:
    """Return a dictionary as a StructuredValue."""
    return text(53, b"".join(text(1, text(1, name) + text(2, one)) for name, one in values.items()))


def ragged_model(
    folder: Path,
    inputs: Mapping[str, tuple[int, Sequence[int] | str]],
    arguments: Sequence[bytes],
    call: Sequence[str] | None = None,
    *,
    called: str = "inner",
) -> Path:
    """Write a SavedModel and return its folder.

    Args:
        folder: where.
        inputs: of the signature, in the order in which its function takes them: type and shape by name.
        arguments: of the function that the signature's calls.
        call: the inputs in the order of that call, where it is another.
        called: the function that is called; the tree knows the arguments of "inner" alone.
    """
    infos = {name: tensor(f"{name}:0", dtype, sizes) for name, (dtype, sizes) in inputs.items()}
    named = {name: f"argument_{place}" for place, name in enumerate(inputs)}
    sources = b"".join(text(3, f"{named[name]}:0") for name in call or inputs) + text(3, "variable") + text(3, "^after")
    to = text(5, text(1, "f") + text(2, text(10, text(1, called))))
    takes = b"".join(text(2, text(1, name)) for name in [*named.values(), "variable"])
    wrapper = text(1, text(1, "wrapper") + takes) + text(3, node("call", "StatefulPartitionedCall", sources + to))
    bare = text(8, text(1, "wrapper") + b"".join(text(2, name) for name in inputs))
    graph = Graph(
        functions=[wrapper, text(1, text(1, "inner"))],
        signatures={"serving_default": signature(infos, {"y": tensor("y:0", FLOAT, (-1,))})},
        objects=[
            saved_object("_generic_user_object", {"signatures": 1}),
            saved_object("signature_map", {"serving_default": 2}),
            bare,
        ],
        called_with={"inner": sequence(sequence(*arguments), table({}))},
    )
    return saved_model(folder, graph, {})
