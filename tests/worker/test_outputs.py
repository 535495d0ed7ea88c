"""When two models answered the same: outputs by name, each by the rules of its type."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.worker.outputs import compare, equal_bits, host_arrays
from harness.worker.recorder import WrongOutput

NAN, INF = np.nan, np.inf


def text(*values: bytes) -> Any:
    return np.array(values, dtype=object)


@pytest.mark.parametrize(
    ("found", "expected", "difference", "allowed"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0, None),
        ([1.0, 2.125], [1.0, 2.0], 0.125, None),  # a tenth of the largest value is allowed here
        ([1.0, 2.5], [1.0, 2.0], 0.5, 0.2),
        ([NAN, INF, -INF, 1.0], [NAN, INF, -INF, 1.0], 0.0, None),
        ([], [], 0.0, None),
        ([0.0], [0.0], 0.0, None),
        ([1e-30], [0.0], 1e-30, 0.0),  # of nothing, no share is allowed
        ([NAN], [NAN], 0.0, None),
        (3.0, 3.0, 0.0, None),  # a single value
    ],
    ids=str,
)
def test_numbers_differ_by_their_distance(found: Any, expected: Any, difference: float, allowed: float | None) -> None:
    answer = compare({"y": np.array(found)}, {"y": np.array(expected)}, 0.1)
    assert answer == (difference, None if allowed is None else pytest.approx(allowed))


@pytest.mark.parametrize(
    ("found", "expected", "difference"),
    [
        (np.uint8([0]), np.uint8([255]), 255.0),
        (np.uint64([0]), np.uint64([2**63 + 2**62]), 2.0**63 + 2.0**62),
        (np.int32([-(2**31)]), np.int32([2**31 - 1]), 2.0**32 - 1),
        (np.complex64([1 + 1j]), np.complex64([1 - 1j]), 2.0),
        (np.float16([60000]), np.float16([-60000]), 120000.0),
    ],
    ids=lambda one: str(getattr(one, "dtype", one)),
)
def test_no_type_wraps_around_or_overflows(found: Any, expected: Any, difference: float) -> None:
    assert compare({"y": found}, {"y": expected}, 1e-3)[0] == difference


@pytest.mark.parametrize(
    ("found", "expected", "said"),
    [
        ([1.0], [[1.0]], "shape (1,) after load, (1, 1) before"),
        ([NAN, 1.0], [1.0, 1.0], "y has other values that are not finite"),
        ([INF], [-INF], "y has other values that are not finite"),
        ([NAN], [INF], "y has other values that are not finite"),
        ([True], [False], "y differs"),
    ],
    ids=str,
)
def test_what_has_no_distance_is_refused_in_words(found: Any, expected: Any, said: str) -> None:
    with pytest.raises(WrongOutput) as error:
        compare({"y": np.array(found)}, {"y": np.array(expected)}, 0.5)
    assert str(error.value) == f"wrong-output: {said}"


def test_text_is_equal_or_not() -> None:
    assert compare({"y": text(b"a\0")}, {"y": text(b"a\0")}, 0.0) == (0.0, None)
    with pytest.raises(WrongOutput, match="y differs"):
        compare({"y": text(b"a\0")}, {"y": text(b"a")}, 0.5)
    with pytest.raises(WrongOutput, match="y differs"):
        compare({"y": text(b"1")}, {"y": np.float32([1])}, 0.5)


def test_each_of_several_outputs_has_an_allowance_of_its_own() -> None:
    expected = {"large": np.array([1000.0]), "small": np.array([1.0])}
    assert compare({"large": np.array([1001.0]), "small": np.array([1.0])}, expected, 0.01) == (1.0, None)
    off = {"large": np.array([1000.0]), "small": np.array([2.0])}
    assert compare(off, expected, 0.01) == (1.0, pytest.approx(0.01))


@pytest.mark.parametrize("order", [("large", "small"), ("small", "large")])
def test_a_small_output_that_is_wrong_is_not_hidden_by_a_large_one_that_is_right(order: tuple[str, str]) -> None:
    values = {"large": (1000.0, 1005.0), "small": (1.0, 2.0)}
    expected = {name: np.array([values[name][0]]) for name in order}
    found = {name: np.array([values[name][1]]) for name in order}
    largest, allowed = compare(found, expected, 0.01)
    assert largest == 5.0
    assert allowed is not None


def test_outputs_are_held_against_those_of_the_same_name() -> None:
    one, two = np.array([1.0]), np.array([2.0])
    assert compare({"a": one, "b": two}, {"b": two, "a": one}, 0.0) == (0.0, None)
    with pytest.raises(WrongOutput) as error:
        compare({"a": one, "c": two}, {"a": one, "b": two}, 0.0)
    assert str(error.value) == "wrong-output: outputs are called differently: a, c and a, b"
    with pytest.raises(WrongOutput, match="called differently: none and a"):
        compare({}, {"a": one}, 0.0)


def test_one_alone_may_have_any_name() -> None:
    """Keras's readers call an only output otherwise than its signature does."""
    assert compare({"output_0": np.array([1.0])}, {"dense": np.array([1.0])}, 0.0) == (0.0, None)


@pytest.mark.parametrize(
    ("found", "is_equal"),
    [
        ({"a": np.float32([1, 0])}, True),
        ({"other": np.float32([1, 0])}, True),
        ({"a": np.nextafter(np.float32([1, 0]), np.float32(2))}, False),
        ({"a": np.float32([1, 0]), "b": np.float32([1])}, False),
        ({"a": np.float32([[1, 0]])}, False),
    ],
)
def test_equal_to_the_last_bit(found: dict[str, Any], is_equal: bool) -> None:
    assert equal_bits(found, {"a": np.float32([1, 0])}) is is_equal


def test_what_is_not_a_number_can_be_equal_to_the_last_bit() -> None:
    values = np.float32([NAN, 1])
    assert equal_bits({"a": values}, {"a": values.copy()})
    assert equal_bits({"a": text(b"x")}, {"a": text(b"x")})


def test_sparse_and_ragged_outputs_are_their_components() -> None:
    sparse = SimpleNamespace(indices=np.int64([[0, 1]]), values=np.float32([2]), dense_shape=np.int64([1, 2]))
    ragged = SimpleNamespace(flat_values=np.float32([1, 2, 3]), nested_row_splits=(np.int64([0, 1, 3]),))
    found = host_arrays({"s": sparse, "r": ragged, "plain": [1.0]})
    assert {name: values.tolist() for name, values in found.items()} == {
        "s_indices": [[0, 1]], "s_values": [2.0], "s_dense_shape": [1, 2],
        "r": [1.0, 2.0, 3.0], "r/splits 0": [0, 1, 3], "plain": [1.0],
    }  # fmt: skip
