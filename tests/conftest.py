"""What is printed at the end of every run of the tests: what was skipped, what was left out, and why."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import local_index
import pytest

from harness.machine.measuring_lock import FOLDER_VARIABLE
from harness.measure.retries import RETRIES_VARIABLE

# pytest-xdist sets it in its processes; what is printed to no terminal is not folded.
os.environ.pop("COLUMNS", None)


@pytest.fixture(autouse=True, scope="session")
def _shared_machine(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let the tests measure beside others on this machine, and beside each other."""
    os.environ.setdefault(FOLDER_VARIABLE, str(tmp_path_factory.mktemp("locks")))
    os.environ.setdefault(RETRIES_VARIABLE, "0")


@pytest.fixture(autouse=True)
def _no_index_of_another_test() -> Iterator[None]:
    """Let no later test of this process use the package index of one that had its own."""
    yield
    if local_index.is_used:
        local_index.forget_index()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say it in a line for each reason."""
    skipped: dict[str, set[str]] = {}
    for report in terminalreporter.stats.get("skipped", []):
        place, _, reason = report.longrepr if isinstance(report.longrepr, tuple) else ("", 0, str(report.longrepr))
        name = report.nodeid.split("::")[-1] if "::" in report.nodeid else Path(place).name
        skipped.setdefault(reason.removeprefix("Skipped: "), set()).add(name.partition("[")[0])
    terminalreporter.line("")
    for reason, names in sorted(skipped.items()):
        terminalreporter.line(f"Skipped: {', '.join(sorted(names))}: {reason}")
    if not skipped:
        terminalreporter.line("Skipped: nothing.")
    left_out = len(terminalreporter.stats.get("deselected", []))
    if left_out:
        chosen = " ".join(f"{option} '{value}'" for option in ("-m", "-k") if (value := config.getoption(option)))
        terminalreporter.line(
            f"Not run: {left_out} tests that {chosen or 'the command line'} leaves out; `make test` runs all."
        )
