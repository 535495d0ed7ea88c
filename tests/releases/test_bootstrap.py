"""The set-up: it has to run before anything is installed and to say in one sentence what is missing."""

from __future__ import annotations

import ast
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import bootstrap

pytestmark = pytest.mark.python

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def root(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    return tmp_path


def test_it_parses_under_python_3_6_and_needs_nothing_installed():
    tree = ast.parse((ROOT / "harness" / "bootstrap.py").read_text(), feature_version=(3, 6))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= {"hashlib", "os", "pathlib", "platform", "shutil", "subprocess", "sys", "ensurepip", "venv"}


def test_nothing_stands_in_the_way_here(root):
    assert bootstrap.complaint(root, "dev") == ""


def test_an_old_python_is_told_what_to_install(root, monkeypatch):
    monkeypatch.setattr(bootstrap.sys, "version_info", (3, 10, 13))
    assert "Python 3.11 or later is needed" in bootstrap.complaint(root, "run")


def test_another_platform_is_named(root, monkeypatch):
    monkeypatch.setattr(bootstrap.platform, "machine", lambda: "aarch64")
    assert "Linux x86-64 only, and this is Linux aarch64" in bootstrap.complaint(root, "run")


def test_a_missing_venv_module_names_its_package(root, monkeypatch):
    monkeypatch.setitem(bootstrap.sys.modules, "ensurepip", None)
    assert f"apt install python{bootstrap.python_minor()}-venv" in bootstrap.complaint(root, "run")


def test_too_little_disk_is_told(root, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**12, 10**12, 10**8))
    assert "needs 0.7 GB of disk and 0.1 GB are free" in bootstrap.complaint(root, "run")


def test_a_stamp_is_about_level_requirements_and_folder(root):
    binaries = root / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "python").symlink_to(shutil.which("sh"))
    assert not bootstrap.is_ready(root, "run")
    (root / ".venv" / bootstrap.STAMP).write_text(f"{bootstrap.wanted_stamp(root)} run\n")
    assert bootstrap.is_ready(root, "run")
    assert not bootstrap.is_ready(root, "dev")
    (root / ".venv" / bootstrap.STAMP).write_text(f"{bootstrap.wanted_stamp(root)} dev\n")
    assert bootstrap.is_ready(root, "run")
    moved = root.parent / "moved"
    root.rename(moved)
    assert not bootstrap.is_ready(moved, "run")
    moved.rename(root)
    (root / "pyproject.toml").write_text("[project]\n# changed\n")
    assert not bootstrap.is_ready(root, "run")


def test_make_says_it_when_there_is_no_such_python():
    done = subprocess.run(
        ["make", "--no-print-directory", "setup", "PYTHON=no-such-python"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "There is no no-such-python here: install Python 3.11 or later" in done.stderr
