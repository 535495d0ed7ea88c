"""The identity of a SavedModel's content: one digest, and which variables hold the same."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from harness.savedmodel.checkpoint import Checkpoint, read_chunks
from harness.savedmodel.description import SavedModel, Variable
from harness.savedmodel.dtypes import ITEM_BYTES
from harness.savedmodel.places import (
    ASSETS,
    CHUNKED_GRAPH,
    EXTRA_ASSETS,
    GRAPH,
    KERAS_METADATA,
    TEXT_GRAPH,
    VARIABLES,
    list_files,
    unreadable,
)
from harness.savedmodel.reading import read_checkpoint

_FILES = frozenset({GRAPH, TEXT_GRAPH, CHUNKED_GRAPH, KERAS_METADATA})
_FOLDERS = (f"{VARIABLES}/", f"{ASSETS}/", f"{EXTRA_ASSETS}/")
_CHUNK_BYTES = 1 << 20
_FIRST_LOOK_BYTES = 4096


def digest(path: str | Path) -> str:
    """Return the identity of a SavedModel's content: 64 hexadecimal digits, the same of every copy.

    It is the SHA-256 of the names and contents of what the format consists of: the graph, `variables/`, `assets/`,
    `assets.extra/` and `keras_metadata.pb`. `fingerprint.pb` stays out, since it adds nothing (hashes of the other
    files, and a random number that every save makes anew), and so does whatever else lies there: a README, `.git`.
    Two saves of one model differ: TensorFlow numbers the functions of a graph anew.

    Raises:
        ModelError: a file cannot be read.
    """
    root = Path(path)
    whole = hashlib.sha256()
    for file in list_files(root):
        if file.path in _FILES or file.path.startswith(_FOLDERS):
            name = file.path.encode("utf-8", "surrogateescape")
            whole.update(len(name).to_bytes(8, "little") + name + _sha256(root / file.path))
    return whole.hexdigest()


def _sha256(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise unreadable(path, error) from error


def duplicates(model: SavedModel) -> Mapping[str, str]:
    """Return the variables that hold the same as an earlier one: its key by theirs.

    Only variables of one type and shape are read and compared. A single number, or one number repeated (a new bias, an
    optimizer's first moments), says nothing: the latter counts only where the graph calls both variables by one name.

    Raises:
        ModelError: a data file cannot be read.
    """
    root = model.path
    checkpoint = read_checkpoint(root, {file.path: file.bytes for file in model.files}, is_needed=False)
    if checkpoint is None:
        return {}
    stored = [one for one in model.variables if one.shard is not None and math.prod(one.shape) > 1 and one.bytes]
    found: dict[str, str] = {}
    try:
        for alike in _groups(stored, lambda one: (one.dtype, one.shape, one.bytes)):
            for likely in _groups(alike, lambda one: _beginning(root, checkpoint, one)):
                for first, *others in _groups(likely, lambda one: _content(root, checkpoint, one)):
                    found.update((one.key, first.key) for one in others)
    except OSError as error:
        raise unreadable(root / VARIABLES, error) from error
    return found


def _groups(variables: Iterable[Variable], by: Callable[[Variable], object]) -> Iterator[list[Variable]]:
    """Yield the variables that have something in common, where it is more than one."""
    groups: dict[object, list[Variable]] = {}
    for variable in variables:
        groups.setdefault(by(variable), []).append(variable)
    return (group for group in groups.values() if len(group) > 1)


def _beginning(root: Path, checkpoint: Checkpoint, variable: Variable) -> bytes:
    return next(read_chunks(root / VARIABLES, checkpoint, checkpoint.entries[variable.key], _FIRST_LOOK_BYTES), b"")


def _content(root: Path, checkpoint: Checkpoint, variable: Variable) -> tuple[bytes, str | None]:
    """Return a hash of what a variable holds, and its name where that is one number repeated."""
    hashed, item = hashlib.blake2b(digest_size=20), ITEM_BYTES.get(variable.dtype)
    first, is_constant = b"", item is not None
    for chunk in read_chunks(root / VARIABLES, checkpoint, checkpoint.entries[variable.key], _CHUNK_BYTES):
        hashed.update(chunk)
        first = first or chunk[:item]
        is_constant = is_constant and chunk == first * (len(chunk) // len(first))
    return hashed.digest(), (variable.full_name or variable.key) if is_constant else None
