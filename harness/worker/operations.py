"""The operations a repeat can do, by name. To add one: a module like its neighbours, and a line here."""

from __future__ import annotations

from typing import Any, Callable, Dict

from harness.worker import (
    answer,
    calls,
    custom_code,
    first_result,
    floor,
    load,
    memory,
    profile,
    reload,
    resave,
    resume,
    rewrite,
    save,
    slices,
)
from harness.worker.recorder import Recorder

OPERATIONS: Dict[str, Callable[[Any, Dict[str, Any], Recorder], None]] = {
    "save": save.run,
    "answer": answer.run,
    "load": load.run,
    "infer": load.run,
    "first-result": first_result.run,
    "calls": calls.run,
    "memory": memory.run,
    "profile": profile.run,
    "reload": reload.run,
    "resave": resave.run,
    "rewrite": rewrite.run,
    "resume": resume.run,
    "custom-code": custom_code.run,
    "slices": slices.run,
    "floor": floor.run,
}
"""Each takes TensorFlow, the request and the recorder to fill."""

HELD = ("slices",)
"""Those that the host leads step by step, on every device."""
