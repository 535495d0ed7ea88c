"""A fleet's jobs as a matrix for GitHub's workflows: each entry measures a part, `results merge` joins them."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from typing import Any

from harness.errors import UsageError
from harness.fleet.folder import FleetPlan
from harness.measure.own_models import OwnModel

MOST_ENTRIES = 256
"""GitHub runs no more jobs of one matrix."""


def matrix_of(plan: FleetPlan, own: Mapping[str, OwnModel]) -> dict[str, list[dict[str, Any]]]:
    """Return the entries: the type, the job's name, its models, and the command that measures them.

    The command is quoted for a shell and meant for the project's root: there models have the paths that they have here.

    Args:
        plan: the fleet's plan.
        own: the user's own models by their names.

    Raises:
        UsageError: there are more than GitHub runs, or nothing is measured.
    """
    if not all(job.task.is_timed for job in plan.jobs):
        raise UsageError(f"A matrix is for what is measured and merged, and `{plan.command}` has no results to merge.")
    if len(plan.jobs) > MOST_ENTRIES:
        raise UsageError(
            f"There are {len(plan.jobs)} jobs and GitHub runs {MOST_ENTRIES} of one matrix: lower `nodes` in "
            "fleet.toml."
        )
    entries = []
    for job in plan.jobs:
        models = list(dict.fromkeys(cell["model"] for group in job.preset["groups"] for cell in group["cells"]))
        models = [os.path.relpath(own[name].path, plan.root) if name in own else name for name in models]
        command = shlex.join([*_without_models(plan.words), "--model", ",".join(models)])
        entries.append({"type": job.type, "job": job.name, "models": ",".join(models), "command": command})
    return {"include": entries}


def _without_models(words: tuple[str, ...]) -> list[str]:
    kept: list[str] = []
    left = iter(words)
    for word in left:
        if word == "--model":
            next(left, None)
        elif not word.startswith("--model="):
            kept.append(word)
    return kept
