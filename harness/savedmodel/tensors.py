"""Tensors as messages: `tensor.proto` (`tensorflow/core/framework/`) as numpy arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from harness.savedmodel.dtypes import dtype_name
from harness.savedmodel.shapes import read_shape
from harness.savedmodel.wire import MalformedError, Message, signed, varint

_FIXED = {"float32": (5, "<f4"), "float64": (6, "<f8"), "complex64": (9, "<c8"), "complex128": (12, "<c16")}
_VARINTS = {
    **dict.fromkeys(("int32", "int16", "int8", "uint8", "uint16"), 7),
    **{"int64": 10, "bool": 11, "uint32": 16, "uint64": 17},
}
_TEXT = 8
_CONTENT = 4
_LARGEST = 1 << 30  # elements


def read_tensor(message: Message) -> Any:
    """Return a TensorProto as an array, text as an object array of bytes.

    Raises:
        MalformedError: it is none, or of a type that is not read (half precision, quantized, resources).
    """
    dtype, shape = dtype_name(message.number(1)), read_shape(message.message(2))
    size = math.prod(one or 0 for one in shape or ())
    if size > _LARGEST:
        raise MalformedError("a tensor has too many elements")
    content = message.message(_CONTENT)
    if dtype == "string":
        values: Any = np.empty(0, dtype=object)
        texts = [one.as_bytes() for one in message.each(_TEXT)]
        values = np.empty(len(texts), dtype=object)
        values[:] = texts
    elif content is not None and len(content):
        values = np.frombuffer(content.as_bytes(), np.dtype(_numpy(dtype)).newbyteorder("<"))
    elif dtype in _FIXED:
        number, layout = _FIXED[dtype]
        values = np.frombuffer(b"".join(one.as_bytes() for one in message.each(number)), layout)
        values = values if values.size else _unpacked(message, number, dtype)
    elif dtype in _VARINTS:
        values = np.array(list(_varints(message, _VARINTS[dtype])), dtype=np.int64 if dtype != "uint64" else np.uint64)
    else:
        raise MalformedError(f"a tensor has the type {dtype}")
    if values.size not in (size, 0) and values.size > size:
        raise MalformedError("a tensor has more values than its shape")
    if values.size < size:
        # The last value stands for all that follow.
        last = values[-1:] if values.size else np.zeros(1, values.dtype)
        values = np.concatenate([values, np.repeat(last, size - values.size)])
    return (values if dtype == "string" else values.astype(_numpy(dtype))).reshape([one or 0 for one in shape or ()])


def _numpy(dtype: str) -> str:
    if dtype not in (*_FIXED, *_VARINTS):
        raise MalformedError(f"a tensor has the type {dtype}")
    return dtype


def _unpacked(message: Message, number: int, dtype: str) -> Any:
    """Return real numbers that stand in a field each."""
    sizes = {"float32": "<u4", "float64": "<u8"}
    if dtype not in sizes:
        return np.empty(0, dtype)
    bits = [value for found, value in message.fields() if found == number and isinstance(value, int)]
    return np.array(bits, sizes[dtype]).view(np.dtype(dtype).newbyteorder("<"))


def _varints(message: Message, number: int) -> Any:
    for found, value in message.fields():
        if found != number:
            continue
        if isinstance(value, int):
            yield signed(value)
            continue
        at = value.start
        while at < value.end:
            one, at = varint(value.data, at, value.end)
            yield signed(one)
