"""What asv keeps about a machine: its machine.json, and what ~/.asv-machine.json was told."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

from asv.commands.machine import Machine as MachineCommand
from asv.machine import Machine as AsvMachine
from asv.machine import MachineCollection
from asv.util import UserError, load_json

from harness.errors import UsageError
from harness.machine.identity import asv_entry
from harness.store.machines import this_machine
from harness.store.records import Problem
from harness.store.runs import RunDirectory, write_json_atomically


def machine_parameters(results: Path, run: RunDirectory, problems: list[Problem]) -> dict[str, Any] | None:
    """Return what asv keeps about a run's machine, and make its machine.json where there is none.

    Args:
        results: asv's results directory.
        run: a run that the machine measured.
        problems: a machine.json that is not asv's, or another machine's, is named here and left alone.

    Returns:
        asv's fields, which stand in every result file; None where machine.json cannot be used.
    """
    path = results / run.machine / "machine.json"
    if path.exists():
        try:
            known = load_json(str(path), AsvMachine.api_version)
            if known["machine"] == run.machine:
                return dict(known)
            problems.append(Problem(path, None, f"describes another machine, {known['machine']}"))
        except (UserError, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            text = "is not asv's description of a machine: move it away, and it is made anew"
            problems.append(Problem(path, None, text))
        return None
    parameters = _told_to_asv(run.machine) or _as_asv_describes(run)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json_atomically(path, {**parameters, "version": AsvMachine.api_version})
    return parameters


def _told_to_asv(machine: str) -> dict[str, Any] | None:
    """Return the entry of ~/.asv-machine.json, so that asv's own runs and the projection share one graph."""
    try:
        entry = load_json(MachineCollection.get_machine_file_path(), MachineCollection.api_version)[machine]
        return dict(entry) if entry["machine"] == machine else None
    except (UserError, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _as_asv_describes(run: RunDirectory) -> dict[str, Any]:
    """Return the fields of `asv machine --yes`, from what the run recorded about its machine."""
    facts = run.facts["machine"]
    return {
        "machine": run.machine,
        "os": f"Linux {facts.get('kernel', '')}".strip(),
        "arch": str(facts.get("arch", "")),
        "cpu": str(facts.get("cpu", "")),
        "num_cpu": str(facts.get("logical_cpus", "")),
        "ram": str(facts.get("memory_bytes", "")),
    }


def settle_machine_name() -> None:
    """Make asv call this machine what this project calls it; for asv's own process, once its plugins load.

    asv's default is the host's name, which changes with every container. `asv machine --yes` after `make bench` would
    then register a second machine, and `asv compare` refuses as soon as two have results. A name given by `--machine`
    is left as it is, and so is an entry that asv has for this host already.

    Raises:
        asv.util.UserError: ~/.asv-machine.json is damaged; asv prints the sentence.
    """
    try:
        name, entry = this_machine(Path.cwd()).name, asv_entry()
    except UsageError as error:
        raise UserError(str(error)) from None
    describe, run = AsvMachine.get_defaults, MachineCommand.run

    def defaults() -> dict[str, Any]:
        return {**describe(), "machine": name}

    def register(**options: Any) -> Any:
        # The parser took its default from asv before this module was loaded.
        if options.get("machine") == platform.node():
            options["machine"] = name
        return run(**options)

    AsvMachine.get_defaults = staticmethod(defaults)
    MachineCommand.run = register
    # What asv would take by itself may be another machine's, where a home folder is shared: it asks for `asv machine`.
    if _told_to_asv(name) is not None or (entry is not None and entry[0]["machine"] != name):
        AsvMachine.hardcoded_machine_name = name
