"""A run: subjects and a preset become blocks of records, resumed where an earlier sitting stopped."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import harness
from harness.machine.gpu.nvml import Reading
from harness.machine.gpu.selection import tensorflow_gpu
from harness.machine.measuring_lock import MeasuringLock
from harness.measure.limits import Limits
from harness.measure.owned_folder import remove_orphans
from harness.measure.pinning import PINNED, worker_environment
from harness.measure.plan import Plan
from harness.measure.progress import Progress
from harness.measure.run_floors import with_floors
from harness.measure.sitting import Outcome, Sitting
from harness.measure.worker_process import TEMPORARY
from harness.store.records import Record, complete_blocks
from harness.store.resuming import find_resumable, why_not_resumable
from harness.store.runs import (
    UNFINISHED,
    ResultsLock,
    RunDirectory,
    create_run,
    fingerprint,
)
from harness.verdict.differences import ESTIMATOR
from harness.worker import WORKER_VERSION

RESULTS_WAIT_S = 300.0
"""How long a run waits where another command, perhaps on another machine, changes what is shared."""


def measure(root: Path, plan: Plan, limits: Limits, progress: Progress, *, lock_wait_s: float = 0.0) -> Outcome:
    """Measure a plan and return what became of it. Every complete block is on disk when it is reported.

    Args:
        root: the project's root, below which results lie.
        plan: what to measure.
        limits: when to stop.
        progress: is told what happens.
        lock_wait_s: how long to wait where another run is measuring on this machine.

    Raises:
        UsageError: another run is measuring on this machine.
    """
    with MeasuringLock(lock_wait_s):
        remove_orphans(TEMPORARY)  # before anything is timed
        gpu = _gpu_of(plan)
        # Whoever packs or merges looks at a run's state under this lock, and leaves alone what is running.
        with ResultsLock(root, wait_s=RESULTS_WAIT_S):
            run, records = _open(root, plan, limits, progress, plan.fingerprint_parts(gpu.value))
        if "floors" not in run.facts:
            run = with_floors(run, plan.kind)
        outcome = Sitting(root, plan, limits, progress, run, records, gpu).measure()
        if outcome.interrupted:
            return outcome
        # A neighbour can only make a floor look higher than it is, so a second look makes it truer.
        return replace(outcome, run=with_floors(outcome.run, plan.kind))


def _gpu_of(plan: Plan) -> Reading[str]:
    """Return the UUID of the GPU that the plan's workers will use, as their own variables choose it."""
    if not plan.machine.gpus or not plan.on_gpu:
        return Reading(None, "no-gpu")
    return tensorflow_gpu(worker_environment(os.environ, Path()))


def _open(
    root: Path, plan: Plan, limits: Limits, progress: Progress, parts: dict[str, Any]
) -> tuple[RunDirectory, list[Record]]:
    """Return the run to continue and its records, or a new one."""
    machine = plan.machine.name
    states = (*UNFINISHED, "complete") if limits.extend else UNFINISHED
    found = find_resumable(root, machine, fingerprint(parts), states=states)
    if found is not None:
        records, problems = found.records()
        for problem in problems:
            progress.say(str(problem))
        done = len(complete_blocks(records))
        verb = "Adding blocks to" if found.facts["state"] == "complete" else "Resuming"
        progress.say(f"{verb} run {found.run}, which has {done} block{'' if done == 1 else 's'}.")
        return found.updated(state="running"), records
    refusal = why_not_resumable(root, machine, plan.kind, plan.preset.name, parts, states=states)
    if refusal is not None:
        progress.say(f"{refusal} Starting a new run; the earlier one stays as it is.")
    return create_run(root, machine, _facts(plan, parts)), []


def _facts(plan: Plan, parts: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": plan.kind,
        "preset": plan.preset.as_dict(),
        "absent": list(plan.absent),
        **({"against_first": True} if plan.against_first else {}),
        "seed": plan.seed,
        "isolation": plan.isolation,
        "blocks_planned": plan.preset.blocks,
        "pinned_variables": PINNED,
        "subjects": [
            {
                "name": name,
                **environment.release.as_facts(),
                "environment": environment.name,
                "python": environment.python_minor,
                "lock_digest": environment.lock_digest,
                "policy": environment.policy,
                "wheel": environment.wheel,
                "keras": environment.keras,
                "tensorflow": environment.version,
                "locked": dict(environment.locked),
                "built": dict(environment.build),
                "profile": environment.profile,
                "variables": dict(environment.variables),
                "packages": dict(environment.packages),
                "installation": None if environment.installation is None else asdict(environment.installation),
            }
            for name, environment in plan.subjects.items()
        ],
        "machine": plan.machine.as_record(),
        "boot_id": plan.machine.boot_id,
        "worker_version": WORKER_VERSION,
        "harness_version": harness.__version__,
        "fingerprint_parts": parts,
        **({"looks": [], "estimator": ESTIMATOR} if plan.looks else {}),
    }
