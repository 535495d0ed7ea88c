"""The host's side of a worker: start it, wait for TensorFlow, ask for repeats, end it whatever happens."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.measure.guard import MOST_FILES, Guard, disk_use
from harness.measure.host_phases import named_phase
from harness.measure.owned_folder import OwnedFolder
from harness.releases.installation import why_not_started
from harness.releases.process_end import cause, ending, explained, killed_by
from harness.worker import processes

START = Path(__file__).parent.parent / "worker" / "start.py"
POLL_S = 0.25
IMPORT_TIMEOUT_S = 300.0
"""A first import from a cold disk has been seen to take 27 s; this is ten times that."""

GRACE_S = 20.0
"""How much longer than a repeat's own limit the host waits for a zygote, which enforces that limit itself."""

TEMPORARY = "worker"
"""The kind of folder (owned_folder.py) that a worker has for temporary files: its processes end without tidying up."""

_LOG_BYTES = 1 << 16
"""How much of the end of a worker's log is searched for the cause of its end."""

_MESSAGE_BYTES = 64 << 20
"""No honest message is longer; without a limit a stranger's code could fill this process's memory."""

_DISK_POLL_S = 1.0
_DISK_POLL_SHARE = 0.02
"""How often the scratch folder is measured: every second, or so rarely that it takes 2 % of the time."""

Message = dict[str, Any]


class WorkerLost(Exception):
    """The worker process ended or was ended; the text is the reason that goes into the record."""


class WorkerProcess:
    """One process in a release's interpreter, in a session of its own so that Ctrl-C reaches only the host."""

    def __init__(
        self,
        python: Path,
        environment: Mapping[str, str],
        log: Path,
        folder: Path,
        guard: Guard | None = None,
        counting: bool = False,
    ) -> None:
        """Start `python`; its output goes to the end of `log`, its working directory is `folder`.

        Where `environment` has no TMPDIR, it gets one of its own, which goes with it.
        With a guard it puts itself into that sandbox first, and what it starts and writes is watched; `environment` is
        then one of `guarded_environment`. With `counting` its work is counted and nothing in it is timed.
        """
        self._log = log
        self._guard = guard
        self._buffer = b""
        self._temporary = _temporary_folder(environment)
        if self._temporary is not None:
            environment = {**environment, "TMPDIR": str(self._temporary.path)}
        self._channel, theirs = socket.socketpair()
        self.started = time.monotonic()
        try:
            told = [] if guard is None else [guard.prepare()]
            told = [*(told or ["null"]), "count"] if counting else told
            self._disk = None if guard is None else _Disk(guard, log)
        except OSError as error:
            # What ran there before can have put anything into the scratch folder.
            theirs.close()
            self._let_go()
            raise WorkerLost(f"not-started: the scratch folder cannot be used ({error})") from error
        with theirs, log.open("ab") as output:
            self._log_start = output.tell()
            try:
                self._process = subprocess.Popen(
                    [str(python), str(START), str(theirs.fileno()), *told],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=dict(environment),
                    cwd=folder,
                    start_new_session=True,
                )
            except OSError as error:
                self._let_go()
                raise WorkerLost(f"not-started: {python} {why_not_started(python, error)}") from error

    @property
    def pid(self) -> int:
        """The process id of the worker."""
        return self._process.pid

    def wait_for_import(self, timeout_s: float) -> Message:
        """Return the `hello` message's record of the import; WorkerLost with the log's last line otherwise.

        WorkerLost, too, where less of the sandbox holds than was asked for.
        """
        message = self._receive(timeout_s, None, "import")
        hello: Message = message["hello"]
        if self._guard is not None:
            complaint = self._guard.complaint(hello["evidence"].get("guard"))
            if complaint is not None:
                self.kill()
                raise WorkerLost(f"unguarded: {complaint}")
        # The monotonic clock is the machine's, so the worker's reading continues ours.
        start = named_phase("start the interpreter", "process", hello.pop("began") - self.started)
        return dict(hello, phases=[start, *hello["phases"]])

    def ask(self, request: Message, on_hold: Callable[[Message], None] | None = None) -> Message:
        """Send one request and return its `done` part.

        `on_hold` is called when the measuring process waits for the host to look at it.
        Raises WorkerLost when the worker ends, is too late or, measuring in its own process, too large.
        """
        self.begin(request)
        return self.finish(request, on_hold)

    def finish(self, request: Message, on_hold: Callable[[Message], None] | None = None) -> Message:
        """Return the `done` part of a request that was begun, as `ask` does."""
        while True:
            message = self.proceed(request)
            if "done" in message:
                return self.done(message)
            if "hold" in message:
                if on_hold is not None:
                    on_hold(message)
                self.release()

    def fileno(self) -> int:
        """Return what `select` waits on for the worker's next message."""
        return self._channel.fileno()

    def begin(self, request: Message) -> None:
        """Send a request; `proceed` says what becomes of it."""
        self._send(request)

    def proceed(self, request: Message) -> Message:
        """Return the next message of a request: `hold`, after which `release` lets it go on, or `done`."""
        here = request["do"] == "here"
        limit_s = request["timeout_s"] + (0.0 if here else GRACE_S)
        return self._receive(limit_s, request["memory_limit_bytes"] if here else None, "repeat")

    def release(self, **order: Any) -> None:
        """Let a measuring process that waits go on, with what it is to do."""
        self._send({"go": True, **order})

    @staticmethod
    def done(message: Message) -> Message:
        """Return the result in a `done` message, its reason in words."""
        result: Message = message["done"]
        return dict(result, reason=explained(result["reason"])) if result["reason"] else result

    def close(self) -> None:
        """Let the worker end by itself and make sure that it has."""
        self._channel.close()
        try:
            self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            self.kill()
        self._let_go()

    def kill(self) -> None:
        """End the worker and all that it started, at once."""
        if self._guard is not None and self._process.poll() is None:
            # A stranger's code may have left the process group. Nothing new comes of a worker that stands still.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGSTOP)
            processes.end_below(self.pid)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._let_go()

    def _let_go(self) -> None:
        self._channel.close()
        if self._temporary is not None:
            self._temporary.remove()

    def _send(self, message: Message) -> None:
        try:
            self._channel.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise WorkerLost(self._reason_of_end("repeat")) from error

    def _receive(self, timeout_s: float, memory_limit_bytes: float | None, doing: str) -> Message:
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([self._channel], [], [], POLL_S)
            if ready:
                chunk = self._channel.recv(1 << 16)
                if not chunk:
                    raise WorkerLost(self._reason_of_end(doing))
                self._buffer += chunk
                if len(self._buffer) > _MESSAGE_BYTES:
                    self.kill()
                    raise WorkerLost(f"crashed: the worker sent more than {_MESSAGE_BYTES >> 20} MiB as one message")
            elif time.monotonic() > deadline:
                self.kill()
                raise WorkerLost(f"timeout: no result of the {doing} within {timeout_s:g} s")
            elif memory_limit_bytes is not None and self._resident_bytes() > memory_limit_bytes:
                self.kill()
                raise WorkerLost(f"memory-limit: more than {memory_limit_bytes / 2**30:.1f} GiB resident")
            elif self._disk is not None and (too_much := self._disk.complaint()) is not None:
                self.kill()
                raise WorkerLost(f"disk-limit: {too_much}")
        line, self._buffer = self._buffer.split(b"\n", 1)
        message: Message = json.loads(line)
        return message

    def _resident_bytes(self) -> int:
        below = () if self._guard is None else processes.descendants(self.pid)
        return processes.resident_bytes((self.pid, *below))

    def _reason_of_end(self, doing: str) -> str:
        """Say how the worker ended: its signal and what that means, or its exit status with the cause it printed."""
        try:
            status = self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            self.kill()
            return f"crashed: the worker closed its channel during the {doing}"
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            output = log.read()[-_LOG_BYTES:].decode(errors="replace")
        if killed_by(status) is not None:
            return f"crashed: {ending(status, output, f' during the {doing}')}"
        said = cause(output)
        return f"crashed: exit status {status} during the {doing}{'' if said is None else f': {said}'}"


def _temporary_folder(environment: Mapping[str, str]) -> OwnedFolder | None:
    """Return the folder for a worker's temporary files; None where its variables name one."""
    if "TMPDIR" in environment:
        return None
    try:
        return OwnedFolder(TEMPORARY)
    except OSError as error:
        raise WorkerLost(f"not-started: no folder for temporary files can be made ({error})") from error


class _Disk:
    """What a guarded worker has written since it was started: its scratch folder and its log."""

    def __init__(self, guard: Guard, log: Path) -> None:
        self._guard, self._log = guard, log
        self._allowed_bytes = guard.allowed_bytes
        self._before = self._used()[0]
        self._next = 0.0

    def complaint(self) -> str | None:
        """Say what is too much; None, too, where it was looked at only just now."""
        began = time.monotonic()
        if began < self._next:
            return None
        used, entries = self._used()
        ended = time.monotonic()
        self._next = ended + max(_DISK_POLL_S, (ended - began) / _DISK_POLL_SHARE)
        if entries > MOST_FILES:
            return f"more than {MOST_FILES:,} files in the scratch folder"
        if used - self._before > self._allowed_bytes:
            written, allowed = (size / 2**30 for size in (used - self._before, self._allowed_bytes))
            return f"{written:.1f} GiB written to the scratch folder and the log, limit {allowed:.1f} GiB"
        return None

    def _used(self) -> tuple[int, int]:
        used, entries = disk_use(self._guard.scratch)
        return used + (self._log.stat().st_size if self._log.exists() else 0), entries
