"""A step of a repeat in a process of its own, so that nothing of it but the files it writes reaches the next step."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import traceback
from typing import Any, Callable, Dict, Optional

from harness.worker import absence
from harness.worker.recorder import Recorder, Unsupported, WrongOutput, one_line

_RAISED = {"Unsupported": Unsupported, "WrongOutput": WrongOutput}
_PR_SET_PDEATHSIG = 1  # prctl(2)


class StepFailed(RuntimeError):
    """A step raised or its process died; `kind` is the exception's class, None where there was none to raise."""

    def __init__(self, reason: str, kind: Optional[str] = None) -> None:
        super().__init__(reason)
        self.kind = kind

    def is_absent(self, way: str) -> bool:
        """Whether this says that the way does not exist in this release or on this machine."""
        return absence.is_absent(way, self.kind, str(self))


def run(step: Callable[[Recorder], None], recorder: Recorder) -> None:
    """Fork, run `step` there with a recorder, and add what it recorded to `recorder`.

    The calling process must not have touched a device: its context would not survive the fork.

    Raises:
        Unsupported, WrongOutput: as the step raised them.
        StepFailed: the step raised anything else, or its process died; the text says what.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            # A repeat that is ended for being late or too large takes its step along.
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            os.close(reading)
            with os.fdopen(writing, "w") as pipe:
                json.dump(_outcome(step), pipe)
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    _, wait_status = os.waitpid(child, 0)
    if os.WIFSIGNALED(wait_status):
        raise StepFailed("killed by " + signal.Signals(os.WTERMSIG(wait_status)).name)
    if not text:
        raise StepFailed(f"exit status {os.WEXITSTATUS(wait_status)} without a result")
    outcome = json.loads(text)
    for name, values in outcome["recorded"].items():
        kept = getattr(recorder, name)
        if isinstance(kept, dict):
            kept.update(values)
        else:
            kept.extend(values)
    if outcome["raised"]:
        if outcome["raised"] in _RAISED:
            raise _RAISED[outcome["raised"]](outcome["reason"])
        raise StepFailed(outcome["reason"], outcome["raised"])


def _outcome(step: Callable[[Recorder], None]) -> Dict[str, Any]:
    recorder = Recorder()
    raised, reason = None, None
    try:
        step(recorder)
    except (Unsupported, WrongOutput) as error:
        raised, reason = type(error).__name__, str(error)
    except Exception as error:
        traceback.print_exc()
        raised, reason = type(error).__name__, one_line(error)
    return {"recorded": recorder.as_dict(), "raised": raised, "reason": reason}
