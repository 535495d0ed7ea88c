"""A SavedModel directory, read from its files without TensorFlow; what is wrong with one is said in a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import ModelError
from harness.savedmodel.checkpoint import OBJECTS, Checkpoint, data_file, read_index, read_objects
from harness.savedmodel.description import Fingerprint, SavedModel, Variable
from harness.savedmodel.graphs import read_meta_graph
from harness.savedmodel.keras import read_keras, written_with
from harness.savedmodel.objects import NOTHING, Objects, read_tree
from harness.savedmodel.places import (
    FINGERPRINT,
    GRAPH,
    INDEX,
    KERAS_METADATA,
    VARIABLES,
    list_files,
    read_file,
    require_fetched,
    unreadable,
)
from harness.savedmodel.recognition import explain_folder, explain_graph
from harness.savedmodel.wire import CutError, Limit, MalformedError, Message

_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
_NO_VARIABLES = frozenset({OBJECTS})
_STATE_OF_PYTHON = "/.ATTRIBUTES/OBJECT_CONFIG_JSON"
_LARGEST_POINTER = 1024  # bytes: git-lfs takes no larger file for a pointer
_LARGEST_GRAPH = (1 << 31) - 1  # bytes: protocol buffers cannot be larger


def read(path: str | Path) -> SavedModel:
    """Return what a SavedModel directory holds. Nothing of it runs, and nothing is written.

    Memory: once the size of `saved_model.pb`, while it reads, and a few hundred bytes a variable and function.

    Raises:
        ModelError: this is no SavedModel (the sentence says what it is), it is not complete, or it cannot be read.
    """
    root = Path(path)
    explain_folder(root)
    files = list_files(root)
    sizes = {file.path: file.bytes for file in files}
    if sizes.get(GRAPH, 0) > _LARGEST_GRAPH:
        raise ModelError(f"{root / GRAPH} is larger than 2 GiB, which no protocol buffer can be: copy it again.")
    data = read_file(root / GRAPH)
    explain_graph(root / GRAPH, data)
    message = Message(data)
    with _explained(root / GRAPH, len(data)):
        first = next(message.each(2), None)
        if first is None:
            raise MalformedError("it holds no graph")
        limit = Limit()
        meta_graphs = tuple(read_meta_graph(graph, limit) for graph in limit.of(message.each(2)))
        objects = first.message(7)
        needs_variables = any(graph.has_objects or graph.declared_variables for graph in meta_graphs)
        schema_version, writer = message.number(1), written_with(objects)
        keras = None
        if KERAS_METADATA not in sizes:
            keras = read_keras(None, objects)
    del message, first, objects, data
    if KERAS_METADATA in sizes:
        metadata = _read_fetched(root / KERAS_METADATA)
        with _explained(root / KERAS_METADATA, len(metadata)):
            keras = read_keras(Message(metadata), None)
    checkpoint = read_checkpoint(root, sizes, needs_variables)
    variables = () if checkpoint is None else tuple(_variables(checkpoint, _objects(root, checkpoint)))
    return SavedModel(root, schema_version, meta_graphs, variables, files, writer, _fingerprint(root, sizes), keras)


def read_checkpoint(root: Path, sizes: dict[str, int], is_needed: bool = True) -> Checkpoint | None:
    """Return the index of `variables/`; None where there is none and none is needed.

    Args:
        root: the SavedModel's folder.
        sizes: bytes of its files by path.
        is_needed: whether a SavedModel without it is not complete.

    Raises:
        ModelError: it is missing, cut, or not what it should be; a data file is missing or shorter than the index says.
    """
    place = root / VARIABLES / INDEX
    if f"{VARIABLES}/{INDEX}" not in sizes:
        if not is_needed:
            return None
        missing = f"{VARIABLES}/{INDEX}" if any(name.startswith(f"{VARIABLES}/") for name in sizes) else f"{VARIABLES}/"
        raise ModelError(f"{root} has no {missing}, but its graph needs it: copy the whole SavedModel again.")
    data = _read_fetched(place)
    with _explained(place, len(data)):
        checkpoint = read_index(data)
    for shard, needed in sorted(checkpoint.needed().items()):
        file = data_file(root / VARIABLES, shard, checkpoint.shards)
        size = sizes.get(f"{VARIABLES}/{file.name}")
        if size is None:
            raise ModelError(f"{file} is missing: copy the whole SavedModel again.")
        if size < _LARGEST_POINTER:
            require_fetched(file, read_file(file))
        if size < needed:
            raise ModelError(f"{file} is cut: it has {size:,} bytes, and its index asks for {needed:,}; copy it again.")
    return checkpoint


def _read_fetched(path: Path) -> bytes:
    data = read_file(path)
    require_fetched(path, data)
    return data


def _objects(root: Path, checkpoint: Checkpoint) -> Objects:
    with _explained(root / VARIABLES, None):
        tree = read_objects(root / VARIABLES, checkpoint)
        return NOTHING if tree is None else read_tree(tree)


def _variables(checkpoint: Checkpoint, objects: Objects) -> Iterator[Variable]:
    for key, entry in checkpoint.entries.items():
        if key in _NO_VARIABLES or key.endswith(_STATE_OF_PYTHON):
            continue
        yield Variable(
            key=key,
            name=key.removesuffix(_SUFFIX),
            full_name=objects.full_names.get(key),
            dtype=entry.dtype,
            shape=entry.shape,
            bytes=entry.bytes,
            shard=None if entry.slices else entry.shard,
            offset=None if entry.slices else entry.offset,
            optimizer_state=objects.is_optimizer_state(key),
        )


def _fingerprint(root: Path, sizes: dict[str, int]) -> Fingerprint | None:
    if FINGERPRINT not in sizes:
        return None
    data = _read_fetched(root / FINGERPRINT)
    with _explained(root / FINGERPRINT, len(data)):
        message = Message(data)
        numbers = message.numbers()
        graph, program, signatures, objects, checkpoint = (numbers.get(field, 0) for field in range(1, 6))
        return Fingerprint(graph, program, signatures, objects, checkpoint, message.text(7) or None)


@contextmanager
def _explained(place: Path, size: int | None) -> Iterator[None]:
    """Turn what a format's reader says into a sentence that names the file."""
    try:
        yield
    except CutError as error:
        has = "" if size is None else f"it has {size:,} bytes, and "
        raise ModelError(f"{place} is cut: {has}{error}; copy it again.") from error
    except MalformedError as error:
        raise ModelError(f"{place} is damaged or of another format ({error}): copy the SavedModel again.") from error
    except OSError as error:
        raise unreadable(place, error) from error
