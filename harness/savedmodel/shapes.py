"""Shapes as messages: `tensor_shape.proto` (`tensorflow/core/framework/`)."""

from __future__ import annotations

from itertools import islice

from harness.savedmodel.description import Shape
from harness.savedmodel.wire import MalformedError, Message

_MOST_DIMENSIONS = 254
"""The highest rank that TensorFlow has (`tensorflow/core/framework/tensor_shape.h`)."""


def read_shape(message: Message | None) -> Shape:
    """Return a TensorShapeProto; None is one of unknown rank, or none at all.

    Raises:
        MalformedError: it is none.
    """
    if message is None or message.number(3):
        return None
    sizes = [dimension.number(1) for dimension in islice(message.each(2), _MOST_DIMENSIONS + 1)]
    if len(sizes) > _MOST_DIMENSIONS:
        raise MalformedError(f"a shape has more than {_MOST_DIMENSIONS} dimensions")
    return tuple(size if size >= 0 else None for size in sizes)
