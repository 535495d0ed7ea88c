"""Counts the work of an operation in place of timing it: Python calls by module, functions, graph operations, files.

The operations themselves know nothing of it: where the recorder of a repeat times a phase, this one counts what runs
in it. So what is counted is exactly what is timed elsewhere. Counts depend on what a process did before; a counting
process therefore does what a measuring one does, with a fixed hash seed and without the garbage collector.

Of the standard library, only what the interpreter has loaded anyhow may be imported here: another module would be
missing in the count of the import.
"""

from __future__ import annotations

import _lsprof
import gc
import os
import sys
from typing import Any, Dict, List, NamedTuple, Optional, Set, Tuple

from harness.worker.recorder import Interval, Recorder

COUNTING_VERSION = 1
"""Raised whenever a count changes its meaning: kept counts of another version are not read."""

COUNTED = {
    "import": "import",
    "save, first": "save_first",
    "save, later": "save_later",
    "load, cold": "load",  # the same calls, wherever the pages are
    "load, warm": "load",
    "load, again": "load_again",
    "first call": "first_call",
}
"""The phases that are counted, and what their counts are called."""

GENERATED = "(generated code)"
"""Stands for what has no file of its own: named tuples, data classes, functions that AutoGraph wrote."""

_HARNESS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_OPERATIONS_FILE = os.path.join("tensorflow", "python", "framework", "ops.py")
_MAKES_OPERATION = ("from_node_def", "_create_op_from_tf_operation")
"""Each graph operation that Python knows is made by one of these two, from 2.13 on."""
_THREADS_FILE, _STARTS_THREAD = "threading.py", "_bootstrap"


class Io(NamedTuple):
    """What a process asked of the kernel: bytes and system calls of its reads and writes, from cache or not."""

    bytes_read: int
    bytes_written: int
    reads: int
    writes: int


class CountingRecorder(Recorder):
    """A recorder that counts what a phase does. It keeps no metric: what runs under it is never timed."""

    def __init__(self) -> None:
        super().__init__()
        self.evidence["work"] = {}

    def phase(self, name: str, kind: str = "sample") -> Any:
        """Count a phase of `COUNTED`, several of one name as the first; let any other pass."""
        work = self.evidence["work"]
        if kind == "sample" and name in COUNTED and COUNTED[name] not in work:
            return _Counted(work, COUNTED[name])
        return super().phase(name, kind)

    def report(self, metric: str, value: float, batch: Optional[int] = None, way: Optional[str] = None) -> None:
        """Keep nothing."""


class _Counted:
    """The stretch that is counted; what the harness itself calls in it is left out."""

    def __init__(self, work: Dict[str, Any], name: str) -> None:
        self._work, self._name = work, name
        self._profiler = _lsprof.Profiler(subcalls=False, builtins=False)

    def __enter__(self) -> Interval:
        gc.disable()
        self._functions = _function_names()
        self._modules = len(sys.modules)
        self._io, self._own_bytes = _io()
        interval = Interval()
        interval.wall_s = interval.cpu_s = 0.0
        self._profiler.enable()
        return interval

    def __exit__(self, *raised: object) -> None:
        self._profiler.disable()
        io, _ = _io()
        functions = _function_names()
        counted = self._profiler.getstats()
        found = _calls(counted)
        found["modules_imported"] = len(sys.modules) - self._modules
        found["functions"] = None if functions is None else len(functions - (self._functions or set()))
        if io is not None and self._io is not None:
            spent = Io(*(after - before for after, before in zip(io, self._io)))
            # The reading before is in the reading after.
            found["io"] = spent._replace(bytes_read=spent.bytes_read - self._own_bytes, reads=spent.reads - 1)._asdict()
        self._work[self._name] = found


def _calls(entries: List[Any]) -> Dict[str, Any]:
    """Return the calls in all and by module, and the graph operations made.

    A call is a start or a resumption of a Python function, generator or coroutine, module and class bodies included.
    """
    by_module: Dict[str, int] = {}
    names: Dict[str, str] = {}
    operations, threads = 0, 0
    for entry in entries:
        code = entry.code
        if isinstance(code, str):
            continue
        file = code.co_filename
        if file.startswith(_HARNESS):
            continue
        if file not in names:
            names[file] = module_of(file)
        by_module[names[file]] = by_module.get(names[file], 0) + entry.callcount
        if code.co_name in _MAKES_OPERATION and file.endswith(_OPERATIONS_FILE):
            operations += entry.callcount
        if code.co_name == _STARTS_THREAD and os.path.basename(file) == _THREADS_FILE:
            threads += entry.callcount
    return {
        "calls": sum(by_module.values()),
        "by_module": dict(sorted(by_module.items())),
        "graph_operations": operations,
        # Up to Python 3.11 the counter sees its own thread alone, from 3.12 on all.
        "other_threads": threads if sys.version_info >= (3, 12) else 0,
    }


def module_of(file: str) -> str:
    """Return the dotted name of the module that a code object's file name stands for.

    Example: ".../site-packages/tensorflow/python/framework/ops.py" is "tensorflow.python.framework.ops".
    """
    if file.startswith("<frozen "):
        return file[len("<frozen ") :].rstrip(">")
    if file.startswith("<") or os.path.basename(file).startswith("__autograph_generated_file"):
        return GENERATED
    folders = [folder for folder in sys.path if folder and file.startswith(folder.rstrip(os.sep) + os.sep)]
    inside = file[len(max(folders, key=len).rstrip(os.sep)) + 1 :] if folders else os.path.basename(file)
    path = os.path.splitext(inside)[0]
    for ending in (os.sep + "__init__",):
        if path.endswith(ending):
            path = path[: -len(ending)]
    return path.replace(os.sep, ".")


def _function_names() -> Optional[Set[str]]:
    """Return the names of TensorFlow's functions in the running context; None before it runs.

    To ask starts a context that an import made and left alone (2.12, 2.13): its threads are lost to every fork.
    """
    module = sys.modules.get("tensorflow.python.eager.context")
    context = None if module is None else module.context_safe()
    if context is None or not getattr(context, "_initialized", False):
        return None
    try:
        return {str(name) for name in context.list_function_names()}
    except Exception:
        return None


def _io() -> Tuple[Optional[Io], int]:
    """Return what this process has read and written, and how many bytes this very reading took."""
    try:
        file = os.open("/proc/self/io", os.O_RDONLY)
        try:
            text = os.read(file, 4096)
        finally:
            os.close(file)
        told = dict(line.split(b": ") for line in text.splitlines())
        return Io(*(int(told[name]) for name in (b"rchar", b"wchar", b"syscr", b"syscw"))), len(text)
    except (OSError, ValueError, KeyError):
        return None, 0
