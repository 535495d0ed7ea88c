"""Why an interpreter ended: the line of its output that has the cause, and what a signal means."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from harness.measure.worker_process import WorkerLost, WorkerProcess
from harness.releases.process_end import cause, ending, explained

LOADER = "ImportError: libfoo.so.6: cannot open shared object file: No such file or directory"
NATIVE = f"""\
Traceback (most recent call last):
  File "pywrap_tensorflow.py", line 73, in <module>
    from tensorflow.python._pywrap_tensorflow_internal import *
{LOADER}

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "<string>", line 1, in <module>
    raise ImportError(
ImportError: Traceback (most recent call last):
  File "pywrap_tensorflow.py", line 73, in <module>
    from tensorflow.python._pywrap_tensorflow_internal import *
{LOADER}


Failed to load the native TensorFlow runtime.
See https://www.tensorflow.org/install/errors for some common causes and solutions.
If you need help, create an issue at https://github.com/tensorflow/tensorflow/issues and include the entire stack \
trace above this error message.
"""
WRAPPED = f"""\
{LOADER}

The above exception was the direct cause of the following exception:

RuntimeError: this vendor's TensorFlow could not be started.
"""
NUMPY = """\
Traceback (most recent call last):
ImportError:\x20

IMPORTANT: PLEASE READ THIS FOR ADVICE ON HOW TO SOLVE THIS ISSUE!

Importing the numpy C-extensions failed.
Original error was: libgfortran.so.5: failed to map segment from shared object

"""
OTHER_NUMPY = """\
A module that was compiled using NumPy 1.x cannot be run in
NumPy 2.1.0 as it may crash. To support both 1.x and 2.x
versions of NumPy, modules must be compiled with NumPy 2.0.
Traceback (most recent call last):
AttributeError: _ARRAY_API not found
TypeError: Unable to convert function return value to a Python type!
"""
PROTOBUF = """\
TypeError: Descriptors cannot be created directly.
If this call came from a _pb2.py file, your generated code is out of date and must be regenerated with protoc >= 3.19.0.

More information: https://developers.google.com/protocol-buffers/docs/news/2022-05-06#python-updates
"""
FEATURES = "The TensorFlow library was compiled to use AVX512F instructions, but these aren't available on your machine"
ABORTED = f"F0000 00:00:1795831889.3 16 cpu_feature_guard.cc:36] {FEATURES}.\nAborted\n"


@pytest.mark.parametrize(
    ("output", "line"),
    [
        (NATIVE, LOADER),
        (NATIVE + "goodbye, says a function of atexit\n", LOADER),
        (WRAPPED, LOADER),
        (NUMPY, "libgfortran.so.5: failed to map segment from shared object"),
        (
            OTHER_NUMPY,
            "TypeError: Unable to convert function return value to a Python type! "
            "(A module that was compiled using NumPy 1.x cannot be run in NumPy 2.1.0 as it may crash)",
        ),
        (PROTOBUF, "TypeError: Descriptors cannot be created directly"),
        ("package.errors.NotFoundError: lib.so: undefined symbol: _ZN\n", None),
        ("python: can't open file 'x'\n", None),
        ("W0000 00:00:17.3 16 port.cc:153] a warning\n", ""),
        ("\n", ""),
    ],
)
def test_the_cause_is_the_line_that_has_it(output: str, line: str | None) -> None:
    assert cause(output) == (output.strip() if line is None else line or None)


@pytest.mark.parametrize(
    ("status", "output", "words"),
    [
        (-4, "", "killed by SIGILL (the CPU lacks instructions that this build uses)"),
        (132, "Illegal instruction\n", "killed by SIGILL (the CPU lacks instructions that this build uses)"),
        (-9, "", "killed by SIGKILL (maybe by the kernel, which was short of memory, or by a job's limit)"),
        (-6, ABORTED, f"killed by SIGABRT (its native code gave up): {FEATURES}"),
        (-40, "", "killed by signal 40"),
        (3, "", "it ended with exit code 3 and said nothing"),
        (1, NATIVE, LOADER),
    ],
)
def test_an_end_is_told_by_its_signal_or_its_cause(status: int, output: str, words: str) -> None:
    assert ending(status, output) == words


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (f"cat <<'END'\n{NATIVE}END\nexit 1", f"crashed: exit status 1 during the import: {LOADER}"),
        (
            "kill -ILL $$",
            "crashed: killed by SIGILL during the import (the CPU lacks instructions that this build uses)",
        ),
        ("exit 3", "crashed: exit status 3 during the import"),
        (None, "not-started: {python} may not be executed, which `chmod +x` would allow"),
    ],
)
def test_a_worker_that_cannot_import_says_why_in_its_record(tmp_path: Path, body: str | None, reason: str) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{body}\n")
    python.chmod(0o644 if body is None else 0o755)
    with pytest.raises(WorkerLost) as lost:
        WorkerProcess(python, os.environ, tmp_path / "log", tmp_path).wait_for_import(30.0)
    assert str(lost.value) == reason.format(python=python)


WORKER = """\
#!{python}
import json, socket, sys
stream = socket.socket(fileno=int(sys.argv[2])).makefile("rw")
for answer in ({{"hello": {{"began": 0.0, "phases": []}}}}, {{"done": {{"status": "failed", "reason": "{reason}"}}}}):
    stream.write(json.dumps(answer) + "\\n")
    stream.flush()
    stream.readline()
"""


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (
            "crashed: killed by SIGBUS",
            "crashed: killed by SIGBUS (a file that it had mapped was cut short, or the disk",
        ),
        ("timeout: no result within 8 s", "timeout: no result within 8 s"),
    ],
)
def test_a_repeat_that_was_killed_says_what_its_signal_means(tmp_path: Path, reason: str, told: str) -> None:
    python = tmp_path / "python"
    python.write_text(WORKER.format(python=sys.executable, reason=reason))
    python.chmod(0o755)
    worker = WorkerProcess(python, os.environ, tmp_path / "log", tmp_path)
    try:
        worker.wait_for_import(30.0)
        done = worker.ask({"do": "fork", "timeout_s": 30.0, "memory_limit_bytes": 1 << 30})
    finally:
        worker.kill()
    assert done["status"] == "failed"
    assert done["reason"].startswith(told)


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (
            "raised: InvalidArgumentError: indices[0,3] = 50001 is not in [0, 50000)",
            "raised: InvalidArgumentError: indices[0,3] = 50001 is not in [0, 50000): give the input with these "
            "indices a range, --range NAME=0,49999",
        ),
        (
            "raised: NotFoundError: Op type not registered 'TFText>RougeL' in binary running on a-host. Make sure …",
            "raised: NotFoundError: Op type not registered 'TFText>RougeL': this op comes with tensorflow-text",
        ),
        (
            "raised: NotFoundError: Op type not registered 'MyOp' in binary running on a-host.",
            "raised: NotFoundError: Op type not registered 'MyOp': this release has no such op",
        ),
        ("raised: ValueError: 3 is not in [0, 3) here", "raised: ValueError: 3 is not in [0, 3) here"),
    ],
)
def test_what_a_model_lacks_is_told_with_what_to_do(reason: str, told: str) -> None:
    assert explained(reason) == told
