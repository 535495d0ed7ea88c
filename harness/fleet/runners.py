"""A fleet without Slurm: the runners of a workflow measured the jobs of `fleet matrix`, each left a folder of runs."""

from __future__ import annotations

import json
import re
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

_JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")
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

    Args:
        root: the project's root.
        folder: has `plan/plan.json`, and `<job>/<machine>/<run>/` for each job that delivered something.

    Raises:
        UsageError: there is no plan, or a run was not merged.
    """
    try:
        plan = msgspec.convert(json.loads((folder / PLAN).read_bytes()), FleetPlan)
    except (OSError, ValueError, msgspec.ValidationError):
        raise UsageError(f"{folder / PLAN} is no plan: `fleet matrix --plan FILE` writes one.") from None
    if not FLEET_NAME.fullmatch(plan.fleet) or not all(_JOB_NAME.fullmatch(job.name) for job in plan.jobs):
        raise UsageError(f"{folder / PLAN} has names that no fleet or job has: `fleet matrix --plan FILE` writes one.")
    path = fleets_path(root) / plan.fleet
    fleet = (
        open_folder(path)
        if (path / "plan.json").exists()
        else write_plan(msgspec.structs.replace(plan, root=str(root)), lambda project: None)
    )
    with fleet.locked():
        for job in plan.jobs:
            if not any(one.state for one in fleet.attempts(job.name)):  # killed before, it goes on
                _take_job(fleet, job, sorted(one.parent for one in (folder / job.name).glob("*/*/run.json")))
    return fleet


def _take_job(fleet: FleetFolder, job: JobPlan, sources: list[Path]) -> None:
    """Deliver a job's runs, of which only the names are believed: their records are those that were merged."""
    runs = [results_path(fleet.root) / "runs" / one.parent.name / one.name for one in sources]
    missing = [source for source, run in zip(sources, runs, strict=True) if not run.is_dir()]
    if missing:
        raise UsageError(f"{missing[0]} is not in the results: `savedmodel-bench results merge` it first.")
    attempt = next(iter(fleet.attempts(job.name)), None) or fleet.begin(job.name)
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
