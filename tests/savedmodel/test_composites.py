"""Which tensors of a signature are one ragged or sparse input: its function's arguments say it, no name does."""

from __future__ import annotations

from pathlib import Path

from ragged_models import INT64, ragged_model, ragged_spec, sequence, sparse_spec, table, tensor_spec
from saved_model_files import FLOAT, UNKNOWN_RANK

from harness.savedmodel.description import RAGGED, SPARSE, Part
from harness.savedmodel.reading import read

ONE = {"x": (FLOAT, (-1,)), "x_1": (INT64, (-1,))}

SPARSE_ONE = {"s": (INT64, (-1, 2)), "s_1": (FLOAT, (-1,)), "s_2": (INT64, (2,))}


def parts(path: Path) -> dict[str, Part]:
    inputs = read(path).meta_graphs[0].signatures["serving_default"].inputs
    return {name: spec.part for name, spec in inputs.items() if spec.part is not None}


def test_values_and_row_splits_are_known_with_the_shape_of_the_whole(tmp_path: Path) -> None:
    assert parts(ragged_model(tmp_path, ONE, [ragged_spec((-1, -1))])) == {
        "x": Part(RAGGED, 0, ("x", "x_1"), (None, None)),
        "x_1": Part(RAGGED, 1, ("x", "x_1"), (None, None)),
    }


def test_several_ranks_have_row_splits_each(tmp_path: Path) -> None:
    inputs = {**ONE, "x_2": (INT64, (-1,))}
    found = parts(ragged_model(tmp_path, inputs, [ragged_spec((4, -1, -1, 3), rank=2)]))
    assert {name: one.place for name, one in found.items()} == {"x": 0, "x_1": 1, "x_2": 2}
    assert found["x"] == Part(RAGGED, 0, ("x", "x_1", "x_2"), (4, None, None, 3))


def test_a_sparse_input_is_known_with_the_shape_of_the_whole(tmp_path: Path) -> None:
    assert parts(ragged_model(tmp_path, SPARSE_ONE, [sparse_spec((-1, 9))]))["s_1"] == (
        Part(SPARSE, 1, ("s", "s_1", "s_2"), (None, 9))
    )
    counted = {**SPARSE_ONE, "s_2": (FLOAT, (2,))}
    assert parts(ragged_model(tmp_path / "floats", counted, [sparse_spec((-1, 9))])) == {}


def test_an_unknown_shape_stays_unknown(tmp_path: Path) -> None:
    assert parts(ragged_model(tmp_path, ONE, [ragged_spec(UNKNOWN_RANK)]))["x"].shape is None


def test_tensors_are_followed_through_the_call_whatever_their_names_are(tmp_path: Path) -> None:
    """An input called like row splits is none; a dictionary is flattened by its keys; a sparse tensor has three."""
    inputs = {
        "a": (FLOAT, (-1,)), "a_1": (FLOAT, (-1,)), "b": (FLOAT, (-1,)), "s": (INT64, (-1, 2)), "s_1": (FLOAT, (-1,)),
        "s_2": (INT64, (2,)), "z": (INT64, (-1,)),
    }  # fmt: skip
    path = ragged_model(
        tmp_path,
        inputs,
        [sparse_spec(), table({"v": ragged_spec((-1, -1)), "u": tensor_spec((-1,))}), sequence(tensor_spec((-1,)))],
        call=["s", "s_1", "s_2", "b", "a", "z", "a_1"],
    )
    found = parts(path)
    assert {name: (one.kind, one.name, one.place) for name, one in found.items()} == {
        "a": (RAGGED, "a", 0), "z": (RAGGED, "a", 1),
        "s": (SPARSE, "s", 0), "s_1": (SPARSE, "s", 1), "s_2": (SPARSE, "s", 2),
    }  # fmt: skip


def test_names_alone_are_no_ragged_input(tmp_path: Path) -> None:
    plain = [tensor_spec((-1,)), tensor_spec((-1,), INT64)]
    assert parts(ragged_model(tmp_path / "1", ONE, plain)) == {}
    assert parts(ragged_model(tmp_path / "2", ONE, [ragged_spec((-1, -1))], called="unknown")) == {}
    floats = {"x": (FLOAT, (-1,)), "x_1": (FLOAT, (-1,))}
    assert parts(ragged_model(tmp_path / "3", floats, [ragged_spec((-1, -1))])) == {}


def test_a_tree_that_does_not_fit_the_signature_tells_nothing(tmp_path: Path) -> None:
    for number, spec in enumerate((ragged_spec((-1, -1, -1), rank=2), ragged_spec((-1,)), ragged_spec((-1,), 1 << 40))):
        assert parts(ragged_model(tmp_path / str(number), ONE, [spec])) == {}
