"""A package index of small stub wheels in a folder, and wheels of one's own: what uv resolves and installs for real."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from harness.releases.index import listed_versions
from harness.releases.pythons import running_python_minor
from harness.releases.uv_command import uv_environment

MINOR = running_python_minor()
CP = f"cp{MINOR.replace('.', '')}"
TAG = f"{CP}-{CP}-manylinux_2_17_x86_64"
TENSORFLOW = """\
__version__ = {version!r}
class version:
    GIT_VERSION, COMPILER_VERSION = "v1-2-gabc", "Clang 18.1.8"
class sysconfig:
    get_compile_flags = staticmethod(lambda: ["-I/somewhere", "--std=c++17"])
    get_link_flags = staticmethod(lambda: [])
    get_build_info = staticmethod(lambda: {{"is_cuda_build": False}})
"""


def make_wheel(
    folder: Path,
    package: str,
    version: str,
    *,
    requires: Sequence[str] = (),
    tag: str = "py3-none-any",
    files: Mapping[str, str] | None = None,
    name: str | None = None,
    without: Sequence[str] = (),
) -> Path:
    """Write a wheel that installers accept.

    files: what it holds beside its metadata; by default one module. name: of the file, where it is not the usual one.
    without: files of its metadata that it lacks.
    """
    plain = package.replace("-", "_")
    info = f"{plain}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
    content = {
        **(files or {f"{plain}.py": f"version = {version!r}\n"}),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    content = {path: text for path, text in content.items() if path.rpartition("/")[2] not in without}
    rows = [f"{path},sha256={_digest(text)},{len(text.encode())}" for path, text in content.items()]
    content[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (name or f"{plain}-{version}-{tag}.whl")
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in content.items():
            archive.writestr(zipfile.ZipInfo(inside, (2026, 3, 1, 12, 0, 0)), text)
    return path


def tensorflow_wheel(folder: Path, package: str, version: str, *, extra: str = "", **named: object) -> Path:
    """Write a wheel of a TensorFlow that can be imported and asked how it was built, and nothing else."""
    files = {"tensorflow/__init__.py": TENSORFLOW.format(version=version) + extra}
    return make_wheel(folder, package, version, files=files, **{"tag": TAG, **named})  # type: ignore[arg-type]


is_used = False
"""Whether this process was told to use another index than the machine's."""


def forget_index() -> None:
    """Let this process ask anew which index to use, and what that has."""
    global is_used
    is_used = False
    uv_environment.cache_clear()
    listed_versions.cache_clear()


class LocalIndex:
    """An index that uv and the harness are told to use instead of any other."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.simple = folder / "simple"
        self.simple.mkdir(parents=True)
        for name in ("UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_OFFLINE", "UV_NO_INDEX"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("UV_CACHE_DIR", str(folder / "cache"))
        self.use(str(self.simple))

    def use(self, place: str, **variables: str) -> None:
        """Let uv use an index, a folder or a URL, and these variables."""
        self._monkeypatch.setenv("UV_DEFAULT_INDEX", place)
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)
        self.refresh()

    def refresh(self) -> None:
        """Let the harness ask anew, as another command would."""
        global is_used
        forget_index()
        is_used = True

    def add(self, package: str, version: str, **named: object) -> Path:
        """Put a wheel on the index."""
        folder = self.simple / package
        is_tensorflow = package.startswith(("tensorflow", "tf-nightly"))
        make = tensorflow_wheel if is_tensorflow else make_wheel
        path = make(folder, package, version, **named)  # type: ignore[operator]
        self._list(folder)
        return Path(path)

    def drop(self, package: str, version: str) -> None:
        """Take a version off the index."""
        folder = self.simple / package
        for path in folder.glob(f"*-{version}-*.whl"):
            path.unlink()
        self._list(folder)

    def _list(self, folder: Path) -> None:
        links = (f'<a href="{path.name}#sha256={_hex(path)}">{path.name}</a>' for path in sorted(folder.glob("*.whl")))
        (folder / "index.html").write_text("<!DOCTYPE html>\n<html><body>" + "\n".join(links) + "</body></html>\n")
        self.refresh()


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def _hex(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
