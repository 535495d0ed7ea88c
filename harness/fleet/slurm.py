"""Slurm by its own commands: submit, look, cancel. No answer is told apart from an answer that knows nothing."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError

_TIMEOUT_S = 120
_FORMAT = "%i|%T|%N|%r|%k"
_GONE = re.compile(r"invalid job id|already (completing|completed)", re.IGNORECASE)
"""What scancel says of jobs that have ended."""

WAITING = frozenset(
    {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD"}
)
RUNNING = frozenset({"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING"})


@dataclass(frozen=True, slots=True)
class SlurmJob:
    """What Slurm says of one job."""

    slurm_id: str
    state: str  # as Slurm writes it: RUNNING, NODE_FAIL
    node: str | None
    comment: str
    reason: str | None = None  # why it waits: Resources, Priority

    @property
    def lives(self) -> bool:
        """Whether it waits or runs."""
        return self.state in RUNNING or self.state in WAITING


class SlurmError(UsageError):
    """Slurm refused, or does not answer; one sentence."""


class NoAnswerError(SlurmError):
    """Slurm did not answer a submission, so it may have taken the job."""


def submit(arguments: Sequence[str], script: Path, words: Sequence[str]) -> str:
    """Submit a script with its own arguments and return the job's id.

    Raises:
        SlurmError: it was refused; a NoAnswerError: it may have been taken.
    """
    done = _run(["sbatch", "--parsable", *arguments, str(script), *words])
    if done is None and shutil.which("sbatch") is None:
        raise SlurmError("Slurm did not take the job: there is no `sbatch` on PATH.")
    if done is None:
        raise NoAnswerError(f"Slurm did not say whether it took the job: {shlex.join(arguments)}.")
    if done.returncode:
        raise SlurmError(f"Slurm did not take the job ({_last(done.stderr)}): {shlex.join(arguments)}.")
    return done.stdout.strip().partition(";")[0]


def complaint(arguments: Sequence[str], script: Path) -> str | None:
    """Return what Slurm calls invalid in a job's arguments (partition, feature, gres, account); None where nothing is.

    Nodes that are down or drained are no reason: a job can wait for them.
    """
    done = _run(["sbatch", "--test-only", *arguments, str(script)])
    said = "" if done is None or not done.returncode else _last(done.stderr)
    return said if "invalid" in said.lower() else None


def listed() -> list[SlurmJob] | None:
    """Return the jobs of this user that Slurm knows, ended ones included while it keeps them; None: no answer."""
    done = _run(["squeue", "--noheader", "--me", "--states=all", f"--format={_FORMAT}"])
    if done is None or done.returncode:
        return None
    found = []
    for line in done.stdout.splitlines():
        slurm_id, _, rest = line.partition("|")
        state, _, rest = rest.partition("|")
        node, _, rest = rest.partition("|")
        reason, _, comment = rest.partition("|")
        found.append(SlurmJob(slurm_id, state, node or None, comment, None if reason in ("", "None") else reason))
    return found


def accounted(slurm_id: str) -> str | None:
    """Return the state that Slurm's accounting keeps of a job; None where there is none of it, or no accounting."""
    done = _run(["sacct", "--noheader", "--parsable2", "--allocations", f"--jobs={slurm_id}", "--format=State"])
    if done is None or done.returncode:
        return None
    words = done.stdout.split()
    return words[0] if words else None


def cancel(slurm_ids: Sequence[str]) -> None:
    """Cancel jobs; those that have ended are no error.

    Raises:
        SlurmError: nobody answered, or it was refused.
    """
    done = _run(["scancel", *slurm_ids]) if slurm_ids else None
    if slurm_ids and done is None:
        raise SlurmError("Slurm does not answer, so nothing was cancelled: try again.")
    complaints = [] if done is None or not done.returncode else done.stderr.strip().splitlines()
    if done is not None and done.returncode and not complaints:
        complaints = [f"exit code {done.returncode}"]
    refused = [line for line in complaints if not _GONE.search(line)]
    if refused:
        raise SlurmError(f"Slurm did not cancel all jobs ({refused[-1]}): try again.")


def nodes_of(partition: str | None, constraint: str | None) -> list[str] | None:
    """Return the names of the nodes that have a feature, sorted; None: no answer, or a constraint that is no word."""
    if constraint is not None and not re.fullmatch(r"[\w.-]+", constraint):
        return None
    words = ["sinfo", "--noheader", "--Node", "--format=%N|%f"]
    done = _run([*words, *([f"--partition={partition}"] if partition else [])])
    if done is None or done.returncode:
        return None
    found = set()
    for line in done.stdout.splitlines():
        name, _, features = line.strip().partition("|")
        if constraint is None or constraint in features.split(","):
            found.add(name)
    return sorted(found)


def _run(words: Sequence[str]) -> subprocess.CompletedProcess[str] | None:
    """Run one of Slurm's commands without a shell; None where it is not there or does not come back.

    Variables that would add options of their own (SBATCH_EXPORT, SQUEUE_FORMAT, …) do not reach it.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in ("PATH", "HOME", "USER", "LOGNAME", "LANG", "SLURM_CONF")
    }
    try:
        return subprocess.run(
            words,
            env=kept,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it says nothing"
