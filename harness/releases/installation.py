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
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError

# Runs in that interpreter, whatever its Python is. Its first path is the caller's folder, which no worker has.
_PROBE = """
import sys
sys.path.pop(0)
import hashlib, importlib.util, json, os
spec = importlib.util.find_spec("tensorflow")
if spec is None or spec.origin is None:
    sys.exit("there is no module named 'tensorflow'")
package = os.path.dirname(spec.origin)
site = os.path.dirname(package)
installed = sorted(name for name in os.listdir(site) if name.endswith(".dist-info"))
record = b""
for name in installed:
    try:
        with open(os.path.join(site, name, "RECORD"), "rb") as file:
            content = file.read()
    except OSError:
        continue
    if b"tensorflow/__init__.py," in content:
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
keras = [name[len("keras-"):-len(".dist-info")] for name in installed if name.startswith("keras-")]
print("INSTALLED " + json.dumps({
    "tensorflow": "sha256:" + digest.hexdigest(), "keras": keras[0] if len(keras) == 1 else None,
    "python": "%d.%d" % sys.version_info[:2],
}))
"""
_PROBE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Installation:
    """What identifies the packages that an interpreter has."""

    tensorflow: str  # "sha256:…", of the distribution as it is installed
    keras: str | None  # the version; None: there is none, or several, beside TensorFlow
    wrapper: str | None = None  # "sha256:…", of the script that starts the interpreter; None: there is no such script
    python: str | None = None  # the minor version, "3.11"; None: it did not say


def find_installation(python: Path) -> Installation:
    """Return what identifies the TensorFlow that an interpreter would import; nothing is imported or changed.

    Raises:
        UsageError: the interpreter cannot be started or has no TensorFlow; the message has its last line.
    """
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    correct = "correct `python` in releases.toml"
    done = ask(python, _PROBE, environ, _PROBE_SECONDS, correct)
    for line in done.stdout.splitlines():
        if line.startswith("INSTALLED "):
            found = json.loads(line.removeprefix("INSTALLED "))
            return Installation(found["tensorflow"], found["keras"], _wrapper(python), found.get("python"))
    raise UsageError(
        f"{python} does not tell which TensorFlow it has: {last_words(done)}. Install TensorFlow there, or {correct}."
    )


def find_python_minor(python: Path) -> str | None:
    """Return the Python minor of an interpreter ("3.11"), None where it does not say: it may be no interpreter."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    try:
        done = ask(python, 'import sys; print("MINOR %d.%d" % sys.version_info[:2])', environ, _PROBE_SECONDS, "")
    except UsageError:
        return None
    told = re.search(r"^MINOR (\d+\.\d+)$", done.stdout, re.MULTILINE)
    return told[1] if told else None


def _wrapper(python: Path) -> str | None:
    """Return the digest of a script that stands in an interpreter's place."""
    with python.open("rb") as file:
        first = file.read(2)
        return f"sha256:{hashlib.sha256(first + file.read()).hexdigest()}" if first == b"#!" else None


def ask(
    python: Path, script: str, environ: Mapping[str, str], seconds: float, advice: str
) -> subprocess.CompletedProcess[str]:
    """Run a script in an interpreter.

    Args:
        python: the interpreter.
        script: what it runs.
        environ: its environment.
        seconds: how long it may take.
        advice: what to do if it is none, as the end of a sentence.

    Raises:
        UsageError: it cannot be started, or does not end in time.
    """
    try:
        return subprocess.run(
            [str(python), "-c", script],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except OSError as error:
        raise UsageError(f"{python} cannot be started ({error.strerror}): {advice}.") from None
    except subprocess.TimeoutExpired:
        raise UsageError(f"{python} did not answer within {seconds:g} s: try it by hand.") from None


def last_words(done: subprocess.CompletedProcess[str]) -> str:
    """Return the last line that a process wrote to its standard error, or how it ended where it wrote none."""
    return (done.stderr.strip().splitlines() or [f"it ended with exit code {done.returncode}"])[-1]
