"""From a command's options to a plan: releases found and installed, preset narrowed, machine described."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from harness.errors import ReleaseError, UsageError
from harness.machine.gpu_presence import GpuPresence, Presence, gpu_presence
from harness.measure.memory_limit import memory_limit_bytes
from harness.measure.pinning import worker_environment
from harness.measure.plan import Plan, name_subjects
from harness.measure.presets import Preset, narrow, read_preset
from harness.measure.progress import Progress
from harness.measure.room import without_room
from harness.releases.environments import Environment, describe_obtainable, installable, obstacle, prepare
from harness.releases.installation import find_python_minor
from harness.releases.locks import make_usable_lock
from harness.releases.manifest import Release, read_manifest
from harness.releases.profiles import Profile, find_profile, split_subject, with_profile
from harness.releases.python_choice import Choice, choose_python, group_by_python
from harness.report.progress import progress_for
from harness.shortfall import places_without_room, shortfall_of_places
from harness.store.machines import this_machine
from harness.store.runs import results_path
from harness.verdict.margins import margin_table, require_known

ALL = "ALL"
NO_GPU = "GPU cells: n/a: no-gpu (no NVIDIA GPU was found on this machine)"


def chosen_preset(options: argparse.Namespace) -> tuple[Preset, tuple[str, ...]]:
    """Return the preset as the options narrow it, and what it would have measured on another machine.

    Raises:
        UsageError: nothing is left to measure, a GPU is there that should be measured and does not answer, or both a
            budget and a number of blocks are given.
    """
    if options.budget is not None and options.blocks is not None:
        raise UsageError("A budget finds the number of blocks itself: give --budget or --blocks, not both.")
    preset = read_preset(options.preset)
    for pattern in preset.margins:
        require_known(pattern)
    margin_table(preset.time_margin, preset.margins)  # a margin that makes no sense must not be found after an hour
    presence = gpu_of_workers()
    narrowed = _narrowed(preset, options, options.device)
    if presence.state is Presence.ANSWERING or not any(cell.device == "gpu" for cell in narrowed.cells):
        return narrowed, ()
    if presence.is_broken and not measures_cpu_alone(options):
        raise UsageError(
            f"The GPU cannot be measured: {presence.text}. {presence.remedy} `--device cpu` measures the CPU alone."
        )
    if options.device == ["gpu"]:
        raise UsageError(f"{_absent(presence)}: run with --device cpu, or where a GPU can be used.")
    return _narrowed(preset, options, ["cpu"]), (_absent(presence),)


def gpu_of_workers() -> GpuPresence:
    """Return what there is of GPUs for the workers, whose variables come from this process."""
    return gpu_presence(worker_environment(os.environ, Path()))


def measures_cpu_alone(options: argparse.Namespace) -> bool:
    """Return whether the command measures the CPU where a GPU does not answer, and says so: `bench`, unless told to."""
    return options.device is None and vars(options).get("command") == "bench"


def _absent(presence: GpuPresence) -> str:
    return NO_GPU if presence.state is Presence.NONE else f"GPU cells are not measured: {presence.text}"


def _narrowed(preset: Preset, options: argparse.Namespace, devices: list[str] | None) -> Preset:
    return narrow(
        preset,
        devices=devices,
        models=options.model,
        operations=options.operation,
        blocks=options.blocks,
        repeats=options.repeats,
    )


def plan_of(
    root: Path,
    options: argparse.Namespace,
    kind: str,
    names: Sequence[str],
    progress: Progress,
    looks: tuple[int, ...] = (),
) -> Plan:
    """Install what has to be installed and return the plan of a run; `looks` are those of a run that may stop early.

    Raises:
        UsageError: an option or a release's name is wrong, or most of the plan has no room on this machine.
        ReleaseError: a release cannot be had here.
    """
    preset, absent = chosen_preset(options)
    machine = this_machine(root, options.machine)
    require_room(root, preset, machine.name)
    chosen = chosen_subjects(root, names)
    choice = chosen_python([release for release, _ in chosen], options.python)
    if choice is not None:
        progress.say(f"{python_sentence(choice, len(chosen))}.")
    for reason in absent:
        progress.say(f"{reason}.")
    python = None if choice is None else choice.minor
    wheel, policy = options.wheel, options.policy
    for release, _ in chosen:  # whatever cannot be had of any of them is said before the first is installed
        described = describe_obtainable(release, root, wheel=wheel, policy=policy, python=python)
        if described.is_unlocked:
            make_usable_lock(root, release, *described.locked_for, progress.say)
    environments = []
    for release, profile in chosen:
        environment = prepare(release, root, wheel=wheel, policy=policy, python=python, say=progress.say)
        environments.append(environment if profile is None else with_profile(environment, profile, root, progress.say))
    return Plan(
        kind=kind,
        preset=preset,
        absent=absent,
        subjects=name_subjects(environments),
        machine=machine,
        seed=options.seed,
        isolation=options.isolation,
        looks=looks,
    )


def require_room(root: Path, preset: Preset, machine: str) -> None:
    """Refuse a plan most of which would end without a value for want of memory or disk.

    Raises:
        UsageError: it says what is needed, what there is, and where.
    """
    folder = results_path(root) / "runs" / machine
    lacking = without_room(preset.cells, memory_limit_bytes(preset), folder)
    shortfall = shortfall_of_places(places_without_room(preset.as_dict()["groups"], lacking))
    if shortfall is not None:
        raise UsageError(shortfall)


def chosen_subjects(root: Path, names: Sequence[str]) -> list[tuple[Release, Profile | None]]:
    """Return the releases and profiles that subjects' names mean: "2.21", "v2.21.0@xla".

    Raises:
        UsageError: there is no such release or profile.
    """
    manifest = read_manifest(root / "releases.toml")
    found = []
    for name in names:
        release, profile = split_subject(name)
        found.append((manifest.find(release), None if profile is None else find_profile(root, profile)))
    return found


def chosen_python(releases: Sequence[Release], asked: str | None) -> Choice | None:
    """Return the one Python that all these releases are measured under; None where none of them tells its own.

    Args:
        releases: what is measured; those that are bound to an interpreter have its Python.
        asked: the minor that the user asked for.

    Raises:
        ReleaseError: they can have none in common here; an interpreter is not there.
    """
    for release in releases:
        complaint = obstacle(release) if release.python is not None else None
        if complaint is not None:
            raise ReleaseError(complaint)
    bound = {release.name: find_python_minor(release.python) for release in releases if release.python}
    return choose_python(
        [release for release in releases if release.python is None],
        asked=asked,
        bound={name: minor for name, minor in bound.items() if minor is not None},
    )


def groups_of_subjects(root: Path, names: Sequence[str], asked: str | None) -> list[tuple[str | None, list[str]]]:
    """Return the runs that subjects are measured in: the Python of each, None where it is unknown, and their names.

    It is one run where a Python can be had for all of them, else one for each of as few Pythons as this machine allows.

    Args:
        root: the project's root.
        names: of the subjects; "ALL" means every release that can be had here.
        asked: the minor that the user asked for.

    Raises:
        UsageError: a subject's name is wrong.
        ReleaseError: a subject cannot be had here.
    """
    if list(names) == [ALL]:
        releases = read_manifest(root / "releases.toml").releases
        names = [release.name for release in installable(releases, python=asked)]
        if not names:
            raise ReleaseError(str(obstacle(releases[-1], python=asked)))
    chosen = chosen_subjects(root, names)
    try:
        choice = chosen_python([release for release, _ in chosen], asked)
        return [(None if choice is None else choice.minor, list(names))]
    except ReleaseError:
        if asked is not None:
            raise
    groups: dict[str | None, list[str]] = {}
    own = group_by_python([release for release, _ in chosen if release.python is None])
    python_of = {release.name: minor for minor, members in own.items() for release in members}
    for name, (release, _) in zip(names, chosen, strict=True):
        alone = chosen_python([release], None)
        minor = python_of.get(release.name) or (None if alone is None else alone.minor)
        groups.setdefault(minor, []).append(name)
    return list(groups.items())


def python_sentence(choice: Choice, subjects: int) -> str:
    """Return under which Python is measured: "Python 3.11 on all sides, which uv fetches first"."""
    sides = {1: "", 2: " on both sides"}.get(subjects, " on all sides")
    return f"Python {choice.minor}{sides}{', which uv fetches first' if choice.is_fetched else ''}"


def described_subjects(
    root: Path, options: argparse.Namespace, names: Sequence[str]
) -> tuple[Choice | None, list[tuple[str, Environment]]]:
    """Return the Python, and each subject's full name and the environment of its release, installing nothing.

    Raises:
        UsageError: an option or a release's name is wrong.
        ReleaseError: a release cannot be had here, as `plan_of` would say.
    """
    chosen = chosen_subjects(root, names)
    choice = chosen_python([release for release, _ in chosen], options.python)
    python = None if choice is None else choice.minor
    wheel, policy = options.wheel, options.policy
    return choice, [
        (_full_name(release, profile), describe_obtainable(release, root, wheel=wheel, policy=policy, python=python))
        for release, profile in chosen
    ]


def subject_name(root: Path, name: str) -> str:
    """Return the full name of a subject that a user may have shortened: "2.21@xla" is "v2.21.0@xla"."""
    ((release, profile),) = chosen_subjects(root, [name])
    return _full_name(release, profile)


def _full_name(release: Release, profile: Profile | None) -> str:
    return release.name if profile is None else f"{release.name}@{profile.name}"


def terminal_progress() -> Progress:
    """Return the live display on standard error: redrawn on a terminal, line by line elsewhere."""
    return progress_for(Console(stderr=True, soft_wrap=not sys.stderr.isatty()))
