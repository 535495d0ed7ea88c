"""How a TensorFlow was built: compiler, flags and what it was made for, asked of itself once an installation."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.releases.installation import answer, ask

# Runs in that interpreter, whatever its Python is. Folders are of the installation, not of the build.
_PROBE = """
import sys
sys.path[:] = [path for path in sys.path if path]
import json, os
import tensorflow as tf
flags = tf.sysconfig.get_compile_flags() + tf.sysconfig.get_link_flags()
os.write(1, ("BUILT " + json.dumps({
    "git": str(tf.version.GIT_VERSION),
    "compiler": str(tf.version.COMPILER_VERSION),
    "flags": sorted(flag for flag in flags if not flag.startswith(("-I", "-L"))),
    "made_for": {name: str(value) for name, value in dict(tf.sysconfig.get_build_info()).items()},
}) + "\\n").encode())
"""
_PROBE_SECONDS = 180
_VARIABLES = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}


def build_facts(python: Path, identity: str, note: Path) -> Mapping[str, Any]:
    """Return how the TensorFlow of an interpreter was built: git, compiler, flags and what it was made for.

    Args:
        python: the interpreter.
        identity: of what is installed there; another one is asked again.
        note: the file that keeps the answer.

    Returns:
        {} where it does not say: the worker will tell why it cannot be imported.
    """
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        known = json.loads(note.read_text(encoding="utf-8"))
        if known["identity"] == identity:
            return dict(known["build"])
    try:
        found = answer(ask(python, _PROBE, _PROBE_SECONDS, "let it import TensorFlow", _VARIABLES), "BUILT ")
    except UsageError:
        found = None
    if found is None:
        return {}
    with contextlib.suppress(OSError):
        note.parent.mkdir(exist_ok=True)
        temporary = note.with_name(f"{note.name}.{os.getpid()}")
        temporary.write_text(json.dumps({"identity": identity, "build": found}) + "\n", encoding="utf-8")
        temporary.replace(note)
    return found
