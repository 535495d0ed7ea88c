"""From a request to a plan: releases found and installed, preset narrowed, machine described, room checked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from harness.answers.shortfall import places_without_room, shortfall_of_places
from harness.errors import UsageError
from harness.machine.gpu.presence import GpuPresence, Presence, gpu_presence
from harness.measure.guard import what_guards
from harness.measure.memory_limit import memory_limit_bytes
from harness.measure.narrowing import narrow, without_turns
from harness.measure.own_plans import with_own_models, with_registered_models
from harness.measure.pinning import worker_environment
from harness.measure.plan import Plan, compared, name_subjects
from harness.measure.preset_files import read_preset
from harness.measure.presets import Preset
from harness.measure.progress import Progress
from harness.measure.room import without_room
from harness.planning.installing import installed
from harness.planning.own_models import read_model, registered
from harness.planning.pythons import chosen_python
from harness.planning.request import Request
from harness.releases.environments import Environment, describe_obtainable
from harness.releases.python_choice import Choice
from harness.releases.subjects import chosen_subjects, full_name
from harness.store.machines import this_machine
from harness.store.runs import results_path
from harness.verdict.margins import margin_table, require_known

NO_GPU = "GPU tests are skipped: no NVIDIA GPU was found on this machine"


def chosen_preset(request: Request) -> tuple[Preset, tuple[str, ...]]:
    """Return the preset as the request narrows it, and what it would have measured on another machine.

    Raises:
        UsageError: nothing is left to measure, a GPU is there that should be measured and does not answer, or both a
            budget and a number of blocks are given.
    """
    if request.budget_s is not None and request.blocks is not None:
        raise UsageError(
            "--budget and --blocks cannot be used together: with a time limit, the number of blocks is chosen "
            "automatically."
        )
    known = registered(request.root)
    preset = read_preset(request.preset, known)
    named = {cell.model for cell in preset.cells} & known.keys()
    if named:
        preset = with_registered_models(preset, {name: read_model(known[name]) for name in sorted(named)})
    if request.own:
        own = [read_model(asked) for asked in request.own]
        preset = with_own_models(preset, own, alone=request.models is None)
    for pattern in preset.margins:
        require_known(pattern)
    margin_table(preset.time_margin, preset.margins)  # a margin that makes no sense must not be found after an hour
    presence = gpu_of_workers()
    narrowed = _narrowed(preset, request, request.devices)
    if presence.state is Presence.ANSWERING or not any(cell.device == "gpu" for cell in narrowed.cells):
        return narrowed, ()
    if presence.is_broken and not (request.may_leave_out_gpu and request.devices is None):
        raise UsageError(
            f"The GPU cannot be measured: {presence.text}. {presence.remedy} `--device cpu` measures the CPU alone."
        )
    if request.devices == ("gpu",):
        raise UsageError(f"{_absent(presence)}: run with --device cpu, or where a GPU can be used.")
    return _narrowed(preset, request, ("cpu",)), (_absent(presence),)


def gpu_of_workers() -> GpuPresence:
    """Return what there is of GPUs for the workers, whose variables come from this process."""
    return gpu_presence(worker_environment(os.environ, Path()))


def plan_of(request: Request, kind: str, progress: Progress, looks: tuple[int, ...] = ()) -> Plan:
    """Install what has to be installed and return the plan of a run; `looks` are those of a run that may stop early.

    Raises:
        UsageError: an option or a release's name is wrong, or most of the plan has no room on this machine.
        ReleaseError: a release cannot be had here.
    """
    preset, absent = chosen_preset(request)
    machine = this_machine(request.root, request.machine)
    require_room(request, preset)
    if preset.models:
        progress.say(what_guards().sentence)
    for reason in absent:
        progress.say(f"{reason}.")
    environments = installed(
        request.root,
        request.subjects,
        wheel=request.wheel,
        policy=request.policy,
        python=request.python,
        packages=preset.packages,
        say=progress.say,
    )
    return Plan(
        kind=kind,
        against_first=request.against_first,
        preset=preset,
        absent=absent,
        subjects=name_subjects(environments),
        machine=machine,
        seed=request.seed,
        isolation=request.isolation,
        looks=looks,
    )


def require_room(request: Request, preset: Preset) -> None:
    """Refuse a plan most of which would end without a value for want of memory or disk.

    Raises:
        UsageError: it says what is needed, what there is, and where.
    """
    folder = results_path(request.root) / "runs" / this_machine(request.root, request.machine).name
    lacking = without_room(preset, memory_limit_bytes(preset), folder)
    shortfall = shortfall_of_places(places_without_room(preset.as_dict()["groups"], lacking))
    if shortfall is not None:
        raise UsageError(shortfall)


def described_subjects(request: Request) -> tuple[Choice | None, list[tuple[str, Environment]]]:
    """Return the Python, and each subject's full name and the environment of its release, installing nothing.

    Raises:
        UsageError: an option or a release's name is wrong.
        ReleaseError: a release cannot be had here, as `plan_of` would say.
    """
    chosen = chosen_subjects(request.root, request.subjects, request.wheel)
    choice = chosen_python([release for release, _ in chosen], request.python)
    root, wheel, policy, python = request.root, request.wheel, request.policy, None if choice is None else choice.minor
    return choice, [
        (full_name(release, profile), describe_obtainable(release, root, wheel=wheel, policy=policy, python=python))
        for release, profile in chosen
    ]


def _absent(presence: GpuPresence) -> str:
    return NO_GPU if presence.state is Presence.NONE else f"GPU tests are skipped: {presence.text}"


def _narrowed(preset: Preset, request: Request, devices: Sequence[str] | None) -> Preset:
    if not compared(request.subjects, against_first=request.against_first) or request.isolation == "spawn":
        preset = without_turns(preset)  # two processes take them, forks of two subjects
    return narrow(
        preset,
        devices=devices,
        models=request.chosen_models,
        operations=request.operations,
        blocks=request.blocks,
        repeats=request.repeats,
    )
