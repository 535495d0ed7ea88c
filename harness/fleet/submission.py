"""Jobs submitted: the intention is on disk before sbatch is called, so that none is lost and none is made twice."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from harness.fleet import slurm
from harness.fleet.folder import Attempt, FleetFolder, JobPlan
from harness.store.runs import write_json_atomically

SCRIPT = Path(__file__).parent / "job.sh"


def submit(
    fleet: FleetFolder,
    job: JobPlan,
    *,
    seed_from: int | None = None,
    node: str | None = None,
    exclude: Sequence[str] = (),
) -> Attempt:
    """Submit a job once more. What Slurm refuses is noted, and raised; without an answer Slurm is asked later.

    Args:
        fleet: the fleet, locked.
        job: the job.
        seed_from: the attempt whose delivered blocks it goes on from.
        node: the node that it has to run on; None: the job's own, "": any.
        exclude: nodes that it must not run on.

    Raises:
        SlurmError: Slurm did not take it.
    """
    attempt = fleet.begin(job.name, seed_from=seed_from, node=node)
    file = attempt.path / "job.json"
    write_json_atomically(file, {"fleet": str(fleet.path), "job": job.name, "attempt": attempt.number})
    file.chmod(0o600)
    arguments = sbatch_arguments(fleet, job, attempt.path, attempt.number, node, exclude)
    try:
        slurm_id = slurm.submit(arguments, SCRIPT, [fleet.plan.python, str(file)])
    except slurm.NoAnswerError:
        attempt.note(unanswered=True)
        raise
    except slurm.SlurmError as error:
        attempt.note(refused=str(error))
        raise
    return attempt.note(slurm_id=slurm_id)


def sbatch_arguments(
    fleet: FleetFolder,
    job: JobPlan,
    folder: Path,
    number: int,
    node: str | None = None,
    exclude: Sequence[str] = (),
) -> list[str]:
    """Return all arguments for sbatch but the script: one list, nothing goes through a shell."""
    node = job.node if node is None else node
    return [
        "--job-name=savedmodel-bench",
        f"--comment={fleet.comment(job.name, number)}",
        "--export=NONE",
        "--no-requeue",
        "--nodes=1",
        "--ntasks=1",
        "--chdir=/",
        f"--output={plain_pattern(folder / 'log')}",
        *([f"--nodelist={node}"] if node else []),
        *([f"--exclude={','.join(exclude)}"] if exclude else []),
        *job.task.limited(fleet.plan.machine_types[job.type]).arguments(),
    ]


def plain_pattern(path: Path) -> str:
    """Return a path as sbatch takes it for a file: `%j` in it is no job's number."""
    return os.fspath(path).replace("%", "%%")


def shown(arguments: Sequence[str]) -> str:
    """Return an argument list as a person reads it, unambiguously: JSON."""
    return json.dumps(list(arguments), ensure_ascii=False)
