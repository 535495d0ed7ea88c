"""Which ops a release knows, as its own registry tells: what a graph uses beyond them, it cannot load."""

from __future__ import annotations

from pathlib import Path

from harness.errors import ReleaseError
from harness.releases.installation import answer, ask
from harness.releases.process_end import ending

# Runs in the release's interpreter. The C API's list is complete; `tf.raw_ops` leaves some out.
_SCRIPT = """
import sys
sys.path[:] = [path for path in sys.path if path]
import json, os
from tensorflow.core.framework import op_def_pb2
from tensorflow.python.client import pywrap_tf_session
ops = op_def_pb2.OpList.FromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
sys.stdout.write("OPS " + json.dumps({"ops": [op.name for op in ops.op]}) + "\\n")
"""
_SECONDS = 180
_VARIABLES = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}


def registered_ops(python: Path) -> frozenset[str]:
    """Return the names of all ops that the TensorFlow of an interpreter registers.

    Raises:
        ReleaseError: it does not tell.
        UsageError: the interpreter cannot be started, or takes too long.
    """
    done = ask(python, _SCRIPT, _SECONDS, "give a release whose interpreter is there", _VARIABLES)
    found = answer(done, "OPS ")
    if found is None:
        told = ending(done.returncode, done.stderr)
        raise ReleaseError(f"{python} does not say which ops its TensorFlow has: {told}. Leave out --release.")
    return frozenset(map(str, found["ops"]))
