"""What a job does on its node: looks at the machine, prepares, measures, delivers after each block, cleans up."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from msgspec.structs import replace

from harness.errors import UsageError
from harness.fleet import guest
from harness.fleet.chunk_work import check_chunk, deliver_answers, inspect_chunk
from harness.fleet.delivery import blocks_of, deliver, take_up
from harness.fleet.folder import FleetFolder, JobPlan, NodeState, now, open_folder
from harness.fleet.gpus import ChosenGpu, choose_gpu, on_gpu, read_gpus
from harness.fleet.node_work import NodeWork
from harness.fleet.staging import open_stage, stage_of, staged
from harness.fleet.tasks import Check, Inspect, Measure, Task
from harness.machine.boot import NODE_VARIABLE
from harness.machine.findings import Severity
from harness.machine.gpu.fitness import gpu_findings
from harness.machine.host_fitness import host_findings
from harness.machine.identity import Machine
from harness.machine.measuring_lock import MachineBusyError
from harness.machine.storage_fitness import storage_findings
from harness.measure.limits import Limits
from harness.measure.narrowing import without_pass
from harness.measure.own_models import OwnModel
from harness.measure.pinning import worker_environment
from harness.measure.presets import Preset
from harness.measure.progress import Progress, Step
from harness.measure.run import measure
from harness.measure.sitting import Outcome
from harness.planning.fixed import Fixed, plan_of_fixed, preset_of
from harness.planning.repeats import allot_of
from harness.releases.environments import FOLDER
from harness.store.machines import this_machine
from harness.store.runs import results_path

LOCK_WAIT_S = 600.0
"""How long a job waits where another run measures on its node: an orphan of its own, or a person's."""
_SCRATCH_BYTES = 1 << 30

Do = Callable[[Path, "NodeWork", Progress], Outcome | None]
"""Does a job's task in the project on the node; None: it was done to its end."""


def work(file: Path, do: Do | None = None) -> int:
    """Do a job and return its exit code: 0 if what it measured was delivered, or it has said why there is nothing.

    Args:
        file: the job's JSON file.
        do: does the task on the node; tests put another in the place of `do_here`.
    """
    signals = _Signals()
    document = json.loads(file.read_bytes())
    fleet = open_folder(Path(document["fleet"]))
    os.environ.update(fleet.plan.variables)
    job = next(one for one in fleet.plan.jobs if one.name == document["job"])
    attempt = next(one for one in fleet.attempts(job.name) if one.number == document["attempt"])
    node = os.environ.get(NODE_VARIABLE) or os.uname().nodename
    state = NodeState("running", now(), node, os.environ.get("SLURM_JOB_ID"), blocks_planned=job.task.steps)
    above = Path(fleet.plan.machine_types[job.type].scratch)
    uses_gpu = _is_on_gpu(job.task)
    gpu = _choose_gpu(fleet, job, node, above) if uses_gpu else None
    state = replace(state, gpu=None if gpu is None else gpu.uuid)
    problem = _machine_problem(above, on_gpu=uses_gpu)
    if problem is not None:
        attempt.say(replace(state, state="excluded", reason=problem))
        return 0
    try:
        scratch = guest.make_scratch(above)
        stage = stage_of(fleet.plan.machine_types[job.type])
        if job.task.is_timed and stage is not None:
            with _removed_if_refused(scratch):
                open_stage(stage)
    except UsageError as error:
        attempt.say(replace(state, state="excluded", reason=str(error)))
        return 0
    state = replace(state, scratch=str(scratch))
    attempt.say(state)
    return _Shift(NodeWork(fleet, job, attempt, scratch, gpu), state, signals).do(do or do_here)


@contextlib.contextmanager
def _removed_if_refused(scratch: Path) -> Iterator[None]:
    try:
        yield
    except UsageError:
        scratch.rmdir()
        raise


def do_here(root: Path, node: NodeWork, progress: Progress) -> Outcome | None:
    """Do a job's task with the releases themselves."""
    match node.job.task:
        case Measure():
            return measure_here(root, node, progress)
        case Check():
            check_chunk(root, node, progress)
        case Inspect():
            inspect_chunk(root, node, progress)
    return None


def measure_here(root: Path, node: NodeWork, progress: Progress) -> Outcome:
    """Measure a job's part with the releases themselves."""
    plan = node.fleet.plan
    fixed = Fixed(plan.subjects_of(node.job), _preset_here(node))
    kind, is_first = plan.kind_of(node.job), plan.command != "run" and len(fixed.subjects) > 2
    made = plan_of_fixed(root, fixed, machine_of(node), kind, plan.seed, plan.isolation, against_first=is_first)
    as_planned = plan.command == "run" or any(word.startswith("--repeats") for word in plan.words)
    limits = Limits() if as_planned else Limits(allot=allot_of(root, progress))
    return measure(root, made, limits, progress, lock_wait_s=LOCK_WAIT_S)


def machine_of(node: NodeWork) -> Machine:
    """Return this machine under the name that the project's results know it by."""
    machine = on_gpu(this_machine(node.fleet.root), node.gpu)
    if not node.type.share:
        return machine
    part = f"{machine.name}-shared-{node.type.cpus}cpu-{node.type.memory_gib:g}gib"
    return dataclasses.replace(machine, name=part, named_by="person")


class _Shift:
    """The job from its scratch folder on."""

    def __init__(self, node: NodeWork, state: NodeState, signals: _Signals) -> None:
        self._node, self._state, self._signals = node, state, signals
        self._undelivered: str | None = None

    @property
    def is_timed(self) -> bool:
        """Whether the job measures time."""
        return self._node.job.task.is_timed

    def do(self, do: Do) -> int:
        ended, reason = "failed", None
        try:
            self._prepare()
            outcome = do(self._node.project, self._node, _Delivering(self))
            ended = "interrupted" if outcome is not None and outcome.interrupted else "finished"
            reason = None if outcome is None else outcome.stopped_by
        except KeyboardInterrupt:
            ended = "interrupted"
        except MachineBusyError as error:
            ended, reason = "interrupted", str(error)  # an orphan, perhaps: a later attempt can do it
        except UsageError as error:
            reason = str(error)
        except OSError as error:  # of this node, or for now: a later attempt can do it
            ended, reason = "interrupted", f"{error.filename or 'the node'}: {error.strerror or error}"
        if ended == "interrupted" and reason is None:
            reason = "it was told to end"
        self._signals.ignore()
        return self._end(ended, reason)

    def deliver(self, *, is_last: bool = False) -> None:
        """Deliver what there is; what fails is tried again after the next block, and said at the end."""
        try:
            if is_last:
                self._say(state="delivering")
            for run in sorted(results_path(self._node.project).glob("runs/*/*/run.json")):
                folder = run.parent
                target = self._node.attempt.path / folder.parent.name / folder.name
                deliver(folder, target, with_logs=is_last)
                self._say(blocks_done=blocks_of(target), machine=folder.parent.name, run=folder.name)
            if deliver_answers(self._node.scratch, self._node.attempt.path):
                self._say(blocks_done=len(self._node.fleet.answers(self._node.job)))
            self._undelivered = None
        except OSError as error:
            self._undelivered = f"{error.filename or 'the fleet folder'}: {error.strerror or error}"
            print(f"Not delivered: {self._undelivered}", file=sys.stderr)

    def _end(self, ended: str, reason: str | None) -> int:
        self.deliver(is_last=True)
        if self._undelivered is not None:
            where = f"what it measured is on {self._state.node} in {self._node.scratch}"
            print(f"Nothing was cleaned up: {where}.", file=sys.stderr)
            told = "" if reason is None else f"{reason}; "
            ended = "failed" if ended == "failed" else "interrupted"
            with contextlib.suppress(OSError):
                self._say(state=ended, reason=f"{told}not delivered ({self._undelivered}); {where}")
            return 3
        shutil.rmtree(self._node.scratch, ignore_errors=True)
        is_clean = not self._node.scratch.exists()
        self._say(state=ended, reason=reason, scratch=None if is_clean else str(self._node.scratch))
        return 0

    def _say(self, **changed: Any) -> None:
        self._state = replace(self._state, since=now(), **changed)
        self._node.attempt.say(self._state)

    def _prepare(self) -> None:
        """Make the project on the node: entries, locks, environments, models, and blocks to go on from."""
        node = self._node
        shutil.copytree(node.fleet.project, node.project, ignore=_without_models(node.fleet.project))
        environments = node.project / FOLDER
        environments.mkdir()
        # Several subjects may have one environment: a release against itself, or under a profile.
        wanted = {name: subject for subject in node.fleet.plan.subjects_of(node.job) for name in subject.folders}
        for name, subject in wanted.items():
            source = node.fleet.root / FOLDER / name
            if self.is_timed:
                source = stage_here(node, source, f"{subject.lock_digest} {source.stat().st_mtime_ns}")
            (environments / name).symlink_to(source)
        before = node.attempt.submitted.seed_from
        if before is not None:
            earlier = next(one for one in node.fleet.attempts(node.job.name) if one.number == before)
            for run in earlier.delivered():
                take_up(run, results_path(node.project) / "runs" / run.parent.name / run.name)


class _Delivering:
    """Prints what happens to the job's log, and delivers after each block."""

    def __init__(self, shift: _Shift) -> None:
        self._shift = shift
        self._what = "Block" if shift.is_timed else "Model"

    def say(self, line: str) -> None:
        print(line, flush=True)

    def step(self, step: Step) -> None:
        pass

    def block_done(self, block: int, blocks: int, duration_s: float) -> None:
        print(f"{self._what} {block + 1} of {blocks}: {duration_s:.0f} s.", flush=True)
        self._shift.deliver()


class _Signals:
    """The first SIGTERM or SIGINT ends the measuring; all that follow do no harm."""

    def __init__(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)

    def ignore(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)

    def _end(self, number: int, frame: FrameType | None) -> None:
        self.ignore()
        raise KeyboardInterrupt


def stage_here(node: NodeWork, source: Path, identity: str) -> Path:
    """Return a folder or file on the node's own storage; itself where staging is off."""
    stage = stage_of(node.type)
    return source if stage is None else staged(source, identity, stage, int(node.type.stage_limit_gib * 2**30))


def _preset_here(node: NodeWork) -> Preset:
    """Return the test plan with models where they lie on this node."""
    preset = preset_of(node.job.preset)
    if node.type.stage is False:
        preset = without_pass(preset, "cold")
    return dataclasses.replace(preset, models=tuple(_model_here(node, one) for one in preset.models))


def _model_here(node: NodeWork, model: OwnModel) -> OwnModel:
    source = node.fleet.project / model.path
    staged_model = dataclasses.replace(model, path=str(stage_here(node, source, model.digest)))
    if model.inputs_file is None:
        return staged_model
    inputs = node.fleet.project / model.inputs_file
    here = stage_here(node, inputs, f"{model.digest} {inputs.stat().st_mtime_ns}")
    return dataclasses.replace(staged_model, inputs_file=str(here))


def _choose_gpu(fleet: FleetFolder, job: JobPlan, node: str, scratch: Path) -> ChosenGpu | None:
    """Choose the GPU to measure on, and let this process and its workers see no other."""
    kept = read_gpus(fleet.root, job.type).get(node)
    gpu = choose_gpu(worker_environment(os.environ, scratch), kept)
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu.uuid
        if gpu.is_other:
            print(f"{node} measures on {kept}, which this job was not given: it is another machine on {gpu.uuid}.")
    return gpu


def _machine_problem(scratch: Path, *, on_gpu: bool) -> str | None:
    """Return what keeps this node from measuring anything; None where nothing does."""
    findings = [*host_findings(), *storage_findings({"results": (scratch, _SCRATCH_BYTES)})]
    if on_gpu:
        findings += gpu_findings(worker_environment(os.environ, scratch))
    problems = (one for one in findings if one.severity is Severity.PROBLEM)
    return next((f"{one.text}. {one.advice or ''}".strip() for one in problems), None)


def _is_on_gpu(task: Task) -> bool:
    return isinstance(task, Measure) and any(cell.device == "gpu" for cell in preset_of(task.preset).cells)


def _without_models(project: Path) -> Callable[[str, list[str]], set[str]]:
    """Return what leaves the copies of models out of a copy of the project: they are staged, or read where they lie."""
    return lambda folder, names: {"models"} & set(names) if Path(folder) == project else set()
