"""A fleet without Slurm: the runners of a workflow measured the jobs of `fleet matrix`, each left a folder of runs."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import msgspec

from harness.errors import UsageError
from harness.fleet.delivery import blocks_of, deliver
from harness.fleet.folder import (
    FLEET_NAME,
    FleetFolder,
    FleetPlan,
    JobPlan,
    NodeState,
    fleets_path,
    now,
    open_folder,
    write_plan,
)
from harness.store.runs import results_path, write_json_atomically

PLAN = Path("plan") / "plan.json"
"""Where `take` finds what `keep_plan` wrote, below the folder of all artifacts."""


def keep_plan(plan: FleetPlan, path: Path) -> None:
    """Write a plan for `take`.

    Raises:
        UsageError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json_atomically(path, msgspec.to_builtins(plan))
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}): give another --plan.") from error


def take(root: Path, folder: Path) -> FleetFolder:
    """Make a fleet of what runners measured and `results merge` took; doing it again changes nothing.

    Its plan is written last: killed before, the same call begins anew, and nobody takes the half for a fleet.

    Args:
        root: the project's root.
        folder: has `plan/plan.json`, and `<job>/<machine>/<run>/` for each job that delivered something.

    Raises:
        UsageError: there is no plan, or a run was not merged.
    """
    plan = _read(folder / PLAN)
    path = fleets_path(root) / plan.fleet
    if (path / "plan.json").exists():
        return open_folder(path)
    # Nothing of it is run here: what names a program or a folder is this project's.
    plan = msgspec.structs.replace(plan, root=str(root), python=sys.executable, variables={}, collects=False)
    fleet = FleetFolder(path, plan)
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    with fleet.locked():
        if (path / "plan.json").exists():
            return open_folder(path)
        shutil.rmtree(path / "jobs", ignore_errors=True)  # of a call that was killed
        for job in plan.jobs:
            _take_job(fleet, job, sorted(one.parent for one in (folder / job.name).glob("*/*/run.json")))
        return write_plan(plan)


def _read(path: Path) -> FleetPlan:
    """Return a plan that came from elsewhere: the names in it become paths.

    Raises:
        UsageError: it is none, or has a name that no plan of ours has.
    """
    try:
        plan = msgspec.convert(json.loads(path.read_bytes()), FleetPlan)
    except (OSError, ValueError, msgspec.ValidationError):
        raise UsageError(f"{path} is no plan: `fleet matrix --plan FILE` writes one.") from None
    names = [*plan.machine_types, *(name for job in plan.jobs for name in (job.name, job.type))]
    is_ours = (
        FLEET_NAME.fullmatch(plan.fleet)
        and plan.command in ("run", "compare")
        and plan.words[:1] == (plan.command,)
        and plan.night is None
        and plan.confirms is None
        and all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name) for name in names)
        and all(job.type in plan.machine_types and job.task.is_timed for job in plan.jobs)
    )
    if not is_ours:
        raise UsageError(f"{path} is not as `fleet matrix --plan FILE` writes it: take the file that it wrote.")
    return plan


def _take_job(fleet: FleetFolder, job: JobPlan, sources: list[Path]) -> None:
    """Deliver a job's runs, of which only the names are believed: their records are those that were merged."""
    runs = [results_path(fleet.root) / "runs" / one.parent.name / one.name for one in sources]
    missing = [source for source, run in zip(sources, runs, strict=True) if not run.is_dir()]
    if missing:
        raise UsageError(f"{missing[0]} is not in the results: `savedmodel-bench results merge` it first.")
    attempt = fleet.begin(job.name)
    for run in runs:
        deliver(run, attempt.path / run.parent.name / run.name)
    done = max((blocks_of(run) for run in attempt.delivered()), default=0)
    attempt.say(
        NodeState(
            state="finished" if runs else "failed",
            since=now(),
            node=runs[0].parent.name if runs else job.name,
            blocks_done=done,
            blocks_planned=int(job.preset["blocks"]),
            reason=None if runs else "its runner left no results",
        )
    )
