"""A small job after the others that collects: `fleet start --collect-job`, where nodes may submit.

It waits in Slurm until all jobs have ended, merges, submits what is lost, and a collecting job after that. Where nodes
may not submit it merges and says so in its log; `fleet collect` by hand or from cron does the rest.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.errors import UsageError
from harness.fleet import slurm
from harness.fleet.folder import FleetFolder, open_folder
from harness.fleet.slurm import SlurmError
from harness.fleet.submission import SCRIPT, plain_pattern
from harness.store.runs import write_json_atomically

NAME = "collect"
_MINUTES = 60
_MEMORY = "4G"
_TRIES, _PAUSE_S = 30, 10.0
"""How often the job tries while another command works on the fleet."""


def chain(fleet: FleetFolder) -> str | None:
    """Submit a job that collects once all jobs that live have ended, where the fleet was started with one.

    Call it while holding the fleet. Nothing is submitted where no job lives, or one that collects waits already.

    Returns:
        What Slurm said, where it refused.
    """
    known = slurm.listed() if fleet.plan.collects else None
    if known is None:
        return None
    ours = [one for one in known if one.comment.startswith(fleet.mark) and one.lives]
    collecting = [one for one in ours if one.comment.startswith(f"{fleet.mark}{NAME}:")]
    waiting_for = [one.slurm_id for one in ours if one not in collecting]
    if not waiting_for or any(one.slurm_id != os.environ.get("SLURM_JOB_ID") for one in collecting):
        return None
    number = 1 + max((int(path.name) for path in (fleet.path / NAME).glob("[0-9]*")), default=0)
    folder = fleet.path / NAME / str(number)
    folder.mkdir(parents=True)
    file = folder / "job.json"
    program = shutil.which("sbatch")
    document = {"fleet": str(fleet.path), NAME: number, "path": None if program is None else str(Path(program).parent)}
    write_json_atomically(file, document)
    file.chmod(0o600)
    try:
        slurm.submit(chained_arguments(fleet, number, waiting_for), SCRIPT, [fleet.plan.python, str(file)])
    except SlurmError as error:
        return f"{error} Nothing collects by itself any more: call `savedmodel-bench fleet collect`."
    return None


def chained_arguments(fleet: FleetFolder, number: int, after: Sequence[str]) -> list[str]:
    """Return sbatch's arguments for a job that collects after others: one processor, on the first type's partition."""
    kind = next(iter(fleet.plan.machine_types.values()))
    where = {"partition": kind.partition, "account": kind.account}
    return [
        "--job-name=savedmodel-bench-collect",
        f"--comment={fleet.comment(NAME, number)}",
        "--export=NONE",
        "--no-requeue",
        "--nodes=1",
        "--ntasks=1",
        f"--mem={_MEMORY}",
        f"--time={_MINUTES}",
        "--chdir=/",
        f"--output={plain_pattern(fleet.path / NAME / str(number) / 'log')}",
        f"--dependency=afterany:{':'.join(after)}",
        *(f"--{name}={value}" for name, value in where.items() if value is not None),
        *kind.sbatch,
    ]


def collect_as_job(file: Path, collect: Callable[[FleetFolder], Sequence[str]]) -> int | None:
    """Do a job that collects and return its exit code; None where the file is that of a job that measures.

    Args:
        file: the job's JSON file.
        collect: collects, and returns what has to be said.

    Raises:
        UsageError: another command works on the fleet all the time.
    """
    document = json.loads(file.read_bytes())
    if NAME not in document:
        return None
    if document["path"] is not None:
        os.environ["PATH"] = f"{document['path']}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    fleet = open_folder(Path(document["fleet"]))
    os.chdir(fleet.root)  # as whoever collects by hand: --on-finding may name a file there
    for left in reversed(range(_TRIES)):
        try:
            print("\n".join(["Collected.", *collect(fleet)]))
            break
        except UsageError:
            if not left:
                raise
            time.sleep(_PAUSE_S)
    return 0
