"""A release bound to an interpreter: what tells its builds apart, and that two of them never become one run."""

from __future__ import annotations

import os
import time
import venv
from collections.abc import Callable
from pathlib import Path

import pytest
from stored_runs import MACHINE, store_run

from harness.errors import UsageError
from harness.machine.identity import describe_machine
from harness.measure.plan import Plan, name_subjects
from harness.measure.presets import narrow, read_preset
from harness.releases.environments import prepare
from harness.releases.installation import find_installation
from harness.releases.manifest import read_manifest
from harness.store.resuming import why_not_resumable

pytestmark = pytest.mark.python

RECORD = "tensorflow/__init__.py,sha256=aa,10\ntensorflow/libtensorflow_cc.so.2,sha256=bb,4\n"


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """An interpreter with an installed package `tensorflow` that nobody could import: it is told from its files."""
    folder = tmp_path / "vendor"
    venv.create(folder, symlinks=True, with_pip=False)
    package = site(folder / "bin" / "python") / "tensorflow"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('nobody may import this')\n")
    (package / "libtensorflow_cc.so.2").write_bytes(b"\x7fELF")
    (package / "version.py").write_text("")
    for name, record in (("tensorflow_cpu-2.21.0", RECORD), ("keras-3.15.1", "keras/__init__.py,sha256=cc,1\n")):
        (package.parent / f"{name}.dist-info").mkdir()
        (package.parent / f"{name}.dist-info" / "RECORD").write_text(record)
    return folder / "bin" / "python"


def site(python: Path) -> Path:
    (found,) = (python.parent.parent / "lib").glob("python*/site-packages")
    return found


def another_wheel(python: Path) -> None:
    (site(python) / "tensorflow_cpu-2.21.0.dist-info" / "RECORD").write_text(RECORD.replace("bb", "b1"))


def rebuilt_in_place(python: Path) -> None:
    later = time.time_ns() + 10**9
    os.utime(site(python) / "tensorflow" / "libtensorflow_cc.so.2", ns=(later, later))


def of_another_size(python: Path) -> None:
    library = site(python) / "tensorflow" / "libtensorflow_cc.so.2"
    before = library.stat()
    library.write_bytes(b"\x7fELF2")
    os.utime(library, ns=(before.st_atime_ns, before.st_mtime_ns))


def patched_start(python: Path) -> None:
    (site(python) / "tensorflow" / "__init__.py").write_text("raise ImportError('patched')\n")


def lost_library(python: Path) -> None:
    (site(python) / "tensorflow" / "libtensorflow_cc.so.2").unlink()


CHANGES = [another_wheel, rebuilt_in_place, of_another_size, patched_start, lost_library]


@pytest.mark.parametrize("change", CHANGES)
def test_another_build_has_another_identity(python: Path, change: Callable[[Path], None]) -> None:
    before = find_installation(python)
    assert before.keras == "3.15.1"
    assert find_installation(python) == before
    change(python)
    assert find_installation(python).tensorflow != before.tensorflow


def test_a_build_without_a_record_is_told_by_its_libraries(python: Path) -> None:
    (site(python) / "tensorflow_cpu-2.21.0.dist-info" / "RECORD").unlink()
    before = find_installation(python)
    assert find_installation(python) == before
    rebuilt_in_place(python)
    assert find_installation(python).tensorflow != before.tensorflow


def test_what_belongs_to_another_package_changes_nothing(python: Path) -> None:
    before = find_installation(python)
    (site(python) / "other").mkdir()
    (site(python) / "other" / "fast.so").write_bytes(b"\x7fELF")
    assert find_installation(python) == before


def wrapped(python: Path, folder: Path) -> Path:
    """Return a script that starts the interpreter."""
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nexec {python} "$@"\n')
    script.chmod(0o755)
    return script


def test_a_script_that_starts_the_interpreter_is_told_apart_from_what_it_starts(python: Path, tmp_path: Path) -> None:
    bare, started = find_installation(python), find_installation(wrapped(python, tmp_path))
    assert bare.wrapper is None
    assert started.wrapper is not None
    assert started.tensorflow == bare.tensorflow


def test_an_editable_install_is_followed_to_its_sources(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site(python) / "tensorflow").rename(tmp_path / "tensorflow")
    with pytest.raises(UsageError, match="no module named 'tensorflow'"):
        find_installation(python)
    monkeypatch.chdir(tmp_path)  # a folder in which a command is typed is no place to import from
    with pytest.raises(UsageError, match="no module named 'tensorflow'"):
        find_installation(python)
    (site(python) / "tensorflow.pth").write_text(f"{tmp_path}\n")
    assert find_installation(python).tensorflow.startswith("sha256:")


def changed_script(script: Path) -> None:
    script.write_text(script.read_text().replace("exec", "export TF_ENABLE_ONEDNN_OPTS=0\nexec"))


@pytest.mark.parametrize(
    ("is_wrapped", "change", "what"),
    [
        (False, rebuilt_in_place, "the TensorFlow installed for"),
        (True, changed_script, "the script that starts"),
    ],
)
def test_blocks_of_another_build_are_never_added_to_those_before(
    python: Path, tmp_path: Path, is_wrapped: bool, change: Callable[[Path], None], what: str
) -> None:
    python = wrapped(python, tmp_path) if is_wrapped else python
    (tmp_path / "releases.toml").write_text(
        f'[[release]]\nname = "patched"\npython = "{python}"\nversion = "2.21.0"\ndate = 2026-03-06\n'
    )

    def parts() -> dict[str, object]:
        environment = prepare(read_manifest(tmp_path / "releases.toml").find("patched"), tmp_path)
        preset = narrow(read_preset("quick"), devices=["cpu"])
        plan = Plan("compare", preset, name_subjects([environment]), describe_machine(MACHINE), 1, "fork")
        return plan.fingerprint_parts()

    first = parts()
    run = store_run(tmp_path, [], subjects=(), state="interrupted", parts=first)
    run = run.updated(subjects=[{"name": "patched"}])
    assert why_not_resumable(tmp_path, MACHINE, "compare", "quick", parts()) is None
    change(python)
    told = why_not_resumable(tmp_path, MACHINE, "compare", "quick", parts())
    assert told == f"Run {run.run} cannot be continued: {what} patched has changed."
