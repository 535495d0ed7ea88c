"""Named arrays in one file: what one release's worker wrote, another's reads, to the last byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.worker import arrays


def again(folder: Path, **given: Any) -> dict[str, Any]:
    path = str(folder / "kept.npz")
    arrays.save(path, given)
    assert [one.name for one in folder.iterdir()] == ["kept.npz"]
    return arrays.load(path)


@pytest.mark.parametrize(
    "values",
    [
        np.float32([[1.5, -0.0], [np.nan, np.inf]]),
        np.array(7, dtype=np.uint64),
        np.zeros((0, 3), dtype=np.int8),
        np.array([True, False]),
        np.array([1 + 2j], dtype=np.complex64),
        np.float16([0.1]),
    ],
    ids=lambda values: str(values.dtype),
)
def test_numbers_keep_type_shape_and_bits(tmp_path: Path, values: Any) -> None:
    found = again(tmp_path, x=values)["x"]
    assert (found.dtype, found.shape) == (values.dtype, values.shape)
    assert found.tobytes() == values.tobytes()


@pytest.mark.parametrize(
    "texts",
    [[b"a\0", b"\0\0", b"", b"\x01"], [b"\xff\xfe"], ["ü", "plain"], [], b"alone", [[b"a", b"bb"], [b"", b"c\0"]]],
    ids=repr,
)
def test_text_keeps_every_byte_and_its_shape(tmp_path: Path, texts: Any) -> None:
    given = np.array(texts, dtype=object)
    found = again(tmp_path, x=given)["x"]
    assert (found.dtype, found.shape) == (np.dtype(object), given.shape)
    assert found.ravel().tolist() == [one if isinstance(one, bytes) else one.encode() for one in given.ravel()]


@pytest.mark.parametrize(
    "name", ["file", "n:x", "t:x", "größe", "a/b/c", "../up", "", "arr_0", "allow_pickle", "x.npy"]
)
def test_an_input_may_have_any_name(tmp_path: Path, name: str) -> None:
    given = {name: np.int32([1]), name + "'": np.array([b"text\0"], dtype=object)}
    found = again(tmp_path, **given)
    assert {key: values.tolist() for key, values in found.items()} == {name: [1], name + "'": [b"text\0"]}


def test_a_list_of_python_values_is_an_array(tmp_path: Path) -> None:
    assert again(tmp_path, x=[1.0, 2.0])["x"].tolist() == [1.0, 2.0]
