"""Inputs that are several tensors: made at any batch size, given in a file, and refused where they do not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ragged_models import INT64, ragged_model, ragged_spec, sparse_spec, tensor_spec
from saved_model_files import FLOAT, STRING

from harness.errors import UsageError
from harness.measure.inputs import write_inputs
from harness.measure.own_models import OwnModel
from harness.planning.own_models import Asked, Called, read_model
from harness.worker import arrays

FLAT = {"x": (FLOAT, (-1,)), "x_1": (INT64, (-1,))}
NUMBERS = {"n": (FLOAT, (-1,))}


def one_rank(folder: Path, sizes: tuple[int, ...] = (-1, -1), *, with_numbers: bool = False) -> Path:
    others = [tensor_spec((-1,))] if with_numbers else []
    splits = {"x_1": (INT64, (-1,) if sizes[0] < 0 else (sizes[0] + 1,))}
    values = {"x": (FLOAT, (-1, *sizes[2:]))}
    return ragged_model(folder, values | splits | (NUMBERS if others else {}), [ragged_spec(sizes), *others])


def two_ranks(folder: Path) -> Path:
    return ragged_model(folder, {**FLAT, "x_2": (INT64, (-1,))}, [ragged_spec((-1, -1, -1), rank=2)])


def model_of(path: Path, **called: Any) -> OwnModel:
    return read_model(Asked("it", path, "", Called(**called)))


def values_of(model: OwnModel, batch: int, folder: Path) -> dict[str, Any]:
    return arrays.load(str(write_inputs(model, batch, folder)))


def refused(path: Path, **called: Any) -> str:
    with pytest.raises(UsageError) as error:
        model_of(path, **called)
    return str(error.value).replace(str(path), "PATH")


@pytest.mark.parametrize("batch", [1, 3, 32])
def test_random_values_have_valid_row_splits_at_any_batch_size(tmp_path: Path, batch: int) -> None:
    model = model_of(one_rank(tmp_path / "m", with_numbers=True))
    assert model.inputs_told == "random, seed 1; x is ragged, 2 values a row"
    assert model.fixed_batch is None
    values = values_of(model, batch, tmp_path)
    assert values["x_1"].tolist() == [2 * row for row in range(batch + 1)]
    assert values["x_1"].dtype == np.int64
    assert (values["x"].shape, values["x"].dtype) == ((2 * batch,), np.float32)
    assert np.ptp(values["x"]) > 0
    assert values["n"].shape == (batch,)


def test_rows_of_rows_have_splits_each(tmp_path: Path) -> None:
    model = model_of(two_ranks(tmp_path / "m"), shapes={"x": (1, 2, 3)}, ranges={"x": (5, 6)})
    assert model.inputs_told == "random, seed 1; x is ragged, 2 by 3 values a row; x from 5 to 6"
    values = values_of(model, 2, tmp_path)
    assert (values["x_1"].tolist(), values["x_2"].tolist()) == ([0, 2, 4], [0, 3, 6, 9, 12])
    assert values["x"].shape == (12,)
    assert values["x"].min() >= 5


def test_what_the_signature_fixes_is_kept(tmp_path: Path) -> None:
    model = model_of(one_rank(tmp_path / "m", (4, -1, 3)))
    assert (model.inputs_told, model.fixed_batch) == ("random, seed 1; x is ragged, 2 by 3 values a row", 4)
    values = values_of(model, 4, tmp_path)
    assert (values["x_1"].tolist(), values["x"].shape) == ([0, 2, 4, 6, 8], (8, 3))


def given(folder: Path, **values: Any) -> Path:
    np.savez(folder / "given.npz", **{name: np.array(one) for name, one in values.items()})
    return folder / "given.npz"


def test_rows_of_a_file_are_cut_and_repeated_to_a_batch(tmp_path: Path) -> None:
    file = given(tmp_path, x=[1, 2, 3, 4, 5], x_1=[0, 2, 2, 5], n=[7, 8, 9])
    model = model_of(one_rank(tmp_path / "m", with_numbers=True), inputs=file)
    for batch, flat, splits in (
        (1, [1, 2], [0, 2]),
        (2, [1, 2], [0, 2, 2]),
        (4, [1, 2, 3, 4, 5, 1, 2], [0, 2, 2, 5, 7]),
    ):
        values = values_of(model, batch, tmp_path)
        assert (values["x"].tolist(), values["x_1"].tolist()) == (flat, splits)
        assert len(values["n"]) == batch


def test_rows_of_rows_are_cut_with_all_that_is_in_them(tmp_path: Path) -> None:
    file = given(tmp_path, x=[1, 2, 3, 4], x_1=[0, 1, 3], x_2=[0, 3, 3, 4])
    model = model_of(two_ranks(tmp_path / "m"), inputs=file)
    values = values_of(model, 3, tmp_path)
    assert values["x"].tolist() == [1, 2, 3, 4, 1, 2, 3]
    assert (values["x_1"].tolist(), values["x_2"].tolist()) == ([0, 1, 3, 4], [0, 3, 3, 4, 7])


@pytest.mark.parametrize(
    "document",
    [
        {"instances": [{"x": [1, 2]}, {"x": []}, {"x": [3]}]},
        {"instances": [[1, 2], [], [3]]},
        {"inputs": {"x": [[1, 2], [], [3]]}},
        {"inputs": {"x": [1, 2, 3], "x_1": [0, 2, 2, 3]}},
    ],
)
def test_json_gives_rows_or_tensors(tmp_path: Path, document: dict[str, Any]) -> None:
    file = tmp_path / "given.json"
    file.write_text(json.dumps(document))
    values = values_of(model_of(one_rank(tmp_path / "m"), inputs=file), 3, tmp_path)
    assert (values["x"].tolist(), values["x_1"].tolist()) == ([1, 2, 3], [0, 2, 2, 3])


def test_text_is_given_in_rows(tmp_path: Path) -> None:
    path = ragged_model(tmp_path / "m", {**FLAT, "x": (STRING, (-1,))}, [ragged_spec((-1, -1), dtype=STRING)])
    file = tmp_path / "given.json"
    file.write_text(json.dumps({"instances": [["a", {"b64": "Yg=="}], ["c"]]}))
    assert values_of(model_of(path, inputs=file), 2, tmp_path)["x"].tolist() == [b"a", b"b", b"c"]


@pytest.mark.parametrize("splits", [[0, 2, 4], [1, 5], [0, 3, 2, 5], [0, 6], [], [[0, 5]], 5, [0, 2, 2**40]], ids=str)
def test_wrong_row_splits_are_said_in_a_sentence(tmp_path: Path, splits: Any) -> None:
    file = given(tmp_path, x=[1, 2, 3, 4, 5], x_1=np.array(splits, dtype=np.int64))
    assert refused(one_rank(tmp_path / "m"), inputs=file) == (
        f"{file} has wrong row splits of the ragged input x: x_1 must begin with 0, never fall, and end with the "
        "number of values, 5."
    )


def test_row_splits_of_rows_count_rows(tmp_path: Path) -> None:
    file = given(tmp_path, x=[1, 2], x_1=[0, 2], x_2=[0, 2])
    assert "end with the number of rows of x_2, 1." in refused(two_ranks(tmp_path / "m"), inputs=file)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = one_rank(tmp_path / "m", with_numbers=True)
    assert refused(path, shapes={"x_1": (3,)}) == "--shape names 'x_1'; the inputs of PATH are n, x."
    assert refused(path, shapes={"x": (3,)}) == "The shape 3 does not fit input 'x' of PATH, which takes (any, any)."
    file = given(tmp_path, x=[1, 2], x_1=[0, 1, 2], n=[1])
    assert "given.npz has 1 of n, 2 of x: give every input the same number of examples" in refused(path, inputs=file)
    file = given(tmp_path, x=[1, 2], n=[1])
    assert "given.npz lacks x_1; signature 'serving_default' has the inputs n, x, x_1." in refused(path, inputs=file)
    fixed = one_rank(tmp_path / "fixed", (-1, 3))
    file = given(tmp_path, x=[1, 2, 3, 4], x_1=[0, 3, 4])
    assert refused(fixed, inputs=file) == "Some rows of 'x' do not have the length 3, which PATH takes."
    nested = tmp_path / "flat.json"
    nested.write_text('{"inputs": {"x": [1, 2]}}')
    assert (
        refused(one_rank(tmp_path / "one"), inputs=nested)
        == f"{nested}: x is ragged: give a list of rows, each a list."
    )


def sparse_model(folder: Path, sizes: tuple[int, ...] | None = (-1, 9), *, with_numbers: bool = False) -> Path:
    others = [tensor_spec((-1,))] if with_numbers else []
    inputs = {"s": (INT64, (-1, 2)), "s_1": (FLOAT, (-1,)), "s_2": (INT64, (2,))}
    return ragged_model(folder, inputs | (NUMBERS if others else {}), [sparse_spec(sizes), *others])


def test_a_sparse_input_has_one_random_value_in_each_row(tmp_path: Path) -> None:
    model = model_of(sparse_model(tmp_path / "m", with_numbers=True), ranges={"s": (5, 6)})
    assert model.inputs_told == "random, seed 1; s is sparse, one value a row; s from 5 to 6"
    assert model.fixed_batch is None
    values = values_of(model, 3, tmp_path)
    assert (values["s"].tolist(), values["s_2"].tolist()) == ([[0, 0], [1, 0], [2, 0]], [3, 9])
    assert (values["s_1"].shape, values["s_1"].dtype, len(values["n"])) == ((3,), np.float32, 3)
    assert values["s_1"].min() >= 5


def test_a_sparse_input_whose_size_is_open_takes_a_shape(tmp_path: Path) -> None:
    open_one = sparse_model(tmp_path / "m", None)
    assert values_of(model_of(open_one), 2, tmp_path)["s_2"].tolist() == [2, 1]
    assert values_of(model_of(open_one, shapes={"s": (1, 7)}), 2, tmp_path)["s_2"].tolist() == [2, 7]


def test_rows_of_a_sparse_input_are_cut_and_repeated_to_a_batch(tmp_path: Path) -> None:
    file = given(tmp_path, s=[[0, 1], [0, 4], [2, 8]], s_1=[1, 2, 3], s_2=[3, 9], n=[7, 8, 9])
    model = model_of(sparse_model(tmp_path / "m", with_numbers=True), inputs=file)
    for batch, indices, flat in (
        (1, [[0, 1], [0, 4]], [1, 2]),
        (4, [[0, 1], [0, 4], [2, 8], [3, 1], [3, 4]], [1, 2, 3, 1, 2]),
    ):
        values = values_of(model, batch, tmp_path)
        assert (values["s"].tolist(), values["s_1"].tolist()) == (indices, flat)
        assert (values["s_2"].tolist(), len(values["n"])) == ([batch, 9], batch)


@pytest.mark.parametrize(
    ("s", "s_1", "s_2", "wrong"),
    [
        ([[0, 1]], [1, 2], [3, 9], "s must have a row for each of the 2 values, of 2 numbers as s_2 has"),
        ([[0, 9]], [1], [3, 9], "s must lie within s_2, (3, 9)"),
        ([[0, -1]], [1], [3, 9], "s must lie within s_2, (3, 9)"),
        ([[0, 1]], [[1]], [3, 9], "s_1 must be a list of values"),
        ([[0, 1]], [1], 9, "s_2 must be the sizes of its dimensions"),
    ],
)
def test_a_wrong_sparse_input_is_said_in_a_sentence(tmp_path: Path, s: Any, s_1: Any, s_2: Any, wrong: str) -> None:
    file = given(tmp_path, s=s, s_1=s_1, s_2=s_2)
    assert refused(sparse_model(tmp_path / "m"), inputs=file) == f"{file} has a wrong sparse input s: {wrong}."


def test_a_sparse_input_of_another_size_is_refused(tmp_path: Path) -> None:
    file = given(tmp_path, s=[[0, 1]], s_1=[1], s_2=[3, 8])
    said = refused(sparse_model(tmp_path / "m"), inputs=file)
    assert said == "The shape 3,8 does not fit input 's' of PATH, which takes (any, 9)."
