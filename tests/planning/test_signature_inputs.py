"""Which signature of a SavedModel is called, and with which inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from own_models import BOOL, COMPLEX, INPUTS, OUT, UINT8, VARIANT, given, model_of, refused, saved, values_of
from saved_model_files import FLOAT, INT32, STRING, UNKNOWN_RANK, Graph, saved_model, signature, tensor


def several(folder: Path, *names: str) -> Path:
    one = signature({"x": tensor("x:0", FLOAT, (-1, 2))}, OUT)
    return saved_model(folder, Graph(signatures=dict.fromkeys(names, one)))


@pytest.mark.parametrize(
    ("names", "wanted", "chosen"),
    [
        (["serving_default", "a"], None, "serving_default"),
        (["a"], None, "a"),
        (["a", "b"], "b", "b"),
        (["a", "__saved_model_init_op", "__saved_model_train_op"], None, "a"),
    ],
)
def test_the_signature_is_the_wanted_the_default_or_the_only_one(
    tmp_path: Path, names: list[str], wanted: str | None, chosen: str
) -> None:
    model = model_of(several(tmp_path / "m", *names), signature=wanted)
    assert (model.signature, model.tags) == (chosen, None)


def test_a_signature_that_has_to_be_chosen_is_refused_with_the_list(tmp_path: Path) -> None:
    path = several(tmp_path / "m", "b", "a")
    assert refused(model_of, path) == (
        f"{path} has no signature 'serving_default': it has a, b; choose one with --signature NAME."
    )
    assert refused(model_of, path, signature="c") == f"{path} has no signature 'c': it has a, b."
    without = saved_model(tmp_path / "none", Graph())
    assert refused(model_of, without) == (
        f"{without} has no signature 'serving_default': it has none that can be called; it cannot be measured."
    )


def test_the_graph_for_serving_is_measured_whatever_others_there_are(tmp_path: Path) -> None:
    one = {"serving_default": signature({"x": tensor("x:0", FLOAT, (-1,))}, OUT)}
    graphs = [Graph(signatures=one, tags=("serve", "gpu")), Graph(signatures=one, tags=("serve",))]
    assert model_of(saved_model(tmp_path / "two", graphs)).tags == ("serve",)
    assert model_of(saved_model(tmp_path / "odd", graphs[:1])).tags == ("serve", "gpu")


@pytest.mark.parametrize(
    ("dtype", "sizes", "called", "shapes", "told"),
    [
        (FLOAT, (-1, 3), {}, {1: (1, 3), 4: (4, 3)}, ""),
        (FLOAT, (-1, -1, 3), {}, {1: (1, 1, 3), 4: (4, 1, 3)}, "; open dimensions of x have size 1"),
        (FLOAT, (-1, -1), {"shapes": {"x": (1, 5)}}, {4: (4, 5)}, "; x has the shape (N, 5)"),
        (FLOAT, (-1, -1), {"shapes": {"x": (9, 5)}}, {4: (4, 5)}, "; x has the shape (N, 5)"),
        (FLOAT, UNKNOWN_RANK, {}, {1: (1,), 4: (4,)}, "; x is of unknown rank and taken for one value an example"),
        (FLOAT, UNKNOWN_RANK, {"shapes": {"x": (1, 2, 3)}}, {4: (4, 2, 3)}, "; x has the shape (N, 2, 3)"),
        (FLOAT, (4, 3), {}, {4: (4, 3)}, ""),
        (FLOAT, (4, -1), {"shapes": {"x": (4, 7)}}, {4: (4, 7)}, "; x has the shape (4, 7)"),
        (FLOAT, (), {}, {1: ()}, ""),
        (STRING, (-1,), {}, {4: (4,)}, ""),
        (INT32, (-1, 2), {"ranges": {"x": (5, 9)}}, {4: (4, 2)}, "; x from 5 to 9"),
    ],
    ids=str,
)
def test_the_shape_follows_from_the_signature_and_from_what_was_asked_for(
    tmp_path: Path, dtype: int, sizes: Any, called: dict[str, Any], shapes: dict[int, Any], told: str
) -> None:
    model = model_of(saved(tmp_path / "m", {"x": (dtype, sizes)}), **called)
    assert model.inputs_told == "random, seed 1" + told
    for batch, shape in shapes.items():
        assert values_of(model, batch, tmp_path)["x"].shape == shape
    free = isinstance(sizes, str) or sizes[:1] == (-1,)
    assert model.fixed_batch == (None if free else sizes[0] if sizes else 1)
    assert model.batches((1, 32)) == ((1, 32) if free else (model.fixed_batch,))


@pytest.mark.parametrize(
    ("dtype", "called", "allowed"),
    [
        (FLOAT, None, lambda v: (v >= 0).all() and (v < 1).all() and np.ptp(v) > 0),
        (FLOAT, (-5, 5), lambda v: (v >= -5).all() and (v < 5).all() and (v < 0).any()),
        (INT32, None, lambda v: set(v.ravel()) == {0, 1}),
        (INT32, (7, 9), lambda v: set(v.ravel()) == {7, 8, 9}),
        (INT32, (0, 0), lambda v: set(v.ravel()) == {0}),
        (UINT8, (0, 255), lambda v: v.dtype == np.uint8 and v.max() > 200),
        (BOOL, None, lambda v: v.dtype == bool and 0 < v.sum() < v.size),
        (COMPLEX, None, lambda v: v.dtype == np.complex64 and (v.imag > 0).any()),
        (STRING, None, lambda v: all(isinstance(one, bytes) and len(one) == 8 for one in v.ravel())),
    ],
    ids=lambda value: "" if callable(value) else str(value),
)
def test_values_are_of_the_type_and_in_the_range(tmp_path: Path, dtype: int, called: Any, allowed: Any) -> None:
    path = saved(tmp_path / "m", {"x": (dtype, (-1, 64))})
    model = model_of(path, ranges={} if called is None else {"x": called})
    values = values_of(model, 4, tmp_path / "1")["x"]
    assert allowed(values)
    again = values_of(model, 4, tmp_path / "2")["x"]
    assert values.tolist() == again.tolist()
    if called != (0, 0):
        assert values_of(model, 3, tmp_path / "2")["x"].tolist() != values[:3].tolist()


def test_inputs_of_one_type_have_other_values_each(tmp_path: Path) -> None:
    model = model_of(saved(tmp_path / "m", {"a": (FLOAT, (-1, 8)), "b": (FLOAT, (-1, 8)), "file": (FLOAT, (-1, 8))}))
    values = values_of(model, 1, tmp_path)
    assert set(values) == {"a", "b", "file"}
    assert values["a"].tolist() != values["b"].tolist()


def test_a_signature_without_inputs_is_called_with_none(tmp_path: Path) -> None:
    model = model_of(saved(tmp_path / "m", {}))
    assert model.inputs_told == "none"
    assert model.fixed_batch == 1
    assert values_of(model, 1, tmp_path) == {}


def test_an_input_with_a_batch_makes_it_free_whatever_the_others_have(tmp_path: Path) -> None:
    model = model_of(saved(tmp_path / "m", {"x": (FLOAT, (-1, 2)), "threshold": (FLOAT, ()), "table": (FLOAT, (5,))}))
    assert model.fixed_batch is None
    assert {name: one.shape for name, one in values_of(model, 7, tmp_path).items()} == {
        "x": (7, 2), "threshold": (), "table": (5,),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("called", "said"),
    [
        ({"shapes": {"z": (1,)}}, "--shape names 'z'; the inputs of PATH are n, s, u, x."),
        ({"ranges": {"z": (0, 1)}}, "--range names 'z'; the inputs of PATH are n, s, u, x."),
        ({"shapes": {"x": (1, 4)}}, "The shape 1,4 does not fit input 'x' of PATH, which takes (any, 3)."),
        ({"shapes": {"x": (3,)}}, "The shape 3 does not fit input 'x' of PATH, which takes (any, 3)."),
        ({"shapes": {"x": ()}}, "The shape (a single value) does not fit input 'x' of PATH, which takes (any, 3)."),
        ({"ranges": {"n": (5, 1)}}, "--range n=5,1 is empty: give the smaller number first."),
        ({"ranges": {"n": (float("nan"), 1)}}, "--range n=nan,1 is empty: give the smaller number first."),
        ({"ranges": {"x": (0, float("inf"))}}, "--range x=0,inf does not fit input 'x' of PATH, whose type, float32, "
                                              "is from -3.40282e+38 to 3.40282e+38."),
        ({"ranges": {"u": (-1, 5)}}, "--range u=-1,5 does not fit input 'u' of PATH, whose type, uint8, is from 0 to "
                                     "255."),
        ({"ranges": {"s": (0, 1)}}, "--range s=0,1 is for numbers, and input 's' of PATH has the type string."),
    ],
    ids=str,
)  # fmt: skip
def test_what_does_not_fit_an_input_is_refused(tmp_path: Path, called: dict[str, Any], said: str) -> None:
    path = saved(tmp_path / "m", INPUTS)
    assert refused(model_of, path, **called).replace(str(path), "PATH") == said


def test_a_type_of_which_nothing_can_be_made_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "m", {"x": (VARIANT, ())})
    assert refused(model_of, path) == (
        f"Input 'x' of {path} has the type variant, of which no values can be made: choose another signature with "
        "--signature."
    )


def test_given_values_are_cut_and_repeated_to_a_batch(tmp_path: Path) -> None:
    path = saved(tmp_path / "m", {"x": (FLOAT, (-1, 1)), "k": (INT32, ())})
    model = model_of(path, inputs=given(tmp_path, x=[[1], [2], [3]], k=7))
    assert model.inputs_told.startswith("given.npz, SHA-256 ")
    for batch, wanted in ((1, [1]), (2, [1, 2]), (5, [1, 2, 3, 1, 2])):
        values = values_of(model, batch, tmp_path)
        assert values["x"].ravel().tolist() == wanted
        assert values["k"] == 7


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"x": np.zeros((0, 1)), "k": [1]}, "given.npz has 1 of k, 0 of x: give every input the same number of "),
        ({"x": [[1], [2]], "k": [1, 2, 3]}, "given.npz has 3 of k, 2 of x: give every input the same number"),
        ({"x": [[1, 2]], "k": [1]}, "The shape 1,2 does not fit input 'x'"),
        ({"x": [[1]]}, "given.npz lacks k"),
    ],
    ids=str,
)  # fmt: skip
def test_given_values_of_which_no_batch_can_be_made_are_refused(
    tmp_path: Path, values: dict[str, Any], said: str
) -> None:
    path = saved(tmp_path / "m", {"x": (FLOAT, (-1, 1)), "k": (INT32, (-1,))})
    assert said in refused(model_of, path, inputs=given(tmp_path, **values))
