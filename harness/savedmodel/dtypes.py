"""TensorFlow's element types by their numbers (`tensorflow/core/framework/types.proto`)."""

from __future__ import annotations

_NAMES = (
    "invalid", "float32", "float64", "int32", "uint8", "int16", "int8", "string", "complex64", "int64", "bool", "qint8",
    "quint8", "qint32", "bfloat16", "qint16", "quint16", "uint16", "complex128", "float16", "resource", "variant",
    "uint32", "uint64", "float8_e5m2", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e4m3b11fnuz", "float8_e5m2fnuz",
    "int4", "uint4", "int2", "uint2", "float4_e2m1fn",
)  # fmt: skip
_REFERENCE = 100
_BYTES = {
    1: ("uint8", "int8", "bool", "qint8", "quint8", *(name for name in _NAMES if name.startswith("float8"))),
    2: ("int16", "uint16", "bfloat16", "float16", "qint16", "quint16"),
    4: ("float32", "int32", "uint32", "qint32"),
    8: ("float64", "int64", "uint64", "complex64"),
    16: ("complex128",),
}
ITEM_BYTES = {name: size for size, names in _BYTES.items() for name in names}
"""Bytes of an element in a checkpoint; types that vary in length, or that are packed, are not here."""


def dtype_name(number: int) -> str:
    """Return the name that `tf.DType.name` has for a type: 1 is "float32", 101 "float32_ref", 999 "unknown (999)"."""
    is_reference = number > _REFERENCE
    place = number - _REFERENCE if is_reference else number
    if not 0 <= place < len(_NAMES):
        return f"unknown ({number})"
    return _NAMES[place] + ("_ref" if is_reference else "")
