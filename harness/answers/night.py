"""What a night found: the new build against its baselines, against itself, and what that means over nights."""

from __future__ import annotations

import datetime
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.answers.comparison import Comparison
from harness.answers.shortfall import EXIT_CODE
from harness.store.nights import StoredNight
from harness.verdict.nights import Concluded, Role, fires, tried
from harness.verdict.rows import Row

CANARY_DAYS = 7


@dataclass(frozen=True, slots=True)
class Canary:
    """The new build with planted regressions, held against the build itself: whether the alarm called them.

    `is_called` is None where it could not be measured tonight, which says nothing of the alarm.
    """

    subject: str
    is_called: bool | None
    ratio: float | None
    blocks: int


@dataclass(frozen=True, slots=True)
class AlarmRecord:
    """How the alarm did in all nights that were measured here."""

    nights: int
    aa_judged: int
    aa_called: int
    canaries: int
    canaries_found: int


@dataclass(frozen=True, slots=True)
class Changed:
    """Something beside TensorFlow that is not as in the last night that was measured."""

    what: str
    before: str
    now: str


@dataclass(frozen=True, slots=True)
class Night:
    """One night. What could not be measured is None or empty, and `shortfall` says why.

    `comparisons` are with each baseline, the one to be told first first; `itself` is the A/A arm. `missed` are nights
    since the last that concluded, with their state: "running" (killed), "unmeasured" or "untrusted". `silent_since` is
    the last night before, where days lie between. `unavailable` are last good builds that cannot be had any more.
    `drifts` are what a search of all runs shows to have become worse.
    """

    night: str
    machine: str
    build: Mapping[str, Any]  # id, name, version, git_version
    baselines: tuple[tuple[str, Role, str], ...] = ()  # name, role, id
    comparisons: tuple[Comparison, ...] = ()
    itself: Comparison | None = None
    concluded: Concluded | None = None
    canary: Canary | None = None
    record: AlarmRecord = AlarmRecord(0, 0, 0, 0, 0)
    changed: tuple[Changed, ...] = ()
    missed: tuple[tuple[str, str], ...] = ()
    silent_since: str | None = None
    unavailable: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()  # models that the budget has no room for tonight
    drifts: tuple[str, ...] = ()
    accepted: Mapping[str, Mapping[str, str]] | None = None
    fleet: str | None = None  # whose jobs measured it, on another machine than this
    idle: bool = False  # there is no build that was not measured before
    shortfall: str | None = None

    @property
    def fired(self) -> tuple[Row, ...]:
        """The rows of the A/A arm that were called."""
        return () if self.itself is None else fires(self.itself.rows)

    @property
    def aa_judged(self) -> int:
        """How many rows of the A/A arm could have been called."""
        return 0 if self.itself is None else tried(self.itself.rows)

    @property
    def is_trusted(self) -> bool:
        """Whether the night says anything: it was measured, and the build does not differ from itself."""
        return self.concluded is not None and not self.fired

    @property
    def exit_code(self) -> int:
        """1 for a newly confirmed regression, 3 where it could not be measured or not be trusted, else 0."""
        if self.idle:
            return 0
        if not self.is_trusted or self.concluded is None:
            return EXIT_CODE
        if self.concluded.is_alarm:
            return 1
        missed_plant = self.canary is not None and self.canary.is_called is False
        return EXIT_CODE if missed_plant or self.shortfall is not None else 0


def night_of(
    stored: StoredNight,
    before: Sequence[StoredNight],
    machine: str,
    asked_build: str,
    accepted: Mapping[str, Mapping[str, str]],
) -> Night:
    """Return what a night's own facts, and the nights before it, the oldest first, say of it.

    `asked_build` names the build where none was found.
    """
    facts = stored.facts
    build = facts.get("build", {"name": asked_build})
    measured = [one.facts["circumstances"] for one in before if one.facts.get("circumstances")]
    last = before[-1].night if before else None
    canary = facts.get("canary")
    return Night(
        night=stored.night,
        machine=machine,
        build={
            "id": build.get("release_id"),
            "name": build["name"],
            "version": build.get("version"),
            "git_version": build.get("git_version"),
        },
        baselines=tuple((name, Role(role), ident) for name, role, ident in facts.get("baselines", ())),
        canary=None if canary is None else Canary(**canary),
        record=record_of([*before, stored]),
        changed=changed_since(measured[-1], facts.get("circumstances", {})) if measured else (),
        missed=tuple((one.night, one.state) for one in _since_last_measured(before) if one.state != "idle"),
        silent_since=last if last is not None and _days(last, stored.night) > 1 else None,
        unavailable=tuple(facts.get("unavailable", ())),
        left_out=tuple(facts.get("left_out", ())),
        accepted=accepted,
        fleet=facts.get("fleet"),
    )


def _since_last_measured(before: Sequence[StoredNight]) -> Sequence[StoredNight]:
    places = [place for place, one in enumerate(before) if one.is_concluded]
    return before[places[-1] + 1 :] if places else before


def _days(earlier: str, later: str) -> int:
    return (datetime.date.fromisoformat(later[:10]) - datetime.date.fromisoformat(earlier[:10])).days


def circumstances(run: Mapping[str, Any], itself: Comparison) -> dict[str, str]:
    """Return what of a night is compared with the next: machine, method, dependencies and noise, as texts.

    Args:
        run: the facts of its run.
        itself: the A/A arm, which shows the noise.
    """
    machine, build = run["machine"], run["subjects"][0]
    known = {
        "processor": machine.get("cpu"),
        "logical CPUs": machine.get("logical_cpus"),
        "usable CPUs": _count(machine.get("usable_cpus")),
        "memory": machine.get("memory_bytes"),
        "kernel": machine.get("kernel"),
        "GPU driver": machine.get("driver"),
        "measurement method": run.get("worker_version"),
        "harness": run.get("harness_version"),
        "test plan": run.get("preset", {}).get("name"),
        "Keras": build.get("keras"),
        "Python": build.get("python"),
        "compiler": (build.get("built") or {}).get("compiler"),
    }
    spreads = [row.spread for row in itself.rows if row.judged and row.spread and row.unit == "seconds"]
    if spreads:
        known[_NOISE] = round(statistics.median(spreads), 4)
    return {name: str(value) for name, value in known.items() if value is not None}


def changed_since(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[Changed, ...]:
    """Return what differs between two nights' circumstances; noise counts from half as much again."""
    found = [
        Changed(what, before[what], value)
        for what, value in now.items()
        if what in before and before[what] != value and what != _NOISE
    ]
    if _NOISE in before and _NOISE in now:
        old, new = float(before[_NOISE]), float(now[_NOISE])
        if not old / _LOUDER <= new <= old * _LOUDER:
            found.append(Changed(_NOISE, f"{100 * old:.1f} %", f"{100 * new:.1f} %"))
    return tuple(found)


def record_of(nights: Iterable[StoredNight]) -> AlarmRecord:
    """Return how the alarm did in these nights."""
    measured = [one.facts for one in nights if one.facts.get("aa") is not None]
    canaries = [one["canary"]["is_called"] for one in measured if flew(one)]
    return AlarmRecord(
        nights=len(measured),
        aa_judged=sum(one["aa"]["judged"] for one in measured),
        aa_called=sum(one["aa"]["called"] for one in measured),
        canaries=len(canaries),
        canaries_found=sum(canaries),
    )


def flew(facts: Mapping[str, Any]) -> bool:
    """Return whether a night's canary could be measured, by the night's facts."""
    return facts.get("canary") is not None and facts["canary"]["is_called"] is not None


def is_canary_due(before: Sequence[StoredNight], night: str) -> bool:
    """Return whether none was measured in the week before a night."""
    flown = [one.night for one in before if flew(one.facts)]
    return not flown or _days(flown[-1], night) >= CANARY_DAYS


def last_measured(nights: Sequence[StoredNight]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the last night that measured each baseline, and each model, by their names."""
    baselines, models = dict[str, str](), dict[str, str]()
    for one in nights:
        baselines |= dict.fromkeys((name for name, *_ in one.facts.get("baselines", ())), one.night)
        models |= dict.fromkeys(one.facts.get("models", ()), one.night)
    return baselines, models


_NOISE = "noise of one block"
_LOUDER = 1.5


def _count(value: Any) -> Any:
    return len(value) if isinstance(value, list) else value
