"""Releases that misbehave for real: a bash wrapper around a TensorFlow interpreter, with limits or a patch at import.

A patch is Python text that runs once TensorFlow is imported, with `tf` in sight. It is brought in by a
`sitecustomize` on the wrapper's own path, so the worker under test has no branch for it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import textwrap
from pathlib import Path
from typing import Any

from harness.errors import ReleaseError
from harness.releases.environments import prepare
from harness.releases.manifest import read_manifest
from harness.releases.python_choice import choose_python, has_wheels
from harness.releases.pythons import running_python_minor

PROJECT = Path(__file__).parents[2]

_HOOK = """
import importlib.util, os, sys, textwrap

PATCH = {patch!r}

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module
        def exec_module(module):
            execute(module)
            exec(PATCH, {{"tf": module}})
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Finder())
"""

AROUND_LOAD = """
import os, signal, time
load = tf.saved_model.load
def patched(path, *arguments, **named):
{body}
tf.saved_model.load = patched
"""


def around_load(body: str) -> str:
    """Return a patch whose function body replaces `tf.saved_model.load`; the real one is `load(path)`."""
    return AROUND_LOAD.format(body=textwrap.indent(textwrap.dedent(body).strip(), "    "))


def tensorflow_python(release: str = "v2.21.0", python: str | None = None) -> Path:
    """Return the interpreter of a real release, installed into the project's environments where it is missing.

    python: the Python minor; by default the one that runs the tests, so that each of these is tried.
    """
    minor = python or python_of_tests(release)
    return prepare(read_manifest(PROJECT / "releases.toml").find(release), PROJECT, python=minor).python


def python_of_tests(*releases: str) -> str:
    """Return the Python minor that real releases are tested under: that of the tests if it has all, else the newest.

    Without any on this machine the test is skipped; on CI, where all Pythons are, it fails.
    """
    manifest = read_manifest(PROJECT / "releases.toml")
    wanted = [manifest.find(name) for name in releases]
    try:
        if all(has_wheels(release, running_python_minor()) for release in wanted):
            return running_python_minor()
        choice = choose_python(wanted, may_fetch=False)
    except ReleaseError as error:
        if "PYTEST_CURRENT_TEST" not in os.environ:
            raise
        import pytest

        if os.environ.get("CI"):
            pytest.fail(f"CI has to have every Python: {error}")
        pytest.skip(str(error))
    assert choice is not None
    return choice.minor


def old_release(beside: str = "v2.21.0") -> str:
    """Return v2.15.1, the last with Keras 2, or the oldest after it that this machine has a Python for.

    It is one that can be measured under one Python with the release `beside`.
    """
    manifest = read_manifest(PROJECT / "releases.toml")
    new, oldest = manifest.find(beside), manifest.find("v2.15.1")
    if os.environ.get("CI"):
        return oldest.name
    for release in manifest.releases[manifest.releases.index(oldest) :]:
        with contextlib.suppress(ReleaseError):
            choose_python([release, new], may_fetch=False)
            return release.name
    return new.name


def make_project(folder: Path) -> Path:
    """Make a project root without releases in `folder`: what a command needs to find, nothing measured yet."""
    folder.mkdir(parents=True)
    (folder / "releases.toml").write_text('policy = "today"\n')
    shutil.copy(PROJECT / "asv.conf.json", folder)
    (folder / "benchmarks").symlink_to(PROJECT / "benchmarks")
    return folder


def add_release(root: Path, name: str, *, patch: str = "", limit: str = "", python: Path | None = None) -> None:
    """Add a release to a project of `make_project`.

    patch: run after TensorFlow's import. limit: bash lines before the interpreter starts, as in "ulimit -f 100".
    """
    wrapper = python
    if wrapper is None:
        site = root / "wrappers" / name
        site.mkdir(parents=True)
        if patch:
            (site / "sitecustomize.py").write_text(_HOOK.format(patch=patch))
        wrapper = site / "python"
        lines = ["#!/bin/bash", limit, f"export PYTHONPATH={site}", f'exec {tensorflow_python()} "$@"']
        wrapper.write_text("\n".join(lines) + "\n")
        wrapper.chmod(0o755)
    entry = f'\n[[release]]\nname = "{name}"\npython = "{wrapper}"\nversion = "2.21.0"\ndate = 2026-03-06\n'
    with (root / "releases.toml").open("a") as manifest:
        manifest.write(entry)


def has_measured(done: subprocess.CompletedProcess[str]) -> bool:
    """Whether a command measured: it ended with 0, or on a busy machine with 3 since no repeat of most was calm."""
    return done.returncode == 0 or (done.returncode == 3 and "every measurement was disturbed" in done.stderr)


def records_of(root: Path) -> list[dict[str, Any]]:
    """Return all records of a project's runs: what a busy machine taints is there as well."""
    files = sorted((root / "results" / "runs").glob("*/*/records.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


PRESET = """
[faults]
time_margin = 0.10
blocks = {blocks}
timeout_s = {timeout_s}
memory_limit_gib = 1.5

[[faults.groups]]
devices = ["cpu"]
models = ["mlp-xs"]
writer = "tf-module"
reader = "tf-load"
cold_repeats = 1
warm_repeats = 1
infer_repeats = 1
batches = [1]
window_s = {window_s}
"""


def write_preset(root: Path, *, blocks: int = 1, timeout_s: float = 8.0, window_s: float = 0.05) -> str:
    """Write a preset of the smallest model and return what `--preset` takes; a block lasts `window_s` and more."""
    path = root / "faults.toml"
    path.write_text(PRESET.format(blocks=blocks, timeout_s=timeout_s, window_s=window_s))
    return str(path)
