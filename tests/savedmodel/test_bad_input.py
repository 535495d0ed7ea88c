"""What is no SavedModel, or not a whole one, is told so in one sentence; a hostile file costs no more than its size."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from saved_model_files import (
    LFS_POINTER,
    MAGIC,
    Graph,
    Tensor,
    function,
    node,
    saved_model,
    saved_object,
    signature,
    tensor,
    text,
    trackable,
    varint,
)

from harness.errors import ModelError
from harness.savedmodel.content import digest, duplicates
from harness.savedmodel.reading import read

WITH_VARIABLES = Graph(
    nodes=[node("v", "VarHandleOp")], signatures={"f": signature({"x": tensor("x:0", 1, (-1,))}, {})}
)
DATA = "variables/variables.data-00000-of-00001"
INDEX = "variables/variables.index"


def whole(folder: Path) -> Path:
    objects = [trackable({"w": 1}), trackable(keys={"w": "w"})]
    return saved_model(folder, WITH_VARIABLES, {"w": Tensor(b"12345678", (2,))}, objects)


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as error:
        read(path)
    said = str(error.value)
    assert "\n" not in said
    assert said.endswith(".")
    return said


def file(name: str, content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


def inside(name: str, content: bytes = b"") -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        return folder

    return write


def keras_file(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "model.keras", "w") as archive:
        for name in ("metadata.json", "config.json", "model.weights.h5"):
            archive.writestr(name, "{}")
    return folder / "model.keras"


def zipped_model(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "model.zip", "w") as archive:
        archive.writestr("model/saved_model.pb", "")
    return folder / "model.zip"


def hub_archive(folder: Path) -> Path:
    with tarfile.open(folder / "1.tar.gz", "w:gz") as archive:
        archive.add(saved_model(folder / "model"), "model")
    return folder / "1.tar.gz"


def versions(folder: Path) -> Path:
    saved_model(folder / "models" / "1")
    saved_model(folder / "models" / "2")
    return folder / "models"


def broken_link(folder: Path) -> Path:
    (folder / "saved_model.pb").symlink_to("gone")
    return folder


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "saved_model.pb")
    return folder


FROZEN = text(1, node("x", "Placeholder")) + text(1, node("w", "Const"))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: folder / "nowhere", "There is no "),
        (lambda folder: folder, "is an empty folder"),
        (lambda folder: Path("/dev/null"), "is neither a file nor a folder"),
        (keras_file, "is a .keras file, not a SavedModel: load it with keras.models.load_model"),
        (file("model.keras", b"PK\x03\x04rest"), "is a damaged zip file"),
        (file("model.h5", b"\x89HDF\r\n\x1a\nrest"), "is an HDF5 file of Keras"),
        (file("frozen.pb", FROZEN), "is a frozen graph of TensorFlow 1"),
        (file("m.tflite", b"\x1c\0\0\0TFL3rest"), "is a TensorFlow Lite model"),
        (file("model.ckpt-1.index", MAGIC), "is part of a checkpoint"),
        (file("model.onnx", b"\x08\x07"), "is an ONNX model"),
        (file("pointer", LFS_POINTER), "is a Git LFS pointer"),
        (file("saved_model.pb", b"\x08\x01"), "is the graph of a SavedModel: give its folder"),
        (file("notes.txt", b"hello"), "is a file, and a SavedModel is a folder"),
        (zipped_model, "is a zip file with a SavedModel in it"),
        (hub_archive, "is an archive, as TensorFlow Hub hands them out: unpack it"),
        (versions, "has no saved_model.pb: give one of the SavedModels below it: "),
        (lambda folder: whole(folder) / "variables", "is only the variables of a SavedModel"),
        (inside("saved_model.pbtxt", b"saved_model_schema_version: 1"), "has its graph as text"),
        (inside("saved_model.cpb"), "has its graph in chunks"),
        (inside("checkpoint"), "holds a checkpoint, not a SavedModel"),
        (inside("model.weights.h5"), "is not a SavedModel: it has no saved_model.pb, but 'model.weights.h5'"),
        (inside("saved_model.pb", LFS_POINTER), "is a Git LFS pointer, not the file itself: run `git lfs pull`"),
        (inside("saved_model.pb"), "is empty"),
        (inside("saved_model.pb", b"<!DOCTYPE html><html>"), "is a web page"),
        (inside("saved_model.pb", FROZEN), "is a frozen graph of TensorFlow 1"),
        (inside("saved_model.pb", b"\x08\x01"), "is damaged or of another format (it holds no graph)"),
        (inside("saved_model.pb/inner"), "is not a file"),
        (broken_link, "is a link to a file that is not there"),
        (pipe, "is not a file"),
    ],
)
def test_what_it_is_instead_is_said(tmp_path: Path, make: Callable[[Path], Path], said: str) -> None:
    assert said in refusal(make(tmp_path))


def without(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def written(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


def cut(name: str, size: int) -> Callable[[Path], object]:
    return lambda folder: os.truncate(folder / name, size)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (without(INDEX), f"has no {INDEX}, but its graph needs it"),
        (lambda folder: (without(INDEX)(folder), without(DATA)(folder)), "has no variables/, but its graph needs it"),
        (without(DATA), f"{DATA} is missing"),
        (written(INDEX, LFS_POINTER), f"{INDEX} is a Git LFS pointer"),
        (written(DATA, LFS_POINTER), f"{DATA} is a Git LFS pointer"),
        (cut("saved_model.pb", 40), "saved_model.pb is cut: it has 40 bytes, and it needs "),
        (cut(INDEX, 30), f"{INDEX} is damaged or of another format (its end is missing)"),
        (cut(DATA, 6), f"{DATA} is cut: it has 6 bytes, and its index asks for "),
        (written("fingerprint.pb", b"\x0f"), "fingerprint.pb is damaged"),
        (written("keras_metadata.pb", text(1, text(5, "{"))), "keras_metadata.pb is damaged"),
    ],
)
def test_what_is_missing_or_cut_is_said(tmp_path: Path, harm: Callable[[Path], object], said: str) -> None:
    folder = whole(tmp_path)
    harm(folder)
    assert said in refusal(folder)


def test_a_graph_of_objects_needs_variables_even_if_it_declares_none(tmp_path: Path) -> None:
    with_objects = Graph(objects=[saved_object("_generic_user_object")])
    assert "has no variables/" in refusal(saved_model(tmp_path / "2", with_objects))
    assert read(saved_model(tmp_path / "1", Graph(version="1.12.0"))).variables == ()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("name", ["saved_model.pb", "variables", INDEX, DATA, "."])
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, name: str) -> None:
    folder = whole(tmp_path / "model")
    (folder / name).chmod(0)
    try:
        assert "no permission to read" in refusal(folder)
    finally:
        (folder / name).chmod(0o700)


def test_names_that_move_the_cursor_are_made_harmless(tmp_path: Path) -> None:
    saved_model(tmp_path / "\x1b[31mred\n" / "model")
    assert "\x1b" not in refusal(tmp_path)


def answers(folder: Path) -> None:
    """Read all of a folder; whatever is wrong with it is said as a ModelError."""
    try:
        duplicates(read(folder))
        digest(folder)
    except ModelError:
        pass


@pytest.mark.parametrize("name", ["saved_model.pb", INDEX, DATA])
def test_a_file_cut_anywhere_is_a_sentence_or_whole(tmp_path: Path, name: str) -> None:
    folder = whole(tmp_path)
    content = (folder / name).read_bytes()
    for size in range(len(content)):
        (folder / name).write_bytes(content[:size])
        answers(folder)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_bytes_changed_anywhere_are_a_sentence_or_whole(tmp_path: Path, data: st.DataObject) -> None:
    folder = whole(tmp_path)
    name = data.draw(st.sampled_from(["saved_model.pb", INDEX, DATA]))
    content = bytearray((folder / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    (folder / name).write_bytes(bytes(content))
    answers(folder)


HOSTILE = {
    "functions": text(2, text(2, text(2, text(1, b"") * 300_000))),
    "signatures": text(2, text(5, b"") * 300_000),
    "tensors": text(2, text(5, text(2, text(1, b"") * 300_000))),
    "graphs": text(2, b"") * 300_000,
    "ops": text(2, text(2, b"".join(text(1, text(2, str(number))) for number in range(200_000)))),
    "dimensions": text(2, text(5, text(2, text(1, text(2, text(3, text(2, b"") * 1000)))))),
    "nesting": text(2, varint(1 << 63)),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", HOSTILE)
def test_what_would_fill_the_memory_is_refused_soon(tmp_path: Path, kind: str) -> None:
    (tmp_path / "saved_model.pb").write_bytes(HOSTILE[kind])
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    refusal(tmp_path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 20  # KiB: a GiB
    assert time.process_time() - began < 30


def test_an_index_whose_keys_or_blocks_grow_without_end_is_refused(tmp_path: Path) -> None:
    folder = whole(tmp_path)
    key = b"k" * 10_000
    pairs = varint(0) + varint(len(key)) + varint(0) + key
    pairs += (varint(len(key)) + varint(1) + varint(0) + b"x") * 20_000
    block = pairs + bytes(4) + (1).to_bytes(4, "little")
    index = varint(0) + varint(1) + varint(8) + b"z" + (varint(0) + varint(len(block))).ljust(8, b"\0")
    index += bytes(4) + (1).to_bytes(4, "little")
    out = block + bytes(5) + index + bytes(5)
    footer = varint(0) + varint(0) + varint(len(block) + 5) + varint(len(index))
    (folder / INDEX).write_bytes(out + footer.ljust(40, b"\0") + MAGIC)
    assert "keys are far larger than the file" in refusal(folder)


@pytest.mark.slow
def test_millions_of_nodes_are_counted_in_their_own_size(tmp_path: Path) -> None:
    nodes = [node(f"node/{number}", "MatMul") for number in range(200_000)]
    folder = saved_model(tmp_path, Graph(nodes=nodes[:100_000], functions=[function("f", nodes[100_000:])]))
    script = (
        "import resource, sys; from harness.savedmodel.reading import read; "
        "start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; nodes = read(sys.argv[1]).meta_graphs[0].nodes; "
        "print(nodes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start)"
    )
    done = subprocess.run([sys.executable, "-c", script, folder], capture_output=True, text=True, check=True)
    counted, grown_kib = map(int, done.stdout.split())
    assert counted == 200_000
    assert grown_kib < 2 * (folder / "saved_model.pb").stat().st_size / 1024 + 4096
