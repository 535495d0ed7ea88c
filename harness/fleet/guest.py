"""A guest on a node: folders that are surely ours, and nothing left behind."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from harness.errors import UsageError


def make_scratch(above: Path) -> Path:
    """Make a new folder of our own in a scratch folder, as `mktemp -d` does.

    Raises:
        UsageError: the folder above is missing, is reached by a link, or belongs to somebody who could change it.
    """
    _require_safe_way(above)
    try:
        return Path(tempfile.mkdtemp(prefix="savedmodel-bench-", dir=above))
    except OSError as error:
        raise UsageError(f"No folder can be made in {above} ({error.strerror}): correct `scratch`.") from error


def require_own_folder(folder: Path) -> None:
    """Refuse a folder that is not ours alone.

    Raises:
        UsageError: it is a link, belongs to somebody else, or others may write to it.
    """
    _require_safe_way(folder.parent)
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
        raise UsageError(f"{folder} is a link, somebody else's, or can be written by others: name another folder.")


def _require_safe_way(folder: Path) -> None:
    """Refuse a folder on whose way somebody else could put a link: each is root's or ours, or is sticky."""
    if not folder.is_absolute():
        raise UsageError(f"{folder} is no absolute path: correct `scratch`.")
    for one in (folder, *folder.parents):
        try:
            facts = one.lstat()
        except OSError as error:
            raise UsageError(f"{one} cannot be used as scratch ({error.strerror}): correct `scratch`.") from error
        if stat.S_ISLNK(facts.st_mode):
            raise UsageError(f"{one} is a link: name what it leads to as `scratch`.")
        if not stat.S_ISDIR(facts.st_mode):
            raise UsageError(f"{one} is no folder: correct `scratch`.")
        is_open = facts.st_mode & 0o022 and not facts.st_mode & stat.S_ISVTX
        if facts.st_uid not in (0, os.geteuid()) or is_open:
            raise UsageError(f"{one} belongs to somebody else, or others may change it: name another `scratch`.")
