"""What a night measures: the new build, its baselines, and the models that the budget has room for."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness import releases
from harness.answers.night import last_measured
from harness.errors import UsageError
from harness.planning.durations import learn
from harness.planning.forecast import forecast
from harness.planning.installing import installed
from harness.planning.own_models import registered
from harness.planning.request import Request
from harness.releases.entries import add_releases, new_releases
from harness.releases.environments import Environment
from harness.releases.manifest import read_manifest
from harness.releases.release import Release
from harness.releases.subjects import chosen_subjects
from harness.store.machines import this_machine
from harness.store.nights import StoredNight
from harness.store.runs import runs_of
from harness.verdict.nights import Known, Role, baselines, chosen_models

CANARY = "canary"
"""The settings profile with the planted slowdown."""
CANARY_PLAN = Path(releases.__file__).parent / CANARY / "plan.toml"
MOST_LAST_GOOD = 2
"""Last good builds that a night measures; rows whose last good build is another one wait for their turn."""
FEWEST_BLOCKS = 6
"""For so many blocks a budget must last: else fewer models are measured."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class AskedNight:
    """What a night is to measure: `request` without subjects, `against` in place of the baselines where not empty."""

    request: Request
    build: str
    against: tuple[str, ...] = ()
    night: str | None = None
    only_exact: bool = False  # only what is compared exactly becomes a finding
    now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True, slots=True)
class Found:
    """What a night found and installed. `baselines` are None where the last night measured this build already.

    `subjects` are the build and its baselines as they can be asked for; `baselines` have name, role and ident.
    """

    build: dict[str, Any]
    subjects: tuple[str, ...] = ()
    baselines: tuple[tuple[str, Role, str], ...] | None = None
    unavailable: tuple[str, ...] = ()

    def as_facts(self) -> dict[str, Any]:
        """Return it as night.json holds it."""
        return {
            "build": self.build,
            "baselines": [[name, role.value, ident] for name, role, ident in self.baselines or ()],
            "unavailable": list(self.unavailable),
        }


def find(asked: AskedNight, known: Known, before: Sequence[StoredNight], say: Say) -> Found:
    """Find the build and its baselines, and install them.

    Args:
        asked: what the night is to measure.
        known: what the last concluded night left.
        before: the nights before, the oldest first.
        say: is told in one line what is going on.

    Raises:
        UsageError: the build cannot be had, or there is nothing to measure it against.
    """
    ((build, profile),) = chosen_subjects(asked.request.root, [asked.build], asked.request.wheel, say)
    if profile is not None:
        raise UsageError(f"{asked.build}: a night measures a build as it is, without a settings profile.")
    facts = {**build.as_facts(), "name": build.name}
    if not asked.against and _is_known(build, before):
        return Found(facts)
    chosen, unavailable = _baselines(asked, build, known, before, say)
    if not chosen:
        raise UsageError("There is nothing to measure against: name a release with --against.")
    # A wheel's file may change under its name, and is known by its content from here on; a path is an interpreter.
    subjects = (asked.build if build.build is not None or build.python is not None else build.name, *chosen)
    environments = _installed(asked.request, subjects, say)
    if build.build is not None:
        subjects = (build.name, *chosen)
    first, *others = environments
    found = zip(others, chosen.values(), strict=True)
    return Found(
        {**facts, "name": first.subject, "git_version": first.build.get("git")},
        subjects,
        tuple((one.subject, role, one.release.ident) for one, role in found),
        unavailable,
    )


def with_registered(request: Request) -> Request:
    """Return a request that measures the models of `models.toml`, too, unless it says which it measures."""
    own = tuple(registered(request.root).values())
    if not own or request.models is not None or request.own:
        return request
    return replace(request, models="*", own=own)


def with_room(request: Request, known: Known, before: Sequence[StoredNight]) -> tuple[Request, tuple[str, ...]]:
    """Return a request with the models that its budget has room for, and the names of those that are left out."""
    if request.budget_s is None:
        return request, ()
    expected = forecast(request)
    machine = this_machine(request.root, request.machine).name
    told = learn(runs_of(request.root, machine)[0], expected.preset)
    models_s = told.models_s(expected.preset, 0, request.isolation)
    imports_s = told.imports_s(expected.preset)
    # What is known of whole blocks is divided as their parts are expected to be.
    scale = FEWEST_BLOCKS * expected.block_s / max(1e-9, imports_s + sum(models_s.values()))
    costs = {name: scale * seconds for name, seconds in models_s.items()}
    first = {finding.key[2] for finding in known.findings}
    room_s = request.budget_s - scale * imports_s
    chosen = chosen_models(costs, room_s, first, last_measured(before)[1])
    left_out = tuple(name for name in costs if name not in chosen)
    return (of_models(request, chosen), left_out) if left_out else (request, ())


def of_models(request: Request, names: Sequence[str]) -> Request:
    """Return a request for some of its models, by the names that results have for them."""
    plain = {name.partition("@")[0] for name in names}
    own = tuple(one for one in request.own if one.name in plain)
    zoo = [name for name in names if "@" not in name]
    return replace(request, models=",".join(sorted(zoo)) or None, own=own)


def sync(request: Request, say: Say) -> None:
    """Add the stable releases that are new on the package index to `releases.toml`; that it is silent fails nothing."""
    manifest = read_manifest(request.root / "releases.toml")
    try:
        found = new_releases(manifest)
        add_releases(manifest, found)
    except UsageError as error:
        say(f"New stable releases are not looked for: {error}")
        return
    for one in found:
        say(f"TensorFlow {one.version} is new in releases.toml.")


def _is_known(build: Release, before: Sequence[StoredNight]) -> bool:
    """Whether the last night that came to an end measured this very build; an interpreter may have changed."""
    measured = [one for one in before if one.is_concluded]
    same = bool(measured) and measured[-1].facts["build"].get("release_id") == build.ident
    return same and build.python is None


def _baselines(
    asked: AskedNight, build: Release, known: Known, before: Sequence[StoredNight], say: Say
) -> tuple[dict[str, Role], tuple[str, ...]]:
    """Return what the build is measured against, and the last good builds that cannot be had any more."""
    if asked.against:
        return dict.fromkeys(asked.against, Role.ASKED), ()
    stable = read_manifest(asked.request.root / "releases.toml").newest_stable(1)
    gone: list[str] = []
    while True:
        chosen = baselines(known, stable[0].name if stable else None, MOST_LAST_GOOD, last_measured(before)[0])
        chosen.pop(build.name, None)
        last_good = [name for name, role in chosen.items() if role is Role.LAST_GOOD]
        lost = [name for name in last_good if not _can_be_had(asked.request, name, say)]
        if not lost:
            return chosen, tuple(gone)
        gone += lost
        known = known.without(lost)


def _can_be_had(request: Request, name: str, say: Say) -> bool:
    try:
        _installed(request, [name], say)
    except UsageError as error:
        say(str(error))
        return False
    return True


def _installed(request: Request, names: Sequence[str], say: Say) -> list[Environment]:
    return installed(request.root, names, wheel=request.wheel, policy=request.policy, python=request.python, say=say)
