"""Which build of TensorFlow an interpreter has, found without importing it.

A release that is bound to an interpreter has no lock: what is installed there can be rebuilt or replaced under the same
name, path and version. A digest over the distribution's RECORD (the hash of every file in it) tells two wheels apart.
An editable or a hand-copied build may keep its RECORD or have none, so the sizes and times of change of its shared
libraries and of `tensorflow/__init__.py` go into the digest as well. It takes a tenth of a second.

An "interpreter" can also be a script that sets variables or limits and starts one: its text then tells two apart.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.releases.process_end import ending
from harness.releases.versions import is_same_source

# Runs in that interpreter, whatever its Python is. An empty path is the caller's folder, which no worker has.
_PROBE = """
import sys
sys.path[:] = [path for path in sys.path if path]
import hashlib, importlib.util, json, os
spec = importlib.util.find_spec("tensorflow")
if spec is None:
    sys.exit("there is no module named 'tensorflow'")
if spec.origin is None:
    sys.exit("its folder tensorflow/ has no __init__.py, so that TensorFlow was removed or installed in part")
package = os.path.dirname(spec.origin)
site = os.path.dirname(package)
# What pip left of a distribution that it could not remove begins with "~".
ending = ".dist-info"
names = sorted(os.listdir(site))
installed = [name[:-len(ending)] for name in names if name.endswith(ending) and not name.startswith("~")]
record = b""
owners = {"tensorflow": [], "keras": []}
for name in installed:
    try:
        with open(os.path.join(site, name + ending, "RECORD"), "rb") as file:
            content = file.read()
    except OSError:
        continue
    for folder in owners:
        # Keras has a folder of this name too, further down.
        if b"\\n" + folder.encode() + b"/__init__.py," in b"\\n" + content:
            owners[folder].append(name.replace("-", " ").replace("_", "-"))
            if folder == "tensorflow":
                record += content
if record:
    files = [os.path.join(site, line.split(",")[0]) for line in record.decode("utf-8", "replace").splitlines()]
else:
    files = [os.path.join(folder, name) for folder, _, names in os.walk(package) for name in names]
libraries = [path for path in files if ".so" in os.path.basename(path)]
digest = hashlib.sha256(record)
for path in sorted(set([spec.origin] + libraries)):
    try:
        found = os.stat(path)
        told = "%s %d %d" % (os.path.relpath(path, site), found.st_size, found.st_mtime_ns)
    except OSError:
        told = "%s is not there" % os.path.relpath(path, site)
    digest.update(told.encode("utf-8", "surrogateescape") + b"\\n")
kerases = [name.split("-")[1] for name in installed if name.startswith(("keras-", "keras_nightly-"))]
os.write(1, ("INSTALLED " + json.dumps({
    "tensorflow": "sha256:" + digest.hexdigest(),
    "keras": kerases[0] if len(kerases) == 1 else None,
    "owners": owners,
    "python": "%d.%d" % sys.version_info[:2],
}) + "\\n").encode())
"""
_MINOR_PROBE = """
import json, os, sys
os.write(1, ("PYTHON " + json.dumps({"minor": "%d.%d" % sys.version_info[:2]}) + "\\n").encode())
"""
_PROBE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Installation:
    """What identifies the packages that an interpreter has."""

    tensorflow: str  # "sha256:…", of the distribution as it is installed
    keras: str | None  # the version; None: there is none, or several, beside TensorFlow
    wrapper: str | None = None  # "sha256:…", of the script that starts the interpreter; None: there is no such script
    tensorflow_owners: Sequence[str] = ()  # distributions that own the folder tensorflow/: "tf-nightly 2.22.0.dev1"
    keras_owners: Sequence[str] = ()  # the same of keras/
    python: str | None = None  # the minor version, "3.11"; None: it did not say

    @property
    def version(self) -> str | None:
        """The version of the distribution that TensorFlow is; None where nothing or more than one says so."""
        return self.tensorflow_owners[0].rpartition(" ")[2] if len(self.tensorflow_owners) == 1 else None

    def warnings(self, said: str | None = None) -> list[str]:
        """Return in sentences what is wrong with the packages; none where nothing is.

        Args:
            said: the version that TensorFlow itself gives when it is imported, where it is known.
        """
        found = [
            f"{' and '.join(owners)} are both installed into the folder {folder}/, so that their files are mixed and "
            f"nobody can say which is measured: uninstall {'both' if len(owners) == 2 else 'all'}, then install one."
            for folder, owners in (("tensorflow", self.tensorflow_owners), ("keras", self.keras_owners))
            if len(owners) > 1
        ]
        if said and self.version and not is_same_source(said, self.version):
            found.append(
                f"TensorFlow says that it is {said}, but {self.tensorflow_owners[0]} is installed: what was measured "
                "may be neither of them; install it anew, unless it was built like this on purpose."
            )
        return found


def find_installation(python: Path) -> Installation:
    """Return what identifies the TensorFlow that an interpreter would import; nothing is imported or changed.

    Raises:
        UsageError: the interpreter cannot be started or has no TensorFlow; the message has the cause.
    """
    correct = "correct `python` in releases.toml"
    done = ask(python, _PROBE, _PROBE_SECONDS, correct)
    found = answer(done, "INSTALLED ")
    if found is None:
        told = ending(done.returncode, done.stderr)
        raise UsageError(f"{python} does not say which TensorFlow it has: {told}. Install it there, or {correct}.")
    owners = found.get("owners", {})
    return Installation(
        found["tensorflow"],
        found["keras"],
        _wrapper(python),
        tuple(owners.get("tensorflow", ())),
        tuple(owners.get("keras", ())),
        found.get("python"),
    )


def find_python_minor(python: Path) -> str | None:
    """Return the Python minor of an interpreter ("3.11"), None where it does not say: it may be no interpreter."""
    try:
        found = answer(ask(python, _MINOR_PROBE, _PROBE_SECONDS, "correct `python` in releases.toml"), "PYTHON ")
    except UsageError:
        return None
    return str(found["minor"]) if found and "minor" in found else None


def _wrapper(python: Path) -> str | None:
    """Return the digest of a script that stands in an interpreter's place."""
    with python.open("rb") as file:
        first = file.read(2)
        return f"sha256:{hashlib.sha256(first + file.read()).hexdigest()}" if first == b"#!" else None


def why_not_startable(python: Path) -> str | None:
    """Return what keeps a file from being started as a program, as the end of "it …", or None."""
    if not os.path.lexists(python):
        return "is not there"
    if not os.path.exists(python):  # noqa: PTH110 - Path.exists() raises where a folder may not be looked into
        return f"is a link to {python.readlink()}, which is not there"
    if python.is_dir():
        inside = os.path.exists(python / "bin" / "python")  # noqa: PTH110
        return "is a folder, and its bin/python is meant" if inside else "is a folder, not an interpreter"
    return None if os.access(python, os.X_OK) else "may not be executed, which `chmod +x` would allow"


def why_not_started(python: Path, error: OSError) -> str:
    """Return why a program did not start, as `why_not_startable` does, from the error that starting it gave."""
    reason = why_not_startable(python)
    if reason is None and isinstance(error, FileNotFoundError):
        return "names a program in its first line that is not there"
    return reason or f"is no program for this machine, nor a script that names one in its first line ({error.strerror})"


def ask(
    python: Path, script: str, seconds: float, advice: str, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a script in an interpreter, without what the caller's shell tells Python.

    Args:
        python: the interpreter.
        script: what it runs.
        seconds: how long it may take.
        advice: what to do if it is none, as the end of a sentence.
        variables: what to set in its environment.

    Raises:
        UsageError: it cannot be started, or does not end in time.
    """
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    try:
        return subprocess.run(
            [str(python), "-c", script],
            env={**environ, **(variables or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except OSError as error:
        raise UsageError(f"{python} cannot be started: it {why_not_started(python, error)}; {advice}.") from None
    except subprocess.TimeoutExpired:
        raise UsageError(f"{python} did not answer within {seconds:g} s: try it by hand.") from None


def answer(done: subprocess.CompletedProcess[str], marker: str) -> dict[str, Any] | None:
    """Return what a script wrote behind its marker, None where it wrote nothing.

    Others print there as well, a `sitecustomize` for example: before it and after it, on the same line too.
    """
    for text in reversed(done.stdout.split(marker)[1:]):
        try:
            found = json.JSONDecoder().raw_decode(text)[0]
        except ValueError:
            continue
        if isinstance(found, dict):
            return found
    return None
