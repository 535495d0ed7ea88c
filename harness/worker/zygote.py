"""The process that imports TensorFlow once and forks one child a repeat.

Protocol: JSON, one message a line, over the socket whose descriptor is the only argument.
The worker says `hello` once TensorFlow is imported. The host asks `{"do": "fork" | "here", …}`: a repeat in a
forked child, or in this very process (isolation by spawning). Each is answered by one `{"done": …}`.
A measuring process may send `{"hold": point}` meanwhile and waits for one line before it goes on.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from importlib import metadata
from typing import Any, Dict, List, Mapping, Optional, TextIO, Tuple

from harness.worker import WORKER_VERSION, page_cache, processes
from harness.worker.recorder import Recorder, Unsupported, WrongOutput, one_line, shown

SETTINGS = ("TF_", "XLA_", "KERAS_BACKEND", "NVIDIA_TF32", "CUDA_", "OMP_", "ONEDNN_", "LD_")
"""Beginnings of the variables that change what is measured: stored as the worker sees them."""

COLD_IMPORT_BYTES = 16 << 20
"""More than this read from storage, and an import waited for the disk. TensorFlow's library alone has
517 (2.13) to 788 MB (2.21)."""

MEMORY_POLL_S = 0.25
"""How often a child's resident memory is compared with its limit: one read of /proc, about 20 us."""


def main(control: int, guard: Optional[Dict[str, Any]] = None, counting: bool = False) -> int:
    """Serve the host until it closes the socket. Return the exit status.

    guard: what holds of the sandbox that the host asked for (guard.apply); None where it asked for none.
    counting: whether work is counted in place of being timed, in this process and in all that it forks.
    """
    channel = socket.socket(fileno=control)
    stream = channel.makefile("rw", encoding="utf-8", newline="\n")
    if guard is not None and guard["reason"] is not None:
        refusal = dict(_failure("unguarded: " + guard["reason"]), evidence={"guard": guard}, began=time.monotonic())
        _send(stream, {"hello": refusal})
        return 1
    tf, hello, imported = _import_tensorflow(_recorder(counting))
    if guard is not None:
        hello["hello"]["evidence"]["guard"] = guard
    _send(stream, hello)
    for line in stream:
        request = dict(json.loads(line), guarded=guard is not None, counting=counting)
        if request.get("do") == "fork":
            _send(stream, {"done": _in_child(tf, request, stream)})
        elif request.get("do") == "here":
            process = dict(imported, started=request["started"])
            _send(stream, {"done": _repeat(tf, dict(request, process=process), stream)})
    return 0


def _recorder(counting: bool) -> Recorder:
    if not counting:
        return Recorder()
    # Loaded where it is needed alone: a measuring process stays as it is.
    from harness.worker.counting import CountingRecorder

    return CountingRecorder()


def _send(stream: TextIO, message: Dict[str, Any]) -> None:
    stream.write(json.dumps(message) + "\n")
    stream.flush()


def _import_tensorflow(recorder: Recorder) -> Tuple[Any, Dict[str, Any], Dict[str, float]]:
    """Import what every repeat needs without touching a device: a fork after that would inherit a dead context.

    Returns TensorFlow, the message to the host, and the clocks of this process when TensorFlow was imported.
    """
    began = time.monotonic()
    read_before = page_cache.bytes_read()
    with recorder.phase("import") as interval:
        import tensorflow as tf
    imported = {"imported": time.monotonic(), "imported_cpu_s": time.process_time()}
    recorder.report_time("import", interval)
    read_after = page_cache.bytes_read()
    if read_before is not None and read_after is not None:
        recorder.evidence["import_bytes_read"] = read_after - read_before
        if read_after - read_before > COLD_IMPORT_BYTES:
            recorder.taints.append(f"cold-import: {(read_after - read_before) / 2**20:.0f} MiB read from storage")
    with recorder.phase("import Keras and protocol buffers", "set-up"):
        keras = tf.keras
        import numpy
        from tensorflow.core.protobuf import saved_model_pb2  # noqa: F401

        from harness.worker import operations  # noqa: F401

        keras_version = _keras_version(keras)
    with recorder.phase("freeze garbage", "set-up"):
        # Children then neither scan nor copy what the import left behind.
        gc.collect()
        gc.freeze()
    build = tf.sysconfig.get_build_info()
    provenance = {
        "tensorflow": tf.__version__,
        "tensorflow_git": tf.version.GIT_VERSION,
        "compiler": tf.version.COMPILER_VERSION,
        "cuda_build": bool(build.get("is_cuda_build", False)),
        "cuda": _cuda(tf, build),
        "keras": keras_version,
        "numpy": numpy.__version__,
        "python": sys.version.split()[0],
        "worker_version": WORKER_VERSION,
        "variables": {name: value for name, value in sorted(os.environ.items()) if name.startswith(SETTINGS)},
    }
    hello = dict(recorder.as_dict(), status="ok", reason=None, provenance=provenance, began=began)
    return tf, {"hello": hello}, imported


def _cuda(tf: Any, build: Mapping[str, Any]) -> Optional[Dict[str, Any]]:
    """Return what a CUDA build was made for, and the libraries installed beside it; None of a CPU build.

    A GPU whose capability is not among these has its kernels compiled by the driver when they are first loaded.
    """
    if not build.get("is_cuda_build"):
        return None
    beside = [one for one in metadata.distributions() if str(one.metadata["Name"]).startswith("nvidia-")]
    return {
        "built_for": {name: build.get(name) for name in ("cuda_version", "cudnn_version", "cuda_compute_capabilities")},
        "tensor_float_32": bool(tf.config.experimental.tensor_float_32_execution_enabled()),
        "packages": {str(one.metadata["Name"]): one.version for one in beside},
    }


def _keras_version(keras: Any) -> str:
    """Return the version of the package that `tf.keras` comes from: keras, or tf_keras under TF_USE_LEGACY_KERAS."""
    package = importlib.import_module(keras.layers.Layer.__module__.partition(".")[0])
    return str(package.__version__)


def _in_child(tf: Any, request: Dict[str, Any], stream: TextIO) -> Dict[str, Any]:
    """Run one repeat in a forked child and return its result, whatever becomes of the child."""
    reading, writing = os.pipe()
    asked = time.monotonic()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            began = time.monotonic()
            os.close(reading)
            result = _repeat(tf, request, stream)
            result["phases"].insert(0, _process_phase("fork", began - asked))
            payload = json.dumps(dict(result, ended=time.monotonic())).encode()
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(payload)
            status = 0
        finally:
            # No interpreter teardown: it is not measured, and TensorFlow's can take seconds.
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        payload, killed_for = _await(child, pipe, request)
    _, wait_status = os.waitpid(child, 0)
    if request["guarded"]:
        _end_left()
    if killed_for:
        return _failure(killed_for)
    if os.WIFSIGNALED(wait_status):
        return _failure("crashed: killed by " + signal.Signals(os.WTERMSIG(wait_status)).name)
    try:
        answer: Dict[str, Any] = json.loads(payload)
        answer["phases"].append(_process_phase("reply and exit", time.monotonic() - answer.pop("ended")))
        return answer
    except ValueError:
        return _failure(f"crashed: exit status {os.WEXITSTATUS(wait_status)} without a result")


def _process_phase(name: str, wall_s: float) -> Dict[str, Any]:
    """Return a phase between two processes, whose CPU seconds no clock counts."""
    return {"name": name, "kind": "process", "wall_s": wall_s, "cpu_s": None}


def _await(child: int, pipe: Any, request: Dict[str, Any]) -> Tuple[bytes, Optional[str]]:
    """Read the child's result until it closes the pipe, is too late or too large."""
    deadline = time.monotonic() + request["timeout_s"]
    chunks: List[bytes] = []
    while True:
        ready, _, _ = select.select([pipe], [], [], MEMORY_POLL_S)
        if ready:
            chunk = pipe.read(1 << 16)
            if not chunk:
                return b"".join(chunks), None
            chunks.append(chunk)
            continue
        reason = None
        if time.monotonic() > deadline:
            reason = f"timeout: no result within {request['timeout_s']:g} s"
        # A stranger's repeat may have processes at any depth; what outlived its parent is below this process.
        below = processes.descendants(os.getpid()) if request["guarded"] else (child, *processes.children(child))
        resident = processes.resident_bytes(below)
        if resident > request["memory_limit_bytes"]:
            limit = request["memory_limit_bytes"]
            reason = f"memory-limit: {resident / 2**30:.1f} GiB resident, limit {limit / 2**30:.1f} GiB"
        if reason:
            os.kill(child, signal.SIGKILL)
            return b"", reason


def _end_left() -> None:
    """End what a stranger's repeat left running, so that nothing of it lasts into the next one."""
    processes.end_below(os.getpid())
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, 0)[0]:
            pass


def _failure(reason: str) -> Dict[str, Any]:
    return dict(Recorder().as_dict(), status="failed", reason=reason)


def _without_paths(reason: str, request: Dict[str, Any]) -> str:
    return shown(shown(reason, request["artifact"]), request["scratch"])


def _repeat(tf: Any, request: Dict[str, Any], stream: TextIO) -> Dict[str, Any]:
    """Run one operation and return what its record will hold. Never raises for what the operation does."""
    from harness.worker.operations import HELD, OPERATIONS

    recorder = _recorder(request["counting"])
    status: str = "ok"
    reason: Optional[str] = None

    def hold(point: str, **facts: Any) -> Dict[str, Any]:
        _send(stream, {"hold": point, "pid": os.getpid(), **facts})
        waiting = time.process_time()
        line = stream.readline()
        return dict(json.loads(line or "{}"), idle_cpu_s=time.process_time() - waiting)

    if request["device"] == "gpu" or request["operation"] in HELD:
        request = dict(request, hold=hold)
    try:
        OPERATIONS[request["operation"]](tf, request, recorder)
    except Unsupported as error:
        status, reason = "unsupported", str(error)
    except WrongOutput as error:
        status, reason = "failed", str(error)
    except MemoryError:
        status, reason = "failed", "memory: MemoryError"
    except Exception as error:
        traceback.print_exc()
        status, reason = "failed", f"raised: {one_line(error)}"
    if status != "ok":
        # Times of an operation that did not do its work are not measurements.
        recorder.metrics = []
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    for entry in recorder.absent:
        entry["reason"] = _without_paths(entry["reason"], request)
    reason = None if reason is None else _without_paths(reason, request)
    return dict(recorder.as_dict(), status=status, reason=reason, pid=os.getpid())
