"""Temporary folders: removed by the process that made them, or after its end by another."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from stored_runs import PROJECT

from harness.measure.owned_folder import OwnedFolder, owned_folder, remove_orphans
from harness.measure.worker_process import WorkerLost, WorkerProcess

KILLED = """
import os, signal, sys
from pathlib import Path
from harness.measure.owned_folder import OwnedFolder
folder = OwnedFolder("worker", Path(sys.argv[1]))
(folder.path / "left.py").touch()
os.kill(os.getpid(), signal.SIGKILL)
"""

FORGETS = """
import sys
from pathlib import Path
from harness.measure.owned_folder import OwnedFolder
folder = OwnedFolder("worker", Path(sys.argv[1]))
(folder.path / "left.py").touch()
"""


def run(script: str, folder: Path) -> None:
    subprocess.run([sys.executable, "-c", script, str(folder)], cwd=PROJECT, timeout=60, check=False)


def test_it_is_removed_at_the_end_with_all_that_is_in_it(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), owned_folder("worker", tmp_path) as folder:  # noqa: PT012
        assert folder.parent == tmp_path
        (folder / "below").mkdir()
        (folder / "below" / "left.py").touch()
        raise KeyboardInterrupt
    assert not [*tmp_path.iterdir()]


def test_it_goes_with_a_process_that_forgets_it(tmp_path: Path) -> None:
    run(FORGETS, tmp_path)
    assert not [*tmp_path.iterdir()]


def test_what_a_killed_process_left_is_removed_later_and_nothing_else(tmp_path: Path) -> None:
    run(KILLED, tmp_path)
    (left,) = tmp_path.iterdir()
    living = OwnedFolder("worker", tmp_path)
    others = [tmp_path / name for name in ("savedmodel-bench-1a2b3c4d", "mine.worker", "savedmodel-bench-mine.check")]
    for other in others:
        other.mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    (tmp_path / "savedmodel-bench-linked.worker").symlink_to(elsewhere)
    remove_orphans("worker", tmp_path)
    assert not left.exists()
    assert living.path.exists()
    assert all(other.exists() for other in others)
    assert (elsewhere / "kept").exists()
    living.remove()
    assert not living.path.exists()


def test_what_another_user_left_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(KILLED, tmp_path)
    monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 1)
    remove_orphans("worker", tmp_path)
    assert [*tmp_path.iterdir()]


def test_a_worker_has_one_unless_its_variables_name_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\ntouch "$TMPDIR/left.py"\necho "at $TMPDIR"\nexit 3\n')
    python.chmod(0o755)
    log = tmp_path / "log"

    def said(variables: dict[str, str]) -> str:
        worker = WorkerProcess(python, variables, log, tmp_path)
        with pytest.raises(WorkerLost):
            worker.wait_for_import(30.0)
        worker.kill()
        return log.read_text().splitlines()[-1]

    path = {"PATH": os.environ["PATH"]}
    assert said(path).startswith(f"at {temporary}/savedmodel-bench-")
    assert not [*temporary.iterdir()]
    assert said({**path, "TMPDIR": str(tmp_path)}) == f"at {tmp_path}"
    assert (tmp_path / "left.py").exists()
