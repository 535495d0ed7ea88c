"""Running uv: it comes with the harness as a package, so it is found without PATH."""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.errors import UsageError
from harness.releases.pip_settings import pip_settings, uv_variables


class UvError(Exception):
    """uv ended with an error; the message is the last of what it said."""


def uv_path() -> str:
    """Return the path of the uv program.

    Raises:
        UsageError: the package or its program is missing.
    """
    try:
        # Here, for a machine on which all releases are bound to interpreters installs nothing.
        import uv

        return uv.find_uv_bin()
    except (ImportError, FileNotFoundError):
        raise UsageError("The program uv is missing beside its package: run `make setup` again.") from None


@functools.cache
def uv_environment() -> dict[str, str]:
    """Return the environment for uv: the user's, with pip's mirror, proxy and certificate in uv's words."""
    environ = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    environ.update(uv_variables(pip_settings(environ), environ))
    # The largest wheels have 600 MB: uv's 30 s without data are too few behind a mirror that fetches them first.
    environ.setdefault("UV_HTTP_TIMEOUT", "300")
    return environ


def run_uv(
    arguments: Sequence[str],
    *,
    root: Path,
    stdin: str = "",
    variables: Mapping[str, str] | None = None,
    may_fetch_python: bool = False,
    quiet: bool = True,
) -> str:
    """Run uv quietly and return its standard output.

    Args:
        arguments: without those that keep it quiet.
        root: its working directory.
        stdin: what it reads.
        variables: on top of the environment that it has.
        may_fetch_python: whether it may fetch a Python from the network.
        quiet: whether it only tells what was asked for; some of its lists are empty then.

    Raises:
        UvError: uv failed.
    """
    command = [uv_path(), *arguments, "--no-progress", "--color", "never"]
    if quiet:
        command.append("--quiet")
    if not may_fetch_python:
        command.append("--no-python-downloads")
    environ = {**uv_environment(), **(variables or {})}
    done = subprocess.run(command, cwd=root, env=environ, input=stdin, capture_output=True, text=True)
    if done.returncode != 0:
        raise UvError(_gist(done.stderr) or f"uv ended with exit code {done.returncode}")
    return done.stdout


def _gist(said: str) -> str:
    """Return uv's complaint as one line, without its drawing characters and without its hints."""
    lines = [line.strip(" \t│╰╭─▶\u00d7├·") for line in said.splitlines()]
    kept: list[str] = []
    for line in lines:
        if line.startswith("hint:"):
            break
        if line and not line.startswith("warning:"):
            kept.append(line)
    return " ".join(kept)[:600]
