"""What `run` and `compare` say when they are interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from stored_runs import NEW, OLD, blocks, project_root, store_run

from harness.cli import main
from harness.commands.shared import session
from harness.measure.sitting import Outcome


@pytest.mark.parametrize(
    ("done", "told"),
    [
        (
            0,
            "Interrupted before a block was complete, so there are no results yet; the same command measures ",
        ),
        (1, "Interrupted: 1 complete block is kept in results/runs/"),
        (2, "Interrupted: 2 complete blocks are kept in results/runs/"),
    ],
)
@pytest.mark.parametrize("command", ["run", "compare"])
def test_what_is_kept_and_what_the_same_command_does_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    command: str, done: int, told: str,
) -> None:  # fmt: skip
    root = project_root(tmp_path)
    monkeypatch.chdir(root)
    run = store_run(root, blocks({OLD: [1.0] * done, NEW: [1.0] * done}), kind=command, state="interrupted")

    def measure(*_: Any) -> Outcome:
        """Stand in for TensorFlow: the run that an interruption leaves behind."""
        return Outcome(run, done, 0, 3, interrupted=True, stopped_by=None)

    monkeypatch.setattr(session, "plan_of", lambda *_: None)
    monkeypatch.setattr(session, "measure", measure)
    assert main([command, OLD, NEW]) == 130
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(told)
    assert str(run.path.relative_to(root)) in shown.err
