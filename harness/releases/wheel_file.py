"""A wheel of TensorFlow that somebody has built or changed: what it says of itself, whatever its file is called."""

from __future__ import annotations

import datetime
import email.parser
import functools
import zipfile
from dataclasses import dataclass
from pathlib import Path

from packaging.tags import Tag, parse_tag
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from harness.errors import UsageError
from harness.releases.transfer import sha256_of
from harness.releases.versions import normal_version
from harness.releases.wheel_tags import WheelTags


@dataclass(frozen=True, slots=True)
class WheelFile:
    """What a wheel says of itself."""

    path: Path
    sha256: str
    package: str  # "tensorflow-cpu"
    version: str  # "2.21.0"
    tags: WheelTags
    file_name: str  # as installers want it: "tensorflow_cpu-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl"
    built: datetime.datetime  # the newest time of a file in it


def read_wheel(path: Path, told_as: str) -> WheelFile:
    """Read a wheel of TensorFlow for Linux x86-64.

    Args:
        path: the file.
        told_as: how the user named it.

    Raises:
        UsageError: it is not there, no wheel, not one of TensorFlow, or for another platform.
    """
    try:
        found = path.stat()
        return _read(path, told_as, found.st_size, found.st_mtime_ns)
    except FileNotFoundError:
        raise UsageError(f"There is no file {told_as}: give the path of a wheel.") from None
    except OSError as error:
        raise UsageError(f"{told_as} cannot be read ({error.strerror}): give a wheel that you may read.") from None


@functools.cache
def _read(path: Path, told_as: str, size: int, changed_ns: int) -> WheelFile:
    """Read it once a process, as long as its size and time of change stay."""
    no_wheel = f"{told_as} is no wheel of a Python package"
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            folder = next((name.partition("/")[0] for name in names if name.endswith(".dist-info/METADATA")), None)
            if folder is None:
                raise UsageError(f"{no_wheel}, since it has no METADATA: give a wheel of TensorFlow.")
            metadata, wheel = (_headers(archive, f"{folder}/{name}") for name in ("METADATA", "WHEEL"))
            built = max(datetime.datetime(*entry.date_time) for entry in archive.infolist())
    except (zipfile.BadZipFile, KeyError, EOFError, ValueError) as error:
        raise UsageError(f"{no_wheel} ({str(error).strip(chr(34))}): give a whole one, or build it again.") from None
    name, version = str(metadata["Name"] or ""), str(metadata["Version"] or "")
    try:
        Version(version)
    except InvalidVersion:
        raise UsageError(f"{told_as} has the version {version!r}, which no Python package can have.") from None
    if "tensorflow/__init__.py" not in names:
        raise UsageError(f"{told_as} is a wheel of {name or 'something'} and has no TensorFlow: give one that has.")
    words = [str(tag) for tag in wheel.get_all("Tag", [])]
    tags: set[Tag] = set().union(*map(parse_tag, words)) if words else set()
    fitting = WheelTags.of(tags)
    if fitting is None:
        meant = ", ".join(words) or "no platform"
        raise UsageError(f"{told_as} is for {meant}, and this is Linux x86-64: give a wheel for that.")
    parts = (name.replace("-", "_"), version, _joined(words))
    return WheelFile(
        path,
        sha256_of(path),
        canonicalize_name(name),
        normal_version(version),
        fitting,
        "-".join(parts) + ".whl",
        built,
    )


def _headers(archive: zipfile.ZipFile, name: str) -> email.message.Message:
    return email.parser.Parser().parsestr(archive.read(name).decode("utf-8", "replace"))


def _joined(words: list[str]) -> str:
    """Return tags as a file name has them: cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64."""
    columns = zip(*(word.split("-") for word in words), strict=True)
    return "-".join(".".join(dict.fromkeys(part for word in column for part in word.split("."))) for column in columns)
