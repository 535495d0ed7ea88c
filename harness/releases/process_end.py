"""How an interpreter ended, in words: the line of its output that has the cause, and what the signal means."""

from __future__ import annotations

import re
import signal

from harness.savedmodel.op_providers import provider

_EXCEPTION = re.compile(r"(?:\w+\.)*[A-Za-z_]\w*(?:Error|Exception|Exit|Interrupt|Warning)(?:: .*|:?)")
"""The line of a traceback that names the exception."""

_OF_THE_LOADER = re.compile(
    "' not found|cannot open shared object file|undefined symbol|static TLS block|file too short|failed to map segment|"
    "ELF"
)
"""What only the dynamic loader says: the cause, whatever was raised because of it."""

_ORIGINAL = "Original error was: "  # numpy, behind a page of advice
_OTHER_NUMPY = "A module that was compiled using NumPy"  # numpy warns so, and something fails later because of it
_LOG = re.compile(r"[IW]\d{4} |WARNING: All log messages")

_ADVICE = (
    "Failed to load the native TensorFlow runtime",
    "See https://www.tensorflow.org/install",
    "See the install page",
    "If you need help, create an issue",
    "Traceback (most recent call last)",
)
"""How TensorFlow ends every error of loading its library (tensorflow/python/pywrap_tensorflow.py)."""

_FATAL = re.compile(r"what\(\):|^F\d{4} |: F |Check failed|compiled to use|Fatal|fatal")

_MEANINGS = {
    "SIGILL": "the CPU lacks instructions that this build uses",
    "SIGKILL": "maybe by the kernel, which was short of memory, or by a job's limit",
    "SIGSEGV": "a fault of its native code, or files of several builds in one place",
    "SIGBUS": "a file that it had mapped was cut short, or the disk or /dev/shm is full",
    "SIGABRT": "its native code gave up",
    "SIGFPE": "its native code divided by zero",
    "SIGSYS": "a sandbox forbids a system call that it uses",
    "SIGXCPU": "its limit of CPU time was reached",
    "SIGXFSZ": "its limit of file size was reached",
    "SIGTERM": "somebody, or a job's time limit, ended it",
}
_SHELLS_ADD = 128
_KILLED = re.compile(r"crashed: killed by (SIG\w+)")
_INDEX = re.compile(r" = -?\d+ is not in \[(-?\d+), (-?\d+)\)$")
"""How TensorFlow refuses an index (tensorflow/core/kernels/gather_op.cc)."""
_OP = re.compile(r"Op type not registered '([^']+)'.*", re.DOTALL)
"""How it refuses an op, before the name of this machine and much advice (tensorflow/core/framework/op.cc)."""
_PACKAGE = re.compile("[a-z0-9-]+")


def cause(output: str) -> str | None:
    """Return the line of a process's output that says why it failed, without a full stop; None if it said nothing.

    Of a traceback that is the exception which stands last; of chained ones that of the dynamic loader, if there is one.
    """
    lines = [line.rstrip() for line in output.splitlines() if line.strip() and not _LOG.match(line)]
    original = [line for line in lines if line.startswith(_ORIGINAL)]
    if original:
        return _sentence(original[-1].removeprefix(_ORIGINAL))
    named = [at for at, line in enumerate(lines) if _EXCEPTION.fullmatch(line) and _ADVICE[-1] not in line]
    if not named:
        said = [line for line in lines if not line.startswith(_ADVICE)]
        return _sentence(said[-1]) if said else None
    at = ([at for at in named if _OF_THE_LOADER.search(lines[at])] or named)[-1]
    announces = lines[at].endswith(":") and at + 1 < len(lines)
    found = _sentence(f"{lines[at]} {lines[at + 1].strip()}" if announces else lines[at])
    warned = [" ".join(lines[at : at + 2]) for at, line in enumerate(lines) if line.startswith(_OTHER_NUMPY)]
    return f"{found} ({_sentence(warned[-1].partition('. ')[0])})" if warned else found


def killed_by(status: int) -> str | None:
    """Return the name of the signal that ended a process, "SIGILL"; None for an exit of its own.

    A shell that stands between gives 128 more than the signal's number.
    """
    number = -status if status < 0 else status - _SHELLS_ADD
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}" if status < 0 else None


def ending(status: int, output: str, when: str = "") -> str:
    """Return in a clause how a process failed: by which signal and what that means, or by the cause that it told.

    Args:
        status: its exit status, negative for a signal, as `subprocess` gives it.
        output: what it wrote.
        when: what it was doing, to stand behind a signal's name, as in " during the import".
    """
    name = killed_by(status)
    if name is None:
        return cause(output) or f"it ended with exit code {status} and said nothing"
    # Without a log line's time and process, which would make every failure another one.
    fatal = [line.rpartition("] ")[2] for line in output.splitlines() if _FATAL.search(line)]
    told = f": {_sentence(fatal[-1])}" if name == "SIGABRT" and fatal else ""
    return f"killed by {name}{when}{_in_brackets(name)}{told}"


def explained(reason: str) -> str:
    """Return a record's reason with what it means: of a signal, of an op or an index that the release does not have."""
    killed, index, op = _KILLED.fullmatch(reason), _INDEX.search(reason), _OP.search(reason)
    if op is not None:
        package = provider(op[1])
        told = "this release has no such op" if package is None else f"this op comes with {package}"
        return f"{reason[: op.start()]}Op type not registered {op[1]!r}: {told}"
    if index is not None:
        first, end = int(index[1]), int(index[2])
        return f"{reason}: give the input with these indices a range, --range NAME={first},{end - 1}"
    return reason if killed is None else f"{reason}{_in_brackets(killed[1])}"


def package_of_missing_op(reason: str) -> str | None:
    """Return the package on the index that brings the op that a reason misses; None where there is no such package."""
    op = _OP.search(reason)
    package = None if op is None else provider(op[1])
    return package if package is not None and _PACKAGE.fullmatch(package) else None


def _in_brackets(name: str) -> str:
    return f" ({_MEANINGS[name]})" if name in _MEANINGS else ""


def _sentence(line: str) -> str:
    return line.strip().rstrip(".")[:400]
