"""A SavedModel's identity, and variables that hold the same."""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path

import pytest
from saved_model_files import SUFFIX, Graph, Tensor, node, saved_model, trackable

from harness.savedmodel.content import digest, duplicates
from harness.savedmodel.reading import read

VARIABLE = Graph(nodes=[node("v", "VarHandleOp")])


def test_every_copy_has_one_digest_and_another_content_another(tmp_path: Path) -> None:
    first = saved_model(tmp_path / "a", VARIABLE, {"w": Tensor(b"1234")}, others={"assets/words.txt": b"a\n"})
    shutil.copytree(first, tmp_path / "b")
    assert digest(first) == digest(tmp_path / "b")
    assert len(digest(first)) == 64
    for name, content in (("assets/words.txt", b"b\n"), ("variables/variables.data-00000-of-00001", b"1235")):
        changed = shutil.copytree(first, tmp_path / name.replace("/", "-"))
        (changed / name).write_bytes(content)
        assert digest(changed) != digest(first)


def test_names_belong_to_the_content(tmp_path: Path) -> None:
    one = saved_model(tmp_path / "a", others={"assets/a": b"x", "assets/b": b""})
    other = saved_model(tmp_path / "b", others={"assets/a": b"", "assets/b": b"x"})
    assert digest(one) != digest(other)


@pytest.mark.parametrize("name", ["fingerprint.pb", "README.md", ".git/config", "debug/info.pb"])
def test_what_no_loader_needs_is_not_part_of_it(tmp_path: Path, name: str) -> None:
    plain = saved_model(tmp_path / "a")
    assert digest(saved_model(tmp_path / "b", others={name: b""})) == digest(plain)


def test_links_to_files_are_read_as_a_cache_of_hugging_face_needs(tmp_path: Path) -> None:
    plain = saved_model(tmp_path / "plain", VARIABLE, {"w": Tensor(b"1234")})
    linked = tmp_path / "snapshots" / "1"
    for path in plain.rglob("*.*"):
        if path.is_file():
            place = linked / path.relative_to(plain)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(path)
    (tmp_path / "latest").symlink_to(linked)
    assert digest(tmp_path / "latest") == digest(linked) == digest(plain)
    assert [one.name for one in read(tmp_path / "latest").variables] == ["w"]


def test_links_to_folders_are_not_followed_but_for_the_variables(tmp_path: Path) -> None:
    model = saved_model(tmp_path / "model", VARIABLE, {"w": Tensor(b"1234")})
    before = digest(model)
    (model / "assets").symlink_to("/")
    (model / "variables" / "loop").symlink_to(model)
    (model / "itself").symlink_to("itself")
    assert digest(model) == before
    (model / "variables" / "loop").unlink()
    (model / "variables").rename(tmp_path / "elsewhere")
    (model / "variables").symlink_to(tmp_path / "elsewhere")
    assert digest(model) == before


def test_nothing_is_written_there(tmp_path: Path) -> None:
    model = saved_model(tmp_path, VARIABLE, {"w": Tensor(b"1234")})
    before = {path: path.stat().st_mtime_ns for path in (tmp_path, *tmp_path.rglob("*"))}
    duplicates(read(model))
    digest(model)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path, *tmp_path.rglob("*"))} == before


def floats(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def found(folder: Path) -> dict[str, str]:
    return dict(duplicates(read(folder)))


def test_equal_contents_of_one_type_and_shape_are_the_same(tmp_path: Path) -> None:
    some, others = floats(1, 2, 3, 4), floats(1, 2, 3, 5)
    tensors = {
        "a": Tensor(some, (4,)),
        "b": Tensor(some, (4,)),
        "c": Tensor(others, (4,)),
        "d": Tensor(some, (2, 2)),
        "e": Tensor(some, (4,), dtype=3),
        "f": Tensor(some, (4,)),
    }
    assert found(saved_model(tmp_path, VARIABLE, tensors)) == {"b": "a", "f": "a"}


def test_large_ones_are_compared_to_their_end(tmp_path: Path) -> None:
    start = os.urandom(3 << 20)
    tensors = {
        name: Tensor(start + end, (len(start) // 4 + 1,))
        for name, end in zip("abc", (b"1234", b"1235", b"1234"), strict=True)
    }
    assert found(saved_model(tmp_path, VARIABLE, tensors)) == {"c": "a"}


def test_zeros_say_nothing_unless_the_graph_calls_both_by_one_name(tmp_path: Path) -> None:
    zeros = {f"{name}{SUFFIX}": Tensor(bytes(8), (2,)) for name in ("all/0", "bias", "m")}
    assert found(saved_model(tmp_path / "untold", VARIABLE, zeros)) == {}
    keys = [{f"all/0{SUFFIX}": "dense/bias"}, {f"bias{SUFFIX}": "dense/bias"}, {f"m{SUFFIX}": "other"}]
    objects = [trackable({"a": 1, "b": 2, "c": 3}), *(trackable(keys=one) for one in keys)]
    assert found(saved_model(tmp_path / "told", VARIABLE, zeros, objects)) == {f"bias{SUFFIX}": f"all/0{SUFFIX}"}


def test_single_numbers_are_not_compared(tmp_path: Path) -> None:
    assert found(saved_model(tmp_path, VARIABLE, {"a": Tensor(b"1234"), "b": Tensor(b"1234", (1,))})) == {}
