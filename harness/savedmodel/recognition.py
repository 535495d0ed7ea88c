"""What a path is that is no SavedModel: the sentence that says so, and what to do.

Each kind is known by how its format begins: https://www.iana.org/assignments/media-types and the formats' own pages.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from harness.errors import ModelError
from harness.savedmodel.places import CHUNKED_GRAPH, GRAPH, TEXT_GRAPH, read_file, require_fetched, unreadable
from harness.savedmodel.wire import MalformedError, Message

_HDF5 = b"\x89HDF\r\n\x1a\n"
_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
_TAR = b"ustar"
_TAR_PLACE = 257
_TFLITE = b"TFL3"
_FIRST_BYTES = 512
_DEEPEST = 3
_LOOKED_AT = 1000
"""Folders below the one that is given in which a SavedModel is looked for, at most."""


def explain_folder(root: Path) -> None:
    """Say what a path is, unless it is a folder with a `saved_model.pb`.

    Raises:
        ModelError: it is not.
    """
    try:
        if (root / GRAPH).is_file():
            return
        if root.is_dir():
            names = sorted(entry.name for entry in islice(root.iterdir(), _LOOKED_AT))
            raise ModelError(_folder(root, names))
        if root.is_file():
            start = read_file(root, _FIRST_BYTES)
            require_fetched(root, start)
            raise ModelError(_file(root, start))
        if root.is_symlink() or root.exists():
            raise ModelError(f"{root} is neither a file nor a folder: give a SavedModel's folder.")
    except OSError as error:
        raise unreadable(root, error) from error
    raise ModelError(f"There is no {root}: give the folder of a SavedModel, the one with {GRAPH} in it.")


def explain_graph(path: Path, data: bytes) -> None:
    """Say what a `saved_model.pb` is, unless it may be one.

    Raises:
        ModelError: it is something else.
    """
    start = data[:_FIRST_BYTES]
    if not data:
        raise ModelError(f"{path} is empty: copy it again.")
    require_fetched(path, start)
    if start.lstrip()[:5].lower() in (b"<!doc", b"<html"):
        raise ModelError(f"{path} is a web page, not a graph: download the file itself.")
    if _is_graph(data):
        raise ModelError(
            f"{path} is a frozen graph of TensorFlow 1 (a GraphDef), not a SavedModel: write it as one with "
            "tf.compat.v1.saved_model.simple_save."
        )


def _folder(root: Path, names: list[str]) -> str:
    if not names:
        return f"{root} is an empty folder: give the folder of a SavedModel, the one with {GRAPH} in it."
    if (root / GRAPH).is_symlink():
        return f"{root / GRAPH} is a link to a file that is not there: fetch the SavedModel again."
    if (root / GRAPH).exists():
        return f"{root / GRAPH} is not a file: give a complete copy of the SavedModel."
    if TEXT_GRAPH in names:
        return (
            f"{root} has its graph as text ({TEXT_GRAPH}), which is not read here: load it with "
            "tf.compat.v1.saved_model.load and save it again, which writes saved_model.pb."
        )
    if CHUNKED_GRAPH in names:
        return f"{root} has its graph in chunks ({CHUNKED_GRAPH}), for more than 2 GB, which is not read here."
    below = list(islice(_below(root), 4))
    if below:
        shown = ", ".join(str(one) for one in below[:3]) + (", …" if len(below) > 3 else "")
        what = "the SavedModel below it" if len(below) == 1 else "one of the SavedModels below it"
        return f"{root} has no {GRAPH}: give {what}: {shown}."
    if "model.weights.h5" in names and "config.json" in names:
        return f"{root} is an unpacked .keras file, not a SavedModel: {_KERAS_ADVICE}"
    if "model.json" in names:
        return f"{root} looks like a TensorFlow.js model, not a SavedModel: give the SavedModel that it was made from."
    if root.name == "variables" and (root.parent / GRAPH).is_file():
        return f"{root} is only the variables of a SavedModel: give {root.parent}."
    if "checkpoint" in names or any(name.endswith(".index") for name in names):
        return f"{root} holds a checkpoint, not a SavedModel: it has variables without a graph, {_CHECKPOINT_ADVICE}"
    for name in names:
        if name.endswith((".keras", ".h5", ".hdf5", ".pb", ".tflite")):
            return f"{root} is not a SavedModel: it has no {GRAPH}, but {name!r}."
    return f"{root} is not a SavedModel: it has no {GRAPH}. Give the folder that has one."


_KERAS_ADVICE = "load it with keras.models.load_model, then call model.export(FOLDER)."
_CHECKPOINT_ADVICE = "so build the model, restore it, and save it with tf.saved_model.save."


def _file(path: Path, start: bytes) -> str:
    if path.name == GRAPH:
        return f"{path} is the graph of a SavedModel: give its folder, {path.parent}."
    if start.startswith(_HDF5):
        return f"{path} is an HDF5 file of Keras, not a SavedModel: {_KERAS_ADVICE}"
    if start.startswith(_ZIP):
        return _archive(path)
    if start[4:8] == _TFLITE:
        return f"{path} is a TensorFlow Lite model, not a SavedModel: give the SavedModel that it was made from."
    if start.startswith(_GZIP) or start[_TAR_PLACE : _TAR_PLACE + len(_TAR)] == _TAR:
        return f"{path} is an archive, as TensorFlow Hub hands them out: unpack it with `tar -xf` and give the folder."
    if path.suffix == ".index" or ".data-" in path.name or path.suffix in (".ckpt", ".meta"):
        return f"{path} is part of a checkpoint, not a SavedModel, {_CHECKPOINT_ADVICE}"
    if path.suffix == ".onnx":
        return f"{path} is an ONNX model, not a SavedModel: give the SavedModel that it was made from."
    if path.suffix == ".pbtxt":
        return f"{path} is a graph as text, which is not read here: give a folder with {GRAPH}."
    if _is_graph(start):
        return (
            f"{path} is a frozen graph of TensorFlow 1 (a GraphDef), not a SavedModel: write it as one with "
            "tf.compat.v1.saved_model.simple_save."
        )
    return f"{path} is a file, and a SavedModel is a folder: give the one with {GRAPH} in it."


def _archive(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return f"{path} is a damaged zip file: copy it again."
    if "config.json" in names and "model.weights.h5" in names:
        return f"{path} is a .keras file, not a SavedModel: {_KERAS_ADVICE}"
    if any(name.rpartition("/")[2] == GRAPH for name in names):
        return f"{path} is a zip file with a SavedModel in it: unpack it and give the folder with {GRAPH}."
    return f"{path} is a zip file, not a SavedModel: give the folder of one."


def _is_graph(data: bytes) -> bool:
    """Return whether the bytes begin like a GraphDef: with a node, whose first fields are a name and an op.

    In a SavedModel field 1 is a number, in a GraphDef it is a message.
    """
    try:
        number, node = next(Message(data).fields(), (0, 0))
        if number != 1 or not isinstance(node, Message):
            return False
        (first, name), (second, op) = islice(node.fields(), 2)
        return (first, second) == (1, 2) and isinstance(name, Message) and isinstance(op, Message)
    except (MalformedError, ValueError):
        return False


def _below(root: Path) -> Iterator[Path]:
    """Yield folders below one that have a `saved_model.pb`, such as the numbered versions of TensorFlow Serving."""
    level, looked_at = [root], 0
    for _ in range(_DEEPEST):
        below = []
        for folder in level:
            try:
                inside = sorted(
                    one for one in islice(folder.iterdir(), _LOOKED_AT) if one.is_dir() and not one.is_symlink()
                )
            except OSError:
                continue
            for one in inside:
                looked_at += 1
                if looked_at > _LOOKED_AT:
                    return
                if (one / GRAPH).is_file():
                    yield one
                else:
                    below.append(one)
        level = below
