"""Inputs from a file: what it may look like, and what is said of one that does not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import UsageError
from harness.measure import given_inputs
from harness.measure.own_models import Input

X = {"x": "float32"}
TEXT = {"s": "string"}


def npz(folder: Path, **arrays: Any) -> Path:
    path = folder / "given.npz"
    with path.open("wb") as file:
        np.savez(file, **arrays)
    return path


def rest(folder: Path, document: Any) -> Path:
    path = folder / "given.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def read(path: Path, dtypes: dict[str, str]) -> dict[str, Any]:
    return given_inputs.read(path, [Input(*one, (), has_batch=False) for one in dtypes.items()], "serving_default")


def refusal(path: Path, dtypes: dict[str, str]) -> str:
    with pytest.raises(UsageError) as error:
        read(path, dtypes)
    said = str(error.value)
    assert "\n" not in said
    assert said.startswith(str(path)) or said.startswith(f"There is no file {path}")
    return said.replace(str(path), "FILE")


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (np.float64([[1, 2]]), "float32"),
        (np.int64([[0, 255]]), "uint8"),
        (np.array([True]), "bool"),
        (np.int32([0, 1]), "bool"),
        (np.float32([np.nan, np.inf]), "float16"),
        (np.complex128([1 + 2j]), "complex64"),
        (np.int32(5), "int64"),
        (np.zeros((0, 3)), "float32"),
    ],
)
def test_arrays_become_the_type_that_the_input_takes(tmp_path: Path, values: Any, dtype: str) -> None:
    found = read(npz(tmp_path, x=values), {"x": dtype})["x"]
    assert (str(found.dtype), found.shape) == (dtype, values.shape)
    assert np.array_equal(found, values, equal_nan=found.dtype.kind == "f")


@pytest.mark.parametrize("values", [np.array([b"ab", b""]), np.array(["ab", "ü"])], ids=["bytes", "str"])
def test_text_of_an_npz_is_bytes(tmp_path: Path, values: Any) -> None:
    found = read(npz(tmp_path, s=values), TEXT)["s"]
    assert found.tolist() == [one if isinstance(one, bytes) else one.encode() for one in values.tolist()]


ROWS = [{"x": [1.0, 2.0], "s": "a"}, {"x": [3.0, 4.0], "s": {"b64": "AAE="}}]


@pytest.mark.parametrize(
    "document",
    [
        {"instances": ROWS},
        {"signature_name": "serving_default", "instances": ROWS},
        {"inputs": {"x": [[1, 2], [3, 4]], "s": ["a", {"b64": "AAE="}]}},
    ],
)
def test_the_forms_of_tensorflow_servings_rest_interface(tmp_path: Path, document: Any) -> None:
    found = read(rest(tmp_path, document), {**X, **TEXT})
    assert found["x"].tolist() == [[1, 2], [3, 4]]
    assert found["s"].tolist() == [b"a", b"\0\x01"]


@pytest.mark.parametrize(
    ("document", "dtypes", "values"),
    [
        ({"instances": [[1, 2], [3, 4]]}, X, [[1, 2], [3, 4]]),
        ({"instances": [5, 6]}, X, [5, 6]),
        ({"inputs": [[1, 2]]}, X, [[1, 2]]),
        ({"inputs": 5}, X, 5),
        ({"instances": [{"b64": "AA=="}]}, TEXT, [b"\0"]),
        ({"inputs": {"b64": "AA=="}}, TEXT, b"\0"),
        ({"instances": [["a", "b"], ["c", "d"]]}, TEXT, [[b"a", b"b"], [b"c", b"d"]]),
        ({"instances": [{"s": "ü"}]}, TEXT, ["ü".encode()]),
    ],
)
def test_the_only_input_need_not_be_named(tmp_path: Path, document: Any, dtypes: dict[str, str], values: Any) -> None:
    (found,) = read(rest(tmp_path, document), dtypes).values()
    assert found.tolist() == values


@pytest.mark.parametrize(
    ("given", "dtypes", "said"),
    [
        ({"x": [1.0], "y": [1.0]}, X, "FILE has y; signature 'serving_default' has the inputs x."),
        ({"y": [1.0]}, {**X, "z": "bool"}, "FILE has y; signature 'serving_default' has the inputs x, z."),
        ({"x": [1.0]}, {**X, "z": "bool"}, "FILE lacks z; signature 'serving_default' has the inputs x, z."),
        ({"x": [1.5]}, {"x": "int32"}, "FILE: some values of x, which are float64, do not fit int32, which it takes."),
        ({"x": [300]}, {"x": "uint8"}, "FILE: some values of x, which are int64, do not fit uint8, which it takes."),
        ({"x": [1e300]}, X, "FILE: some values of x, which are float64, do not fit float32, which it takes."),
        ({"x": [np.nan]}, {"x": "int8"}, "FILE: some values of x, which are float64, do not fit int8, which it takes."),
        ({"x": [2]}, {"x": "bool"}, "FILE: some values of x, which are int64, do not fit bool, which it takes."),
        ({"x": [1j]}, X, "FILE: the values of x are complex128, and it takes float32."),
        ({"x": ["1"]}, X, "FILE: the values of x are text, and it takes float32."),
        ({"s": [1.0]}, TEXT, "FILE: the values of s are float64, and it takes text."),
    ],
)
def test_an_npz_that_does_not_fit_is_refused(
    tmp_path: Path, given: dict[str, Any], dtypes: dict[str, str], said: str
) -> None:
    path = npz(tmp_path, **{name: np.array(values) for name, values in given.items()})
    assert refusal(path, dtypes) == said


FORM = 'FILE must hold {"instances": […]} or {"inputs": {…}}, as TensorFlow Serving\'s REST interface takes them.'


@pytest.mark.parametrize(
    ("document", "dtypes", "said"),
    [
        ("{", X, "FILE is no JSON file that can be read: Expecting property name enclosed in double quotes: "
                 "line 1 column 2 (char 1)."),
        ("[" * 100_000, X, None),
        ([1], X, FORM),
        ({}, X, FORM),
        ({"inputs": [1], "instances": [1]}, X, FORM),
        ({"instances": []}, X, "FILE: `instances` must be a list with at least one example."),
        ({"instances": {"x": 1}}, X, "FILE: `instances` must be a list with at least one example."),
        ({"instances": [{"x": 1}, {"y": 1}]}, X,
         "FILE: the examples of `instances` have different inputs; each must have x."),
        ({"signature_name": "other", "inputs": [1]}, X,
         "FILE is for signature 'other', and 'serving_default' is measured: add --signature other."),
        ({"inputs": {"y": 1}}, X, "FILE has y; signature 'serving_default' has the inputs x."),
        ({"inputs": [1]}, {**X, **TEXT},
         "FILE gives values without names; signature 'serving_default' has the inputs s, x."),
        ({"inputs": [1]}, {}, "FILE gives values without names; signature 'serving_default' has the inputs none."),
        ({"inputs": [[1, 2], [3]]}, X, "FILE: the lists of x differ in length or depth; an input is one array."),
        ({"inputs": [{"b64": "AA=="}]}, X, "FILE: the values of x are no numbers, and it takes float32."),
        ({"inputs": [None]}, X, "FILE: the values of x are no numbers, and it takes float32."),
        ({"inputs": [1]}, {"x": "bfloat16"}, "FILE: values of the type bfloat16, which x takes, cannot be given."),
        ({"inputs": ["a"]}, X, "FILE: the values of x are text, and it takes float32."),
        ({"inputs": ["a", ["b"]]}, TEXT, "FILE: the lists of s differ in length or depth; an input is one array."),
        ({"inputs": [["a"], ["b", "c"]]}, TEXT,
         "FILE: the lists of s differ in length or depth; an input is one array."),
        ({"inputs": [None]}, TEXT, "FILE: the values of s are NoneType, and it takes text."),
        ({"inputs": [1, "a"]}, TEXT, "FILE: the values of s are int, and it takes text."),
        ({"inputs": [{"b64": "?"}]}, TEXT, None),
    ],
)  # fmt: skip
def test_json_that_does_not_fit_is_refused(
    tmp_path: Path, document: Any, dtypes: dict[str, str], said: str | None
) -> None:
    found = refusal(rest(tmp_path, document), dtypes)
    assert said is None or found == said


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"PK\x03\x04 cut", b"\x93NUMPY"], ids=["empty", "text", "cut", "cut array"]
)
def test_what_is_no_npz_is_refused_with_how_to_write_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "given.npz"
    path.write_bytes(content)
    assert refusal(path, X) == (
        "FILE is no .npz file that can be read: write one with numpy.savez(path, NAME=values), text as bytes."
    )


def test_one_array_and_pickles_are_no_npz(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.ones(2))
    assert "is no .npz file" in refusal(tmp_path / "one.npy", X)
    assert "is no .npz file" in refusal(npz(tmp_path, x=np.array([{}], dtype=object)), X)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "given.npz", X) == "There is no file FILE with inputs."
    with pytest.raises(UsageError, match=r"^There is no file .*expected\.npz\.$"):
        given_inputs.read_npz(tmp_path / "expected.npz")
