"""A fleet's jobs as a matrix for GitHub's workflows: each entry measures a part, `results merge` brings them together."""

from __future__ import annotations

import shlex
from typing import Any

from harness.errors import UsageError
from harness.fleet.folder import FleetPlan

MOST_ENTRIES = 256
"""GitHub runs no more jobs of one matrix."""


def matrix_of(plan: FleetPlan) -> dict[str, list[dict[str, Any]]]:
    """Return the entries: the type, the job's name, its models, and the command that measures them.

    Raises:
        UsageError: there are more than GitHub runs.
    """
    if len(plan.jobs) > MOST_ENTRIES:
        raise UsageError(
            f"There are {len(plan.jobs)} jobs and GitHub runs {MOST_ENTRIES} of one matrix: lower `nodes` in fleet.toml."
        )
    entries = []
    for job in plan.jobs:
        models = list(dict.fromkeys(cell["model"] for group in job.preset["groups"] for cell in group["cells"]))
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
