"""Builds the stand-in for libnvidia-ml.so.1 and asks the real pynvml in processes of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).with_name("nvml.c")
NAME = "libnvidia-ml.so.1"


def build(folder: Path, *flags: str) -> Path:
    """Compile the library into `folder` and return the folder, for LD_LIBRARY_PATH."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        import pytest  # here, for `make speed` goes without it

        pytest.skip("no C compiler")
    command = [compiler, "-shared", "-fPIC", *flags, f"-Wl,-soname,{NAME}", "-o", str(folder / NAME), str(SOURCE)]
    subprocess.run(command, check=True)
    return folder


def playing(library: Path | None, **scenario: str) -> dict[str, str]:
    """Return the variables of a process that finds the library playing a scenario; None: no library at all."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FAKE_NVML_", "CUDA_"))}
    environment.update({f"FAKE_NVML_{name}": value for name, value in scenario.items()})
    return {**environment, "LD_LIBRARY_PATH": str(library or "/nonexistent")}


def ask(code: str, library: Path | None, **scenario: str) -> str:
    """Return what a piece of code prints in a process of its own that finds the library."""
    return ask_any(code, playing(library, **scenario))


def ask_any(code: str, environment: dict[str, str] | None = None) -> str:
    """Return what a piece of code prints in a process of its own, with this process's variables by default."""
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
