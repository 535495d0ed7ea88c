"""Models of a user's own: what `--model` and `models.toml` may say, and what a model then is."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from saved_model_files import FLOAT, INT32, LFS_POINTER, STRING, UNKNOWN_RANK, Graph, saved_model, signature, tensor

from harness.errors import ModelError, UsageError
from harness.measure.inputs import write_inputs
from harness.measure.own_models import Input, OwnModel
from harness.planning.own_models import Asked, Called, read_model, registered, split_models
from harness.worker import arrays

BOOL, UINT8, COMPLEX, VARIANT = 10, 4, 8, 21
OUT = {"y": tensor("y:0", FLOAT, (-1,))}


def saved(folder: Path, inputs: Mapping[str, tuple[int, Any]], *, name: str = "serving_default") -> Path:
    """Write a SavedModel of one signature, its inputs as (dtype, sizes); -1 is an open dimension."""
    infos = {each: tensor(f"{each}:0", dtype, sizes) for each, (dtype, sizes) in inputs.items()}
    return saved_model(folder, Graph(signatures={name: signature(infos, OUT)}))


def model_of(path: Path, **called: Any) -> OwnModel:
    return read_model(Asked("it", path, "", Called(**called)))


def refused(call: Callable[..., object], *arguments: Any, **named: Any) -> str:
    with pytest.raises((UsageError, ModelError)) as error:
        call(*arguments, **named)
    said = str(error.value)
    assert "\n" not in said
    assert said.endswith(".")
    return said


def values_of(model: OwnModel, batch: int, folder: Path) -> dict[str, Any]:
    return arrays.load(str(write_inputs(model, batch, folder)))


# What --model may say


@pytest.fixture(name="root")
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two registered models, and the current folder, which has a SavedModel and others beside it."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "models.toml").write_text(
        '[[model]]\nname = "pitch"\npath = "models/pitch"\n\n'
        '[[model]]\nname = "pitch-2"\npath = "/elsewhere/pitch"\nsignature = "f"\n'
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    return root


@pytest.mark.parametrize(
    ("text", "globs", "own"),
    [
        (None, None, []),
        ("mlp-*, conv-s", "mlp-*,conv-s", []),
        ("folder", None, [("folder", "folder", "")]),
        ("./folder/", None, [("folder", "folder", "")]),
        ("some/where", None, [("where", "some/where", "")]),
        ("net.keras,old.H5,x.hdf5", None, [("net", "net.keras", ""), ("old", "old.H5", ""), ("x", "x.hdf5", "")]),
        ("net.py", None, [("net", "net.py", "")]),
        ("a/net.py:large one", None, [("net-large-one", "a/net.py", "large one")]),
        ("pitch", None, [("pitch", "ROOT/models/pitch", "")]),
        ("pitch@0123abcd", None, [("pitch", "ROOT/models/pitch", "")]),
        ("pitch*", None, [("pitch", "ROOT/models/pitch", ""), ("pitch-2", "/elsewhere/pitch", "")]),
        ("*", "*", [("pitch", "ROOT/models/pitch", ""), ("pitch-2", "/elsewhere/pitch", "")]),
        ("pitch,pitch", None, [("pitch", "ROOT/models/pitch", "")]),
        ("mlp-s,folder,pitch", "mlp-s", [("folder", "folder", ""), ("pitch", "ROOT/models/pitch", "")]),
        ("a/né@b", None, [("n-b", "a/né@b", "")]),
        ("./..name..", None, [("name", "..name..", "")]),
    ],
)
def test_words_are_paths_registered_names_or_globs(
    root: Path, text: str | None, globs: str | None, own: list[tuple[str, str, str]]
) -> None:
    found_globs, found = split_models(root, text, Called())
    assert found_globs == globs
    told = [(one.name, str(one.path).replace(str(root), "ROOT"), one.size) for one in found]
    assert told == own


@pytest.mark.parametrize("text", ["a/folder,b/folder", "pitch,b/pitch", "b/pitch,pitch", "net.keras,net.h5"])
def test_two_models_of_one_name_are_refused(root: Path, text: str) -> None:
    assert "would have the same name" in refused(split_models, root, text, Called())


def test_a_name_of_a_result_that_is_not_registered_is_no_glob(root: Path) -> None:
    said = refused(split_models, root, "other@0123abcd", Called())
    assert said == (
        "other@0123abcd is a model that was given by its path: enter it in models.toml under that name, or give its "
        "path."
    )


def test_options_of_models_that_are_given_by_a_path_need_one(root: Path) -> None:
    for text in (None, "mlp-s", "pitch"):
        assert refused(split_models, root, text, Called(signature="f")) == (
            "--signature, --shape, --range, --inputs, --tolerance and --trust are for models that are given by a path: "
            "name one with --model PATH, or write them into models.toml."
        )
    (_, (asked, registered_one)) = split_models(root, "folder,pitch-2", Called(signature="g"))
    assert (asked.called.signature, registered_one.called.signature) == ("g", "f")


def test_packages_are_added_to_every_model_of_ones_own(root: Path) -> None:
    (_, own) = split_models(root, "folder,pitch-2", Called(packages=("her-ops",)))
    assert [one.called.packages for one in own] == [("her-ops",), ("her-ops",)]
    assert refused(split_models, root, "mlp-s", Called(packages=("her-ops",))) == (
        "--with is for models of your own: name one with --model PATH."
    )


# models.toml


ENTRY = {"name": '"m"', "path": '"p"'}


def toml(root: Path, **fields: str) -> Path:
    (root / "models.toml").write_text("[[model]]\n" + "".join(f"{k} = {v}\n" for k, v in {**ENTRY, **fields}.items()))
    return root


def test_every_field_says_how_the_model_is_called(root: Path) -> None:
    fields = {
        "signature": '"f"', "shape": "{ x = [1, 8] }", "range": "{ x = [0, 9] }", "inputs": '"i.npz"',
        "batches": "[1, 8]", "tolerance": "0.01", "timeout_s": "5", "packages": '["tensorflow-text"]',
        "trust": "true", "size": '"large"',
    }  # fmt: skip
    assert registered(toml(root, **fields)) == {
        "m": Asked(
            "m", root / "p", "large",
            Called("f", {"x": (1, 8)}, {"x": (0.0, 9.0)}, root / "i.npz", (1, 8), 0.01, 5.0, ("tensorflow-text",),
                   True),
            is_registered=True,
        )
    }  # fmt: skip


def test_no_file_is_no_model(tmp_path: Path) -> None:
    assert registered(tmp_path) == {}
    (tmp_path / "models.toml").write_text("# nothing yet\n")
    assert registered(tmp_path) == {}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "7"}, "entry 1: `name` = 7 is not a text"),
        ({"path": "[]"}, "entry 1: `path` = [] is not a text"),
        ({"signature": "1"}, "entry 1: `signature` = 1 is not a text"),
        ({"shape": "[1]"}, "entry 1: `shape` = [1] is not a table"),
        ({"shape": "{ x = [0] }"}, "`shape` = {'x': [0]} holds something that is not a whole number of 1 or more"),
        ({"range": "{ x = [0] }"}, "`range` = {'x': [0]} holds something that is not a list of 2"),
        ({"range": '{ x = ["a", 1] }'}, "`range` = {'x': ['a', 1]} holds something that is not a number"),
        ({"inputs": "1"}, "entry 1: `inputs` = 1 is not a text"),
        ({"batches": "[0]"}, "entry 1: `batches[0]` = 0 is not a whole number of 1 or more"),
        ({"batches": "4"}, "entry 1: `batches` = 4 is not a list"),
        ({"tolerance": "0"}, "entry 1: `tolerance` = 0 is not a number"),
        ({"tolerance": "1.0"}, "entry 1: `tolerance` = 1.0 is not a number"),
        ({"timeout_s": "-1"}, "entry 1: `timeout_s` = -1 is not a number"),
        ({"packages": '"tensorflow-text"'}, "entry 1: `packages` = 'tensorflow-text' is not a list"),
        ({"trust": "1"}, "entry 1: `trust` = 1 is not true or false"),
        ({"size": "1"}, "entry 1: `size` = 1 is not a text"),
        ({"signatur": '"f"'}, "entry 1: unknown field `signatur`"),
        ({"name": '"a/b"'}, "entry 1: 'a/b' cannot be a model's name"),
        ({"name": '"-a"'}, "entry 1: '-a' cannot be a model's name"),
        ({"name": '"a@b"'}, "entry 1: 'a@b' cannot be a model's name"),
        ({"name": '""'}, "entry 1: '' cannot be a model's name"),
        ({"name": f'"{"a" * 81}"'}, "cannot be a model's name: use letters, digits, '.', '_' and '-', at most 80"),
    ],
    ids=str,
)
def test_a_wrong_field_is_named_with_its_entry(root: Path, fields: dict[str, str], said: str) -> None:
    found = refused(registered, toml(root, **fields))
    assert found.startswith(f"{root / 'models.toml'}: ")
    assert said in found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[model]]\nname = "m"\n', "entry 1: misses the field `path`"),
        ('[[model]]\nname = "m"\npath = "p"\n' * 2, "entry 2: 'm' cannot be a model's name"),
        ('[model]\nname = "m"\n', "may hold [[model]] entries and nothing else"),
        ('[[models]]\nname = "m"\n', "may hold [[model]] entries and nothing else"),
        ("model = [1]\n", "entry 1: "),
        ("[[model]\n", "is not a TOML file that can be read"),
    ],
)
def test_a_wrong_file_is_refused(root: Path, text: str, said: str) -> None:
    (root / "models.toml").write_text(text)
    assert said in refused(registered, root)


def test_a_registered_name_cannot_be_one_of_the_harness_itself(root: Path) -> None:
    """Or `--model mlp-s`, which everybody knows, would silently be another model."""
    assert "'mlp-s' cannot be a model's name" in refused(registered, toml(root, name='"mlp-s"'))


# Signatures


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


# Inputs


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


INPUTS = {"x": (FLOAT, (-1, 3)), "n": (INT32, (-1,)), "s": (STRING, (-1,)), "u": (UINT8, (-1,))}


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


def given(folder: Path, **values: Any) -> Path:
    path = folder / "given.npz"
    np.savez(path, **{name: np.array(one) for name, one in values.items()})
    return path


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


# Identity


def test_the_same_content_elsewhere_is_the_same_model(tmp_path: Path) -> None:
    path = saved(tmp_path / "m", INPUTS)
    shutil.copytree(path, tmp_path / "copied")
    os.utime(tmp_path / "copied" / "saved_model.pb", (1, 1))
    one, other = model_of(path), model_of(tmp_path / "copied")
    assert one.name == other.name == f"it@{one.digest[:8]}"
    assert replace(one, path="") == replace(other, path="")
    assert one.called == "it"


def test_another_content_signature_or_input_is_another_model(tmp_path: Path) -> None:
    info = signature({"x": tensor("x:0", FLOAT, (-1, -1)), "n": tensor("n:0", INT32, (-1,))}, OUT)
    path = saved_model(tmp_path / "m", Graph(signatures={"serving_default": info, "other": info}))
    another = saved_model(tmp_path / "n", Graph(signatures={"serving_default": info, "others": info}))
    values = given(tmp_path, x=[[1.0]], n=[1])
    first = model_of(path)
    models = [
        first,
        model_of(another),
        model_of(path, signature="other"),
        model_of(path, shapes={"x": (1, 4)}),
        model_of(path, ranges={"n": (0, 9)}),
        model_of(path, inputs=values),
    ]
    given(tmp_path, x=[[2.0]], n=[1])
    models.append(model_of(path, inputs=values))
    assert len({one.name for one in models}) == len(models)
    for same in ({"signature": "serving_default"}, {"tolerance": 0.1}, {"batches": (8,)}, {"timeout_s": 3.0}):
        assert model_of(path, **same).name == first.name


# Kinds of files


def asked(path: Path, size: str = "", **called: Any) -> Asked:
    return Asked("it", path, size, Called(**called))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("net.keras", "can hold Python code, which Keras runs when it loads it"),
        ("net.h5", "can hold Python code, which Keras runs when it loads it"),
        ("net.py", "is Python code"),
    ],
)
def test_files_that_run_code_need_trust(tmp_path: Path, name: str, said: str) -> None:
    path = tmp_path / name
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    assert refused(read_model, asked(path)) == (
        f"{path} {said}: add --trust (or `trust = true` in models.toml) if you know who wrote it."
    )
    model = read_model(asked(path, trust=True))
    assert (model.kind, model.is_built) == (("python-file", True) if name == "net.py" else ("keras-file", False))
    assert model.name == f"it@{model.digest[:8]}"


def test_a_keras_file_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.h5"
    path.write_bytes(LFS_POINTER)
    assert "is a Git LFS pointer, not the file itself" in refused(read_model, asked(path, trust=True))
    for content in (b"", b"PK\x03\x04 cut"):
        path.write_bytes(content)
        said = refused(read_model, asked(path, trust=True))
        assert said == f"{path} is damaged, or no file that Keras wrote: copy it again."
    path.write_bytes(b"\x89HDF\r\n\x1a\n")
    assert read_model(asked(path, trust=True)).kind == "keras-file"


def test_a_python_file_of_two_sizes_is_two_models(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text("code")
    names = {read_model(asked(path, size, trust=True)).name for size in ("", "s", "m")}
    assert len(names) == 3


def test_options_for_signatures_are_refused_of_files(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text("code")
    said = refused(read_model, asked(path, trust=True, signature="f", shapes={"x": (1,)}))
    assert said == f"--signature, --shape cannot be used with {path}: it is no SavedModel directory."


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    assert refused(read_model, asked(tmp_path / "none")) == (
        f"There is no model at {tmp_path / 'none'}: give the path of a SavedModel directory or of a file."
    )
    (tmp_path / "notes.txt").write_text("hello")
    assert "is no model that can be measured" in refused(read_model, asked(tmp_path / "notes.txt"))
    (tmp_path / "empty").mkdir()
    assert "is an empty folder" in refused(read_model, asked(tmp_path / "empty"))
    (tmp_path / "lfs").mkdir()
    (tmp_path / "lfs" / "saved_model.pb").write_bytes(LFS_POINTER)
    assert "is a Git LFS pointer" in refused(read_model, asked(tmp_path / "lfs"))


def test_inputs_name_what_they_are() -> None:
    """The plan of a run holds them: a field that is added has a default, or older runs cannot be read."""
    assert Input("x", "float32", (3,), True) == Input("x", "float32", (3,), True, (), None, None)
