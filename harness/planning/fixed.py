"""A plan that is resolved once and measured elsewhere: what to measure is fixed here, as data, for another machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import UsageError
from harness.machine.identity import Machine
from harness.measure.narrowing import narrow, without_turns
from harness.measure.own_plans import with_own_models, with_registered_models
from harness.measure.plan import Plan, compared, name_subjects
from harness.measure.preset_files import read_preset
from harness.measure.presets import Preset
from harness.planning.installing import installed
from harness.planning.own_models import read_model, registered
from harness.planning.request import Request
from harness.releases.beside import with_packages
from harness.releases.builds import find_release
from harness.releases.environments import FOLDER, Environment, describe, identified
from harness.releases.manifest import read_manifest
from harness.releases.profiles import find_profile, with_profile
from harness.verdict.margins import margin_table, require_known


class FixedSubject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One subject, with all that its numbers depend on; `folders` are its environment's below `.environments`."""

    release: str
    profile: str | None
    wheel: str | None
    policy: str | None
    python: str | None
    lock_digest: str | None
    folders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fixed:
    """What is measured on some machine: subjects and a test plan that is narrowed already."""

    subjects: tuple[FixedSubject, ...]
    preset: Preset


def fix(request: Request, devices: Sequence[str], say: Callable[[str], None]) -> Fixed:
    """Resolve a request for machines with these devices; installs here what is missing.

    Args:
        request: what is asked for; `wheel` says which build those machines need.
        devices: what they have of `cpu` and `gpu`.
        say: is told what takes time.

    Raises:
        UsageError: an option or a release's name is wrong, or nothing is left to measure.
        ReleaseError: a release cannot be had here.
    """
    preset = fixed_preset(request, devices)
    return Fixed(fixed_subjects(request, preset.packages, say), preset)


def fixed_subjects(request: Request, packages: Sequence[str], say: Callable[[str], None]) -> tuple[FixedSubject, ...]:
    """Return the subjects of a request as `fix` does; `packages` are what models need beside each of them."""
    root = request.root
    environments = installed(
        root,
        request.subjects,
        wheel=request.wheel,
        policy=request.policy,
        python=request.python,
        packages=packages,
        say=say,
    )
    subjects = tuple(fixed_subject(root, environment) for environment in environments)
    name_subjects(environments_of(root, subjects, packages, say))
    return subjects


def plan_of_fixed(
    root: Path, fixed: Fixed, machine: Machine, kind: str, seed: int, isolation: str, *, against_first: bool = False
) -> Plan:
    """Return the plan of a fixed question on this machine; installs nothing.

    Args:
        root: a project that has the releases' entries, locks and environments.
        fixed: what to measure.
        machine: this machine.
        kind: of the run.
        seed: of the order.
        isolation: fork or spawn.
        against_first: whether each further subject is compared with the first.

    Raises:
        UsageError: an environment is not the one that was fixed.
    """
    environments = environments_of(root, fixed.subjects, fixed.preset.packages, lambda line: None)
    subjects = name_subjects(environments)
    return Plan(kind, fixed.preset, subjects, machine, seed, isolation, against_first=against_first)


def preset_of(data: Any) -> Preset:
    """Return the test plan that `Preset.as_dict` made data of."""
    return msgspec.convert(data, Preset)


def fixed_preset(request: Request, devices: Sequence[str]) -> Preset:
    """Return the test plan of a request as `fix` does; of its subjects only their number counts."""
    if request.budget_s is not None:
        raise UsageError("--budget cannot be used on several machines: give a number of --blocks.")
    known = registered(request.root)
    preset = read_preset(request.preset, known)
    named = {cell.model for cell in preset.cells} & known.keys()
    if named:
        preset = with_registered_models(preset, {name: read_model(known[name]) for name in sorted(named)})
    if request.own:
        preset = with_own_models(preset, [read_model(one) for one in request.own], alone=request.models is None)
    for pattern in preset.margins:
        require_known(pattern)
    margin_table(preset.time_margin, preset.margins)
    if not compared(request.subjects, against_first=request.against_first) or request.isolation == "spawn":
        preset = without_turns(preset)
    has = {cell.device for cell in preset.cells} & set(devices)
    return narrow(
        preset,
        devices=request.devices or sorted(has),
        models=request.chosen_models,
        operations=request.operations,
        blocks=request.blocks,
        repeats=request.repeats,
    )


def fixed_subject(root: Path, environment: Environment) -> FixedSubject:
    """Return a subject with the folders of its environment, and of what lies beside it."""
    folders: tuple[str, ...] = ()
    if environment.release.python is None:
        above = root / FOLDER
        folders = tuple(
            sorted(
                path.name
                for path in above.iterdir()
                if path.is_dir() and (path.name == environment.name or path.name.startswith(f"{environment.name}+"))
            )
        )
    return FixedSubject(
        environment.release.name,
        environment.profile,
        environment.wheel,
        environment.policy,
        environment.python_minor if environment.release.python is None else None,
        environment.lock_digest,
        folders,
    )


def environments_of(
    root: Path, subjects: Sequence[FixedSubject], packages: Sequence[str], say: Callable[[str], None]
) -> list[Environment]:
    """Return the environments of fixed subjects in a project that has them; installs no release.

    Raises:
        UsageError: an environment is not the one that was fixed.
    """
    manifest = read_manifest(root / "releases.toml")
    found = []
    for one in subjects:
        release = find_release(root, manifest, one.release, one.wheel or "cpu")
        # Its Python need not be found by name on this machine: the environment leads to it.
        environment = describe(release, root, wheel=one.wheel or "cpu", policy=one.policy, python=one.python)
        if release.python is None and (environment.lock_digest != one.lock_digest or not environment.installed):
            raise UsageError(
                f"The environment of {one.release} cannot be used here, or is not the one that the plan names: its "
                "Python has to be at the same path on every node. Prepare it on the submitting host and start again."
            )
        environment = identified(environment)
        if one.profile is not None:
            environment = with_profile(environment, find_profile(root, one.profile), root, say)
        if packages:
            environment = with_packages(environment, packages, root, say).environment
        found.append(environment)
    return found
