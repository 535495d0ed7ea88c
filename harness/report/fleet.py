"""Where the jobs of a fleet stand, as a table and as data."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Sequence
from typing import Any

from harness.fleet.collecting import Collected
from harness.fleet.status import ENDED, JobStatus, State
from harness.report.document import Document, Note, Paragraph, Part, Report, table
from harness.report.numbers import count
from harness.report.paths import shown_path


def report_status(fleet: str, jobs: Sequence[JobStatus], collected: Collected | None = None) -> Report:
    """Return where each job stands; exit code 3 if one has failed.

    Args:
        fleet: its name.
        jobs: the state of each.
        collected: what was done just now; None: nothing was.
    """
    counts = Counter(one.state for one in jobs)
    said = ", ".join(f"{counts[state]} {state.value}" for state in State if counts[state])
    parts: list[Part] = [Paragraph(f"Fleet {fleet}: {count(len(jobs), 'job')}, {said}.")]
    notes: list[str] = []
    step = "block" if all(one.job.task.is_timed for one in jobs) else "model"
    if collected is not None:
        if collected.submitted:
            notes.append(f"Submitted again: {', '.join(collected.submitted)}.")
        notes += collected.said
        notes += [
            f"{one.job}: what attempt {one.attempt} delivered ({count(one.blocks, step)}) does not count and stays "
            f"in {shown_path(one.path)}."
            for one in collected.aside
        ]
    parts += [Note(note) for note in notes]
    rows = [
        (
            one.job.name,
            one.node or "-",
            one.slurm_id or "-",
            one.state.value,
            f"attempt {one.attempt}",
            f"{one.blocks_done}/{one.blocks_planned}",
            one.reason or "",
        )
        for one in jobs
    ]
    parts.append(table(("job", "node", "Slurm", "state", "", f"{step}s", "why"), (), rows))
    code = 3 if any(one.state in (State.FAILED, State.CANCELLED) for one in jobs) else 0
    data: dict[str, Any] = {"fleet": fleet, "jobs": [job_data(fleet, one) for one in jobs]}
    if collected is not None:
        data["submitted"] = collected.submitted
        data["merged"] = [{"machine": one.machine, "run": one.run, "fate": one.fate.value} for one in collected.merged]
        data["aside"] = [{"job": one.job, "attempt": one.attempt, "path": str(one.path)} for one in collected.aside]
        data["done"] = all(one.state in ENDED for one in jobs)
    return Report("fleet", Document(None, tuple(parts)), data, code, tuple(notes))


def job_data(fleet: str, one: JobStatus) -> dict[str, Any]:
    """Return a job as JSON has it."""
    since = None if one.since is None else datetime.datetime.fromtimestamp(one.since, datetime.UTC)
    return {
        "fleet": fleet,
        "job": one.job.name,
        "type": one.job.type,
        "node": one.node,
        "slurm_id": one.slurm_id,
        "attempt": one.attempt,
        "state": one.state.value,
        "blocks_done": one.blocks_done,
        "blocks_planned": one.blocks_planned,
        "since": None if since is None else since.isoformat(timespec="seconds"),
        "reason": one.reason,
    }
