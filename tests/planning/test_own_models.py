"""What a model of a user's own is: its identity, and the kinds of files."""

from __future__ import annotations

import os
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from own_models import INPUTS, OUT, given, model_of, refused, saved
from saved_model_files import FLOAT, INT32, LFS_POINTER, Graph, saved_model, signature, tensor

from harness.measure.own_models import Input
from harness.planning.own_models import Asked, Called, read_model


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
