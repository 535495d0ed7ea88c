"""Which Pythons this machine has, and which uv could fetch.

The harness's own is one among those that are found: it decides nothing about what can be measured.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import re
import socket
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from harness.errors import ReleaseError, UsageError
from harness.releases.uv_command import UvError, run_uv, uv_environment, uv_path

OLDEST = "3.9"
"""The oldest Python minor that workers run under."""

SEARCH_VARIABLE = "UV_PYTHON_SEARCH_PATH"
"""uv's own variable: where it is set, its folders take the place of PATH and of what is known of pyenv and conda."""

_ANSWER_S = 3.0
_FALLBACK_HOST = "github.com"  # where uv turns if the mirror that it names first does not answer


@dataclass(frozen=True, slots=True)
class Python:
    """A CPython of this machine."""

    minor: str  # "3.12"
    version: str  # "3.12.1"
    path: Path
    is_own: bool = False  # the one that runs the harness


def running_python_minor() -> str:
    """Return the Python minor of the harness: "3.11"."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def number(minor: str) -> tuple[int, ...]:
    """Return what orders Python minors: (3, 9) comes before (3, 11)."""
    return tuple(int(part) for part in minor.split("."))


def checked_minor(text: str) -> str:
    """Return a Python minor that a user has written.

    Raises:
        UsageError: it is none, or older than what workers run under.
    """
    if not re.fullmatch(r"3\.\d+", text):
        raise UsageError(f"{text!r} is not a minor version of Python: write it like 3.11.")
    if number(text) < number(OLDEST):
        raise UsageError(f"Releases are measured from Python {OLDEST} on, and {text} is older: choose a newer one.")
    return text


@functools.cache
def found_pythons() -> Mapping[str, Python]:
    """Return the Pythons of this machine, one for each minor that workers run under, the newest minor first.

    Of a minor that the machine has several of, the harness's own comes before others, a newer patch before an older.
    """
    best: dict[str, Python] = {}
    for python in _listed():
        known = best.get(python.minor)
        if known is None or number(python.version) > number(known.version):
            best[python.minor] = python
    own = _own()
    if own is not None:
        best[own.minor] = own
    return dict(sorted(best.items(), key=lambda entry: number(entry[0]), reverse=True))


@functools.cache
def fetchable_pythons() -> frozenset[str]:
    """Return the Python minors that uv could fetch; none without a network, or where the user has forbidden it."""
    environ = uv_environment()
    forbidden = environ.get("UV_PYTHON_DOWNLOADS") in ("never", "manual", "false")
    if forbidden or environ.get("UV_OFFLINE", "0").lower() not in ("", "0", "false"):
        return frozenset()
    try:
        entries = _ask_uv("--only-downloads", environ)
    except (UvError, UsageError):
        return frozenset()
    wanted = [entry for entry in entries if _is_usable(entry) and entry.get("url")]
    mirror = environ.get("UV_PYTHON_INSTALL_MIRROR")
    hosts = [mirror] if mirror else [*(str(entry["url"]) for entry in wanted[:1]), f"https://{_FALLBACK_HOST}"]
    if not any(_answers(url, environ) for url in hosts):
        return frozenset()
    return frozenset(".".join(str(entry["version"]).split(".")[:2]) for entry in wanted)


def fetch_python(minor: str) -> Python:
    """Let uv fetch a Python into its own folder, and return it.

    Raises:
        ReleaseError: it could not be fetched; the message says what helps.
    """
    try:
        # Without a link in ~/.local/bin: the user's `python3.11` stays what it is.
        no_link = {"UV_PYTHON_INSTALL_BIN": "0"}
        run_uv(["python", "install", minor], root=Path.cwd(), variables=no_link, may_fetch_python=True)
    except UvError as error:
        raise ReleaseError(f"uv could not fetch Python {minor} ({error}): {what_helps(minor)}.") from None
    found_pythons.cache_clear()
    python = found_pythons().get(minor)
    if python is None:
        raise ReleaseError(f"uv fetched Python {minor} and does not find it: {what_helps(minor)}.")
    return python


def search_path(environ: Mapping[str, str]) -> str:
    """Return the folders in which Pythons are looked for, as PATH is written.

    These are PATH and the folders where pyenv and conda keep Pythons that PATH need not have. A folder of shims is
    left out: what a shim starts depends on the working directory.
    """
    if SEARCH_VARIABLE in environ:
        return environ[SEARCH_VARIABLE]
    home = Path(environ.get("HOME") or "/nonexistent")
    on_path = [Path(entry) for entry in environ.get("PATH", "").split(os.pathsep) if entry]
    shims = [folder for folder in on_path if folder.name == "shims"]
    roots = [Path(environ.get("PYENV_ROOT") or home / ".pyenv"), *(folder.parent for folder in shims)]
    pyenv = [found / "bin" for root in roots for found in sorted(root.glob("versions/3.*")) if _is_worth_asking(found)]
    conda = [Path(environ[name]) for name in ("CONDA_PREFIX",) if environ.get(name)]
    if environ.get("CONDA_EXE"):
        base = Path(environ["CONDA_EXE"]).parent.parent
        conda += [base, *sorted(base.glob("envs/*"))]
    try:
        listed = (home / ".conda" / "environments.txt").read_text(encoding="utf-8").split("\n")
        conda += [Path(line.strip()) for line in listed if line.strip()]
    except (OSError, UnicodeDecodeError):
        pass
    folders = [folder for folder in on_path if folder not in shims] + pyenv + [each / "bin" for each in conda]
    return os.pathsep.join(dict.fromkeys(map(str, folders)))


def _own() -> Python | None:
    """Return the harness's own Python; None if it is one that TensorFlow has no wheels for, like PyPy."""
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return None
    return Python(running_python_minor(), platform.python_version().rstrip("+"), Path(sys.executable), is_own=True)


def _listed() -> list[Python]:
    try:
        entries = _ask_uv("--only-installed", {**os.environ, SEARCH_VARIABLE: search_path(os.environ)})
    except (UvError, UsageError):
        return []  # the harness's own remains; whatever is wrong with uv is told when a release is installed
    return [
        Python(".".join(entry["version"].split(".")[:2]), entry["version"], Path(entry["path"]))
        for entry in entries
        if _is_usable(entry) and entry.get("path")
    ]


def _ask_uv(which: str, environ: Mapping[str, str]) -> list[dict[str, str]]:
    variables = {name: environ[name] for name in (SEARCH_VARIABLE,) if name in environ}
    said = run_uv(
        ["python", "list", which, "--output-format", "json"], root=Path.cwd(), variables=variables, quiet=False
    )
    entries: list[dict[str, str]] = json.loads(said)
    return entries


def _is_usable(entry: Mapping[str, str]) -> bool:
    """Whether TensorFlow can have wheels for it: a released CPython with its global lock, for this processor."""
    return (
        entry.get("implementation") == "cpython"
        and entry.get("variant", "default") == "default"
        and entry.get("arch") == platform.machine()
        and re.fullmatch(r"3\.\d+\.\d+", str(entry.get("version"))) is not None
        and number(".".join(str(entry["version"]).split(".")[:2])) >= number(OLDEST)
    )


def _is_worth_asking(folder: Path) -> bool:
    """Whether a folder of pyenv's, named after a version, can hold a Python that workers run under."""
    minor = re.match(r"3\.\d+(?=\.)", folder.name)
    return minor is not None and number(minor[0]) >= number(OLDEST)


def _answers(url: str, environ: Mapping[str, str]) -> bool:
    """Whether the host of a download, or the proxy before it, accepts a connection."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Path(parts.path).exists()
    proxies = (environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"))
    via = urlsplit(next((proxy for proxy in proxies if proxy), url))
    try:
        port = via.port or (80 if via.scheme == "http" else 443)
        socket.create_connection((via.hostname or "", port), _ANSWER_S).close()
    except OSError:
        return False
    return True


def what_helps(minor: str) -> str:
    """Return the two things that help where a Python is missing, as the end of a sentence."""
    uv = Path(uv_path())
    shown = uv.relative_to(Path.cwd()) if uv.is_relative_to(Path.cwd()) else uv
    return f"install Python {minor} (its package, pyenv, conda), or run `{shown} python install {minor}`"
