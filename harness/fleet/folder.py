"""A fleet on disk, below `results/fleet/<fleet>/`: the fixed plan, what was submitted, and what jobs delivered.

plan.json                                what is asked, by job; never changed
project/                                 releases.toml, locks, profiles and models as they were at the start
jobs/<job>/<attempt>/submitted.json      written before sbatch is called, and again with the id of Slurm
jobs/<job>/<attempt>/state.json          written by the job on its node
jobs/<job>/<attempt>/log                 what the job printed
jobs/<job>/<attempt>/<machine>/<run>/    what it delivered, block by block
jobs/<job>/<attempt>/answers/<n>.json    what it delivered where it measured nothing, model by model
"""

from __future__ import annotations

import contextlib
import datetime
import json
import re
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import UsageError
from harness.fleet.lock import held
from harness.fleet.tasks import Measure, Task
from harness.fleet.types import MachineType
from harness.planning.fixed import FixedSubject
from harness.store.nights import CANARY_KIND, CONFIRM_KIND, NIGHT_KIND
from harness.store.runs import results_path, write_json_atomically

FLEET_NAME = re.compile(r"\d{8}T\d{6}-[0-9a-f]{4}")
COMMENT = "savedmodel-bench"
_WAVES = "confirmed-by.json"
_REMOVED = ".removed-"


class JobPlan(msgspec.Struct, frozen=True):
    """One job's part: what is done together on one node."""

    name: str  # h100-1
    type: str
    node: str | None  # that it is bound to; None: any of the type
    task: Task

    @property
    def preset(self) -> dict[str, Any]:
        """The test plan of a job that measures."""
        assert isinstance(self.task, Measure)
        return self.task.preset


class NodeNight(msgspec.Struct, frozen=True):
    """What a night measures on one node, as night.json holds it; `subjects` are the build and its baselines."""

    build: dict[str, Any]
    subjects: tuple[str, ...]
    baselines: tuple[tuple[str, str, str], ...]  # name, role, ident
    unavailable: tuple[str, ...] = ()


class FleetPlan(msgspec.Struct, frozen=True):
    """What a fleet was asked, resolved once."""

    fleet: str
    created_at: str
    root: str  # the project's
    python: str  # the interpreter that runs the harness
    words: tuple[str, ...]  # the command after `--`
    command: str  # run, compare, check or inspect
    seed: int
    isolation: str
    machine_types: dict[str, MachineType]
    subjects: dict[str, tuple[FixedSubject, ...]]  # by type; of a job that has its own, by the job's name
    jobs: tuple[JobPlan, ...]
    variables: dict[str, str] = {}
    collects: bool = False  # whether a job after the others collects
    confirms: str | None = None  # the fleet whose findings it measures again
    night: str | None = None  # of `nightly`
    nights: dict[str, NodeNight] = {}  # by job: what is measured on its node tonight
    schema: int = 1

    def subjects_of(self, job: JobPlan) -> tuple[FixedSubject, ...]:
        """Return what a job measures."""
        is_own = job.name in self.subjects and job.name not in self.machine_types
        return self.subjects[job.name if is_own else job.type]

    def kind_of(self, job: JobPlan) -> str:
        """Return the kind of a job's run: a night's are those of a night of one machine."""
        if self.night is None:
            return self.command
        if self.confirms is not None:
            return CONFIRM_KIND
        return NIGHT_KIND if job.name in self.nights else CANARY_KIND


class Submitted(msgspec.Struct, frozen=True):
    """One attempt as it was submitted; `slurm_id` is None until sbatch has answered, and where that was never noted."""

    number: int
    submitted_at: float
    slurm_id: str | None = None
    node: str | None = None
    seed_from: int | None = None  # the attempt whose blocks it goes on from
    cancelled: bool = False
    refused: str | None = None  # why Slurm did not take it
    unanswered: bool = False  # sbatch did not come back: Slurm may have taken it
    given_up: str | None = None  # why nothing more is submitted after it


class NodeState(msgspec.Struct, frozen=True):
    """What a job last said of itself."""

    state: str  # running, delivering, finished, interrupted, excluded or failed
    since: float
    node: str
    slurm_id: str | None = None
    scratch: str | None = None  # still there
    blocks_done: int = 0
    blocks_planned: int = 0
    reason: str | None = None
    machine: str | None = None
    run: str | None = None
    gpu: str | None = None  # the UUID that it measures on


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a job."""

    path: Path
    submitted: Submitted

    @property
    def number(self) -> int:
        """From 1."""
        return self.submitted.number

    @property
    def state(self) -> NodeState | None:
        """What the job said; None before it began."""
        found: NodeState | None = _read(self.path / "state.json", NodeState)
        return found

    @property
    def log(self) -> Path:
        """The file of what it printed."""
        return self.path / "log"

    def say(self, state: NodeState) -> None:
        """Write what a job says of itself."""
        write_json_atomically(self.path / "state.json", msgspec.to_builtins(state))

    def note(self, **changed: Any) -> Attempt:
        """Write what became of the submission."""
        changed_one = msgspec.structs.replace(self.submitted, **changed)
        write_json_atomically(self.path / "submitted.json", msgspec.to_builtins(changed_one))
        return Attempt(self.path, changed_one)

    def delivered(self) -> list[Path]:
        """Return the run directories that it delivered."""
        return sorted(path.parent for path in self.path.glob("*/*/run.json"))


@dataclass(frozen=True, slots=True)
class FleetFolder:
    """One fleet's folder."""

    path: Path
    plan: FleetPlan

    @property
    def root(self) -> Path:
        """The project's root."""
        return Path(self.plan.root)

    @property
    def project(self) -> Path:
        """The copy of what names releases, locks and models."""
        return self.path / "project"

    def comment(self, job: str, attempt: int) -> str:
        """Return the mark by which a job is found in Slurm."""
        return f"{self.mark}{job}:{attempt}"

    @property
    def mark(self) -> str:
        """How the comments of all its jobs begin."""
        return f"{COMMENT}:{self.plan.fleet}:"

    def attempts(self, job: str) -> list[Attempt]:
        """Return the attempts of a job, oldest first."""
        found = []
        for path in (self.path / "jobs" / job).glob("*/submitted.json"):
            submitted = _read(path, Submitted)
            if submitted is not None:
                found.append(Attempt(path.parent, submitted))
        return sorted(found, key=lambda one: one.number)

    def answers(self, job: JobPlan) -> dict[int, Path]:
        """Return the newest answer about each model of a chunk, by the model's place in it."""
        found = (path for attempt in self.attempts(job.name) for path in attempt.path.glob("answers/*.json"))
        return {int(path.stem): path for path in found if path.stem.isdecimal()}

    def begin(self, job: str, **facts: Any) -> Attempt:
        """Write the intention to submit a job once more, and return the attempt."""
        number = 1 + max((one.number for one in self.attempts(job)), default=0)
        path = self.path / "jobs" / job / str(number)
        path.mkdir(parents=True, exist_ok=True)
        attempt = Attempt(path, Submitted(number, now(), **facts))
        return attempt.note()

    def waves(self) -> list[str]:
        """Return the names of the fleets that measured again what this one found, oldest first."""
        try:
            return [str(name) for name in json.loads((self.path / _WAVES).read_bytes())]
        except (OSError, ValueError):
            return []

    def note_wave(self, name: str) -> None:
        """Write the intention to start a fleet that measures again what this one found."""
        write_json_atomically(self.path / _WAVES, [*self.waves(), name])

    def locked(self, wait_s: float = 0.0) -> contextlib.AbstractContextManager[None]:
        """Hold the fleet: one command at a time submits, collects, cancels and removes.

        Args:
            wait_s: how long to wait for another command to end.

        Raises:
            FleetBusyError: another holds it.
            UsageError: it was removed meanwhile.
        """
        return held(self.path, wait_s)

    def remove(self) -> None:
        """Remove the fleet: its folder gets a name that no fleet has, in one step, and then goes.

        Killed in between, the fleet is gone; the next call removes what is left of it.

        Raises:
            UsageError: another command works on it, or it cannot be removed.
        """
        with self.locked():
            target = self.path.with_name(f"{_REMOVED}{self.plan.fleet}-{secrets.token_hex(2)}")
            try:
                self.path.rename(target)
            except OSError as error:
                raise UsageError(f"{self.path} cannot be removed ({error.strerror}).") from error
        # NFS keeps a file that somebody has open, under a name of its own: what cannot go now goes next time.
        for left in self.path.parent.glob(f"{_REMOVED}*"):
            shutil.rmtree(left, ignore_errors=True)


def now() -> float:
    """Return the seconds since 1970."""
    return datetime.datetime.now(datetime.UTC).timestamp()


def new_name() -> str:
    """Return the name of a new fleet, which sorts by time: the second, and its part in 65,536ths."""
    begun = datetime.datetime.now(datetime.UTC)
    return f"{begun:%Y%m%dT%H%M%S}-{begun.microsecond * 65536 // 1_000_000:04x}"


def fleets_path(root: Path) -> Path:
    """Return the folder of all fleets."""
    return results_path(root) / "fleet"


def write_plan(plan: FleetPlan, fill: Callable[[Path], None] = lambda folder: None) -> FleetFolder:
    """Make the folder of a new fleet, for its owner alone; its plan, which makes it one, is written last.

    Args:
        plan: its plan.
        fill: puts into the folder `project` what jobs read.
    """
    path = fleets_path(Path(plan.root)) / plan.fleet
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    (path / "project").mkdir(exist_ok=True)
    fill(path / "project")
    write_json_atomically(path / "plan.json", msgspec.to_builtins(plan))
    (path / "plan.json").chmod(0o600)
    return FleetFolder(path, plan)


def fleet_names(root: Path) -> list[str]:
    """Return the names of all fleets, oldest first."""
    names = (path.parent.name for path in fleets_path(root).glob("*/plan.json"))
    return sorted(name for name in names if FLEET_NAME.fullmatch(name))


def open_fleet(root: Path, name: str | None = None) -> FleetFolder:
    """Return a fleet, the newest where no name is given.

    Raises:
        UsageError: there is none.
    """
    names = fleet_names(root)
    if name is None:
        if not names:
            raise UsageError("There is no fleet yet: `savedmodel-bench fleet start` begins one.")
        name = names[-1]
    if name not in names:
        raise UsageError(f"There is no fleet {name!r}: there are {', '.join(names) or 'none'}.")
    return open_folder(fleets_path(root) / name)


def open_folder(path: Path) -> FleetFolder:
    """Return the fleet in a folder.

    Raises:
        UsageError: its plan cannot be read.
    """
    plan = _read(path / "plan.json", FleetPlan)
    if plan is None:
        raise UsageError(f"{path / 'plan.json'} cannot be read: start a new fleet.")
    return FleetFolder(path, plan)


def _read(path: Path, kind: type[Any]) -> Any:
    """Return what a file of ours holds; None where it is missing or cut."""
    try:
        return msgspec.convert(json.loads(path.read_bytes()), kind)
    except (OSError, ValueError, msgspec.ValidationError):
        return None
