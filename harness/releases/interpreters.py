"""Binding a release to an interpreter that already has TensorFlow: a container's, an HPC module's, a vendor's."""

from __future__ import annotations

import datetime
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.version import InvalidVersion

from harness.errors import UsageError
from harness.releases.entries import append_entries
from harness.releases.installation import answer, ask, find_installation
from harness.releases.manifest import Manifest, complaint_about_date, complaint_about_name
from harness.releases.process_end import ending
from harness.releases.versions import is_same_source, nightly_date, normal_version

# Runs in that interpreter, whatever its Python is.
_PROBE = """
import sys
sys.path[:] = [path for path in sys.path if path]
import json, os
import tensorflow
if getattr(tensorflow, "__file__", None) is None:
    sys.exit("its folder tensorflow/ has no __init__.py, so that TensorFlow was removed or installed in part")
try:
    import keras
    keras_version = str(keras.__version__)
except Exception:
    keras_version = None
os.write(1, ("PROBED " + json.dumps({
    "tensorflow": str(tensorflow.__version__), "keras": keras_version,
    "python": "%d.%d" % sys.version_info[:2],
}) + "\\n").encode())
"""
_PROBE_SECONDS = 180
_VARIABLES = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}


@dataclass(frozen=True, slots=True)
class Interpreter:
    """What an interpreter says about itself; `warnings` are sentences about its packages."""

    tensorflow: str
    keras: str | None
    python_minor: str
    warnings: tuple[str, ...] = ()


def probe(python: Path) -> Interpreter:
    """Import TensorFlow in an interpreter and return the versions found there.

    Raises:
        UsageError: it is not an interpreter, has no TensorFlow, or fails to import it; the message has the cause.
    """
    done = ask(python, _PROBE, _PROBE_SECONDS, "give the path of a Python interpreter", _VARIABLES)
    found = answer(done, "PROBED ")
    if found is not None:
        return Interpreter(found["tensorflow"], found["keras"], found["python"])
    if done.returncode == 0:
        raise UsageError(f"{python} ran and did not answer: give the path of a Python interpreter.")
    told = ending(done.returncode, done.stderr)
    is_missing = "No module named 'tensorflow'" in told
    advice = "Install TensorFlow there" if is_missing else f"Let `{python} -c 'import tensorflow'` succeed first"
    raise UsageError(f"{python} cannot import TensorFlow: {told}. {advice}, or give another interpreter.")


def add_interpreter(manifest: Manifest, python: Path, name: str, date: datetime.date | None) -> Interpreter:
    """Probe an interpreter and append its entry to `releases.toml`; nothing else in the file changes.

    Args:
        manifest: what the file says now.
        python: the interpreter; a link is kept as it is, because a virtual environment is one.
        name: what the release shall be called.
        date: orders it among the others; None: the date of its version, where that is known, else today.

    Raises:
        UsageError: the name or the interpreter is there already, or the interpreter has no TensorFlow.
    """
    complaint = complaint_about_name(name)
    if complaint is not None:
        raise UsageError(f"The name {name!r} {complaint}: choose another one.")
    if date is not None and (complaint := complaint_about_date(date)) is not None:
        raise UsageError(f"The date {date} {complaint}: give another --date.")
    # Path.resolve() would leave the virtual environment, Path.expanduser() raises for a user who is not there.
    python = Path(os.path.abspath(os.path.expanduser(python)))  # noqa: PTH100, PTH111
    if not str(python).isprintable():
        raise UsageError(f"The path {str(python)!r} has characters that are no text: link the interpreter elsewhere.")
    for release in manifest.releases:
        if release.name.casefold() == name.casefold():
            raise UsageError(f"{manifest.path.name} has a release {release.name!r} already: choose another name.")
        if release.python == python:
            raise UsageError(f"{manifest.path.name} has {python} already, as {release.name!r}.")
    found = probe(python)
    version, doubt = _recorded(found.tensorflow)
    warnings = find_installation(python).warnings(found.tensorflow)
    lines = [
        "",
        "[[release]]",
        f'name = "{name}"',
        f"python = {json.dumps(str(python), ensure_ascii=False)}",
        *([] if version is None else [f'version = "{version}"']),
        f"date = {date or _date_of(version, manifest)}",
    ]
    append_entries(manifest, lines, f"TensorFlow {found.tensorflow} of {python}")
    return replace(found, warnings=(*doubt, *warnings))


def _recorded(said: str) -> tuple[str | None, list[str]]:
    """Return the version that an entry records, and what is to be said where TensorFlow gives none."""
    try:
        return normal_version(said), []
    except InvalidVersion:
        return None, [f"TensorFlow calls its version {said!r}, which no Python package can have: none is recorded."]


def _date_of(version: str | None, manifest: Manifest) -> datetime.date:
    """Return what orders an interpreter release: the day of its version where that is known, else today."""
    released = [one for one in manifest.releases if one.python is None]
    known = [one.date for one in released if is_same_source(str(one.version), str(version))]
    return known[0] if known else nightly_date(version) or datetime.datetime.now(datetime.UTC).date()
