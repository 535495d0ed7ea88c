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

from harness.measure.host_phases import named_phase
from harness.releases.installation import why_not_started
from harness.releases.process_end import cause, ending, explained, killed_by

START = Path(__file__).parent.parent / "worker" / "start.py"
POLL_S = 0.25
GRACE_S = 20.0
"""How much longer than a repeat's own limit the host waits for a zygote, which enforces that limit itself."""

_LOG_BYTES = 1 << 16
"""How much of the end of a worker's log is searched for the cause of its end."""

Message = dict[str, Any]


class WorkerLost(Exception):
    """The worker process ended or was ended; the text is the reason that goes into the record."""


class WorkerProcess:
    """One process in a release's interpreter, in a session of its own so that Ctrl-C reaches only the host."""

    def __init__(self, python: Path, environment: Mapping[str, str], log: Path, folder: Path) -> None:
        """Start `python`; its output goes to the end of `log`, its working directory is `folder`."""
        self._log = log
        self._buffer = b""
        self._channel, theirs = socket.socketpair()
        self.started = time.monotonic()
        with theirs, log.open("ab") as output:
            self._log_start = output.tell()
            try:
                self._process = subprocess.Popen(
                    [str(python), str(START), str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=dict(environment),
                    cwd=folder,
                    start_new_session=True,
                )
            except OSError as error:
                self._channel.close()
                raise WorkerLost(f"not-started: {python} {why_not_started(python, error)}") from error

    @property
    def pid(self) -> int:
        """The process id of the worker."""
        return self._process.pid

    def wait_for_import(self, timeout_s: float) -> Message:
        """Return the `hello` message's record of the import; WorkerLost with the log's last line otherwise."""
        message = self._receive(timeout_s, None, "import")
        hello: Message = message["hello"]
        # The monotonic clock is the machine's, so the worker's reading continues ours.
        start = named_phase("start the interpreter", "process", hello.pop("began") - self.started)
        return dict(hello, phases=[start, *hello["phases"]])

    def ask(self, request: Message, on_hold: Callable[[Message], None] | None = None) -> Message:
        """Send one request and return its `done` part.

        `on_hold` is called when the measuring process waits for the host to look at it.
        Raises WorkerLost when the worker ends, is too late or, measuring in its own process, too large.
        """
        here = request["do"] == "here"
        limit_s = request["timeout_s"] + (0.0 if here else GRACE_S)
        self._send(request)
        while True:
            message = self._receive(limit_s, request["memory_limit_bytes"] if here else None, "repeat")
            if "done" in message:
                done: Message = message["done"]
                return dict(done, reason=explained(done["reason"])) if done["reason"] else done
            if "hold" in message:
                if on_hold is not None:
                    on_hold(message)
                self._send({"go": True})

    def close(self) -> None:
        """Let the worker end by itself and make sure that it has."""
        self._channel.close()
        try:
            self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the worker and its child, both started by this object, at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._channel.close()

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
            elif time.monotonic() > deadline:
                self.kill()
                raise WorkerLost(f"timeout: no result of the {doing} within {timeout_s:g} s")
            elif memory_limit_bytes is not None and self._resident_bytes() > memory_limit_bytes:
                self.kill()
                raise WorkerLost(f"memory-limit: more than {memory_limit_bytes / 2**30:.1f} GiB resident")
        line, self._buffer = self._buffer.split(b"\n", 1)
        message: Message = json.loads(line)
        return message

    def _resident_bytes(self) -> int:
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE")

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
