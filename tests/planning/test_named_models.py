"""Which models `--model` and `models.toml` name, and what is refused of their words."""

from __future__ import annotations

from pathlib import Path

import pytest
from own_models import refused

from harness.planning.own_models import Asked, Called, registered, split_models


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
