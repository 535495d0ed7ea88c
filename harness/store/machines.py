"""The machines that the results know, so that a machine keeps the name under which its history is filed."""

from __future__ import annotations

from pathlib import Path

from harness.machine.identity import Machine, describe_machine
from harness.machine.naming import KnownMachine, known_machine
from harness.store.records import Problem
from harness.store.runs import load_run, results_path


def this_machine(root: Path, name: str | None = None) -> Machine:
    """Describe the machine this process runs on, under the name that its results have.

    Args:
        root: the project's root, which holds the results.
        name: what `--machine` said.

    Raises:
        UsageError: as `harness.machine.identity.describe_machine` does.
    """
    return describe_machine(name, known_machines(root))


def known_machines(root: Path) -> dict[str, KnownMachine]:
    """Return the machines in the results by name, as the newest run describes each; own runs before reference ones."""
    found: dict[str, KnownMachine] = {}
    for base in ("reference", "runs"):
        for folder in sorted((results_path(root) / base).glob("*/")):
            machine = _newest_description(folder)
            if machine is not None:
                found[machine.name] = machine
    return found


def _newest_description(folder: Path) -> KnownMachine | None:
    for path in sorted(folder.glob("*/run.json"), reverse=True):
        run = load_run(path.parent)
        machine = None if isinstance(run, Problem) else known_machine(run.facts["machine"])
        if machine is not None:
            return machine
    return None
