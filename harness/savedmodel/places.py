"""Where the parts of a SavedModel lie, and how its files are opened: read only, and never what is no plain file.

A file may be a link, as in Hugging Face's cache, and so may the SavedModel's own folder and `variables/`. Other links
to folders are not followed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from harness.errors import ModelError
from harness.savedmodel.description import File

GRAPH = "saved_model.pb"
TEXT_GRAPH = "saved_model.pbtxt"
CHUNKED_GRAPH = "saved_model.cpb"
VARIABLES = "variables"
INDEX = "variables.index"
FINGERPRINT = "fingerprint.pb"
KERAS_METADATA = "keras_metadata.pb"
ASSETS = "assets"
EXTRA_ASSETS = "assets.extra"

_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
"""How a file begins that stands in place of one that Git LFS has not fetched."""


def list_files(root: Path) -> tuple[File, ...]:
    """Return all plain files below a folder, by their paths.

    Raises:
        ModelError: a folder cannot be read.
    """
    return tuple(sorted(_files(root), key=lambda file: file.path))


def _files(root: Path) -> Iterator[File]:
    folders = [""]
    while folders:
        relative = folders.pop()
        try:
            with os.scandir(root / relative) as found:
                for one in found:
                    path = f"{relative}/{one.name}" if relative else one.name
                    if one.is_dir(follow_symlinks=path == VARIABLES):
                        folders.append(path)
                    elif (size := _size(one)) is not None:
                        yield File(path, size)
        except OSError as error:
            raise unreadable(root / relative, error) from error


def _size(entry: os.DirEntry[str]) -> int | None:
    """Return the bytes of a plain file; None of anything else, such as a link that leads nowhere."""
    try:
        return entry.stat().st_size if entry.is_file() else None
    except OSError:
        return None


def read_file(path: Path, most: int | None = None) -> bytes:
    """Return the bytes of a plain file, at most `most` of them.

    Raises:
        ModelError: it cannot be read, or is not a plain file.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ModelError(f"{path} is not a file: give a complete copy of the SavedModel.")
        with path.open("rb") as file:
            return file.read() if most is None else file.read(most)
    except OSError as error:
        raise unreadable(path, error) from error


def require_fetched(path: Path, start: bytes) -> None:
    """Refuse a file that Git LFS has not fetched yet, by how it begins.

    Raises:
        ModelError: it stands in place of another one.
    """
    if start.startswith(_LFS_POINTER):
        raise ModelError(f"{path} is a Git LFS pointer, not the file itself: run `git lfs pull` in that repository.")


def unreadable(path: Path, error: OSError) -> ModelError:
    """Return the sentence for what the operating system refuses."""
    if isinstance(error, PermissionError):
        return ModelError(f"You have no permission to read {path}: change its permissions, or copy it as its owner.")
    return ModelError(f"{path} cannot be read ({error.strerror or error}): give a complete copy of the SavedModel.")
