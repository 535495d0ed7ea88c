"""What the tests of fleets wait for, and what they do to jobs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fake_slurm
import pytest
from fleets import make_type, measured
from fleets import stub as stub_work

from harness.fleet import slurm as commands
from harness.fleet.collecting import Collected, collect
from harness.fleet.folder import FleetFolder
from harness.fleet.status import State, statuses
from harness.fleet.types import MachineType
from harness.fleet.work import work


def types(tmp_path: Path, *names: str) -> dict[str, MachineType]:
    """Return machine types with a scratch folder of the test's own."""
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    return {name: make_type(name, scratch=str(scratch)) for name in names}


@contextlib.contextmanager
def forgotten_by_slurm() -> Iterator[None]:
    """Let Slurm answer as if it knew no job at all, although they go on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commands, "listed", list)
        patch.setattr(commands, "accounted", lambda slurm_id: None)
        yield


def do(folder: Path, slurm_id: str = "", *, ends: str = "COMPLETED", measure: Any = stub_work) -> int:
    """Run a waiting job here; the newest where none is named."""
    job = next(one for one in reversed(fake_slurm.jobs(folder)) if slurm_id in ("", one["id"]))
    named = {"SLURM_JOB_ID": job["id"], "SLURMD_NODENAME": job["node"]}
    before = {name: os.environ.get(name) for name in named}
    os.environ.update(named)
    fake_slurm.change(folder, job["id"], state="RUNNING")
    try:
        return work(Path(job["arguments"][-1]), measure)
    finally:
        fake_slurm.change(folder, job["id"], state=ends)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def until(found: Callable[[], bool], wait_s: float = 60.0) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + wait_s
    while not found():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.2)


def state_of(fleet: FleetFolder, job: str = "h100-1") -> State:
    return next(one.state for one in statuses(fleet, commands.listed()) if one.job.name == job)


def collected(fleet: FleetFolder, wait_s: float = 90.0) -> Collected:
    """Collect until nothing more comes."""
    done = Collected()

    def is_done() -> bool:
        nonlocal done
        done = collect(fleet)
        return done.is_done

    until(is_done, wait_s)
    return done


def whole(fleet: FleetFolder, root: Path) -> None:
    """The results hold what was planned, each once, and both sides of a block are of one node and attempt."""
    found = measured(root)
    keys = [(model, subject, block, run) for _, model, subject, block, _, run in found]
    assert len(keys) == len(set(keys))
    wanted = sum(2 * int(job.preset["blocks"]) for job in fleet.plan.jobs)
    assert len(keys) == wanted
    origins: dict[tuple[str, int], set[tuple[str, int]]] = {}
    for node, _, _, block, attempt, run in found:
        origins.setdefault((run, block), set()).add((node, attempt))
    assert all(len(one) == 1 for one in origins.values())


def stub(root: Path, **said: object) -> None:
    root.mkdir(exist_ok=True)
    (root / "stub.json").write_text(json.dumps(said))


def kill_work(fleet: FleetFolder) -> None:
    """Kill the processes of a fleet's jobs, and their shells, as the kernel does for want of memory."""
    mark = str(fleet.path)
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if any(word.startswith(mark) and word.endswith("job.json") for word in words):
            os.kill(int(path.parent.name), signal.SIGKILL)
