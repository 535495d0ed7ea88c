"""How inputs and outputs get their names."""

from __future__ import annotations

import pytest

from harness.formats.endpoint import as_named, named


def test_values_that_are_wanted_pass_as_they_are() -> None:
    assert named({"b": 2, "a": 1}, {"a": None, "b": None}) == {"a": 1, "b": 2}


def test_one_alone_takes_the_one_name_that_is_wanted() -> None:
    assert named({"inputs": 1}, {"input_1": None}) == {"input_1": 1}
    assert named({}, {}) == {}


@pytest.mark.parametrize(
    ("given", "wanted", "said"),
    [
        ({"a": 1, "b": 2}, {"a": None, "c": None}, "the inputs are a, c; given are a, b"),
        ({"a": 1}, {"a": None, "b": None}, "the inputs are a, b; given are a"),
        ({"a": 1, "b": 2}, {"a": None}, "the inputs are a; given are a, b"),
    ],
)
def test_names_that_differ_are_refused_with_both(given: dict[str, int], wanted: dict[str, None], said: str) -> None:
    with pytest.raises(KeyError) as error:
        named(given, wanted)
    assert error.value.args == (said,)


@pytest.mark.parametrize(
    ("outputs", "names", "found"),
    [
        (5, (), {"output_0": 5}),
        (5, ["dense"], {"dense": 5}),
        ([5, 6], ["x", "y"], {"x": 5, "y": 6}),
        ((5, 6), (), {"output_0": 5, "output_1": 6}),
        ([5, 6], ["one"], {"output_0": 5, "output_1": 6}),
        ({"own": 5}, ["dense"], {"own": 5}),
        ([], (), {}),
    ],
)
def test_what_keras_gave_has_names(outputs: object, names: list[str], found: dict[str, int]) -> None:
    assert as_named(outputs, names) == found
