"""Programs in the sandbox of a guarded worker, and tests that are left out where there is none."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.measure.guard import Guard, what_guards

SCRIPT = Path(__file__).parents[2] / "harness" / "worker" / "guard.py"


def needs_sandbox(test: Any) -> Any:
    """Leave a test out where this machine offers no sandbox, with what it says of it."""

    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        if not what_guards().isolates:
            pytest.skip(what_guards().sentence)
        test(*arguments, **named)

    return run


def in_sandbox(guard: Guard, *command: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    """Run a command in a sandbox, in its scratch folder; a command that begins with "-c" is Python."""
    guard.scratch.mkdir(parents=True, exist_ok=True)
    if command[:1] == ("-c",):
        command = (python, *command)
    whole = [python, str(SCRIPT), guard.prepare(), *command]
    return subprocess.run(whole, cwd=guard.scratch, capture_output=True, text=True, timeout=120, check=False)


def held(guard: Guard, **changed: Any) -> dict[str, Any]:
    """Return what holds in a sandbox, as a worker says it; `changed` goes into what is asked for."""
    guard.scratch.mkdir(parents=True, exist_ok=True)
    asked = {**json.loads(guard.prepare()), **changed}
    done = subprocess.run([sys.executable, str(SCRIPT), json.dumps(asked)], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))
