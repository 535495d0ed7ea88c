"""Binding a release to an interpreter that already has TensorFlow: a container's, an HPC module's, a vendor's."""

from __future__ import annotations

import datetime
import json
import os
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError
from harness.releases.installation import ask, last_words
from harness.releases.manifest import Manifest, complaint_about_name, read_manifest

# Runs in that interpreter, whatever its Python is.
_PROBE = """
import json, sys
import tensorflow
try:
    import keras
    keras_version = keras.__version__
except Exception:
    keras_version = None
print("PROBED " + json.dumps({
    "tensorflow": tensorflow.__version__, "keras": keras_version,
    "python": "%d.%d" % sys.version_info[:2],
}))
"""
_PROBE_SECONDS = 180


@dataclass(frozen=True, slots=True)
class Interpreter:
    """What an interpreter says about itself."""

    tensorflow: str
    keras: str | None
    python_minor: str


def probe(python: Path) -> Interpreter:
    """Import TensorFlow in an interpreter and return the versions found there.

    Raises:
        UsageError: it is not an interpreter, has no TensorFlow, or fails to import it; the message has its last line.
    """
    environ = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    environ.update({"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"})
    done = ask(python, _PROBE, environ, _PROBE_SECONDS, "give the path of a Python interpreter")
    for line in done.stdout.splitlines():
        if line.startswith("PROBED "):
            found = json.loads(line.removeprefix("PROBED "))
            return Interpreter(found["tensorflow"], found["keras"], found["python"])
    raise UsageError(
        f"{python} cannot import TensorFlow: {last_words(done)}. Install TensorFlow there, or give another interpreter."
    )


def add_interpreter(manifest: Manifest, python: Path, name: str, date: datetime.date | None) -> Interpreter:
    """Probe an interpreter and append its entry to `releases.toml`; nothing else in the file changes.

    Args:
        manifest: what the file says now.
        python: the interpreter; a link is kept as it is, because a virtual environment is one.
        name: what the release shall be called.
        date: orders it among the others; None: the date of the release with its version, else today.

    Raises:
        UsageError: the name or the interpreter is there already, or the interpreter has no TensorFlow.
    """
    complaint = complaint_about_name(name)
    if complaint is not None:
        raise UsageError(f"The name {name!r} {complaint}: choose another one.")
    python = Path(os.path.abspath(python.expanduser()))  # noqa: PTH100 - resolve() would leave the virtual environment
    if '"' in str(python) or "\\" in str(python):
        raise UsageError(f"The path {python} has a quote or a backslash in it: link the interpreter elsewhere.")
    for release in manifest.releases:
        if release.name == name:
            raise UsageError(f"{manifest.path.name} has a release {name!r} already: choose another name.")
        if release.python == python:
            raise UsageError(f"{manifest.path.name} has {python} already, as {release.name!r}.")
    found = probe(python)
    version = found.tensorflow.partition("+")[0].replace("-rc", "rc")
    known = next((one.date for one in manifest.releases if one.python is None and one.version == version), None)
    lines = [
        "",
        "[[release]]",
        f'name = "{name}"',
        f'python = "{python}"',
        f'version = "{version}"',
        f"date = {date or known or datetime.datetime.now(datetime.UTC).date()}",
    ]
    before = manifest.path.read_text(encoding="utf-8")
    temporary = manifest.path.with_name(manifest.path.name + ".partial")
    temporary.write_text(before.rstrip("\n") + "\n" + "\n".join(lines) + "\n", encoding="utf-8")
    try:
        read_manifest(temporary)
    except UsageError as error:
        temporary.unlink()
        raise UsageError(f"TensorFlow {found.tensorflow} of {python} cannot be added: {error}") from None
    temporary.replace(manifest.path)
    return found
