"""Nights on disk: what each found, what is accepted, and the lock that keeps two from measuring at once.

results/nights/<machine>/<night>/night.json    what the night did so far, and what it concluded
results/nights/<machine>/<night>/log.txt       what it said
results/nights/<machine>/<night>/page.html     its report; report.md: the same in Markdown
results/nights/<machine>/accepted.json         findings that nobody wants to hear of for a while
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.store.records import Problem
from harness.store.runs import ResultsLock, results_path, write_json_atomically
from harness.verdict.nights import Finding, Known, State

NIGHT_KIND, CANARY_KIND, CONFIRM_KIND = "night", "canary", "confirm"
"""The kinds of the runs that measure a night, its canary, and once more what it called."""
SCHEMA = 1
NIGHT = re.compile(r"\d{4}-\d{2}-\d{2}(?:\.\d+)?")
"""A night's name: the day on which it began (UTC), with a number where a day has several."""


def nights_path(root: Path, machine: str) -> Path:
    """Return the folder of a machine's nights."""
    return results_path(root) / "nights" / machine


class NightLock(ResultsLock):
    """The right to measure a machine's night: one process at a time."""

    def __init__(self, root: Path, machine: str) -> None:
        super().__init__(root)
        self._path = nights_path(root, machine) / ".lock"


@dataclass(frozen=True, slots=True)
class StoredNight:
    """One night as it is on disk.

    `facts` are as night.json holds them: `state` is "running", "finished", "untrusted" (the A/A arm fired),
    "unmeasured" or "idle" (no new build), `phases` what is done, `exit_code`, `told` whether --on-finding ran.
    """

    path: Path
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def night(self) -> str:
        """Its name."""
        return self.path.name

    @property
    def state(self) -> str:
        """How it stands, or ended."""
        return str(self.facts.get("state", "running"))

    @property
    def is_over(self) -> bool:
        """Whether it came to its end, however."""
        return self.state != "running"

    @property
    def is_concluded(self) -> bool:
        """Whether it measured and concluded something that the next night builds on."""
        return self.state == "finished"

    @property
    def phases(self) -> Mapping[str, Any]:
        """What is done, by phase."""
        return dict(self.facts.get("phases", {}))

    def with_phase(self, name: str, **done: Any) -> StoredNight:
        """Note on disk that a phase is done, and return the night."""
        return self.updated(phases={**self.phases, name: done})

    def updated(self, **facts: Any) -> StoredNight:
        """Write further facts, and return the night with them."""
        whole = {"schema": SCHEMA, "night": self.night, **self.facts, **facts}
        self.path.mkdir(parents=True, exist_ok=True)
        write_json_atomically(self.path / "night.json", whole)
        return replace(self, facts=whole)

    def known(self) -> Known:
        """Return what is known after this night."""
        held = self.facts.get("known", {})
        findings = (
            Finding(**{**one, "key": tuple(one["key"]), "state": State(one["state"])}) for one in held["findings"]
        )
        return Known(tuple(findings), {(row[0], row[1], row[2], row[3]): row[4] for row in held["good"]})


def known_as_facts(known: Known) -> dict[str, Any]:
    """Return what is known as night.json holds it."""
    return {
        "findings": [dataclasses.asdict(one) for one in known.findings],
        "good": [[*key, name] for key, name in sorted(known.last_good.items())],
    }


def open_night(root: Path, machine: str, night: str) -> StoredNight:
    """Return a night, begun or not."""
    path = nights_path(root, machine) / night
    found = _read(path)
    if isinstance(found, Problem):
        raise UsageError(f"{found}: move {path} away to measure this night anew.")
    return found or StoredNight(path)


def nights_of(root: Path, machine: str) -> tuple[list[StoredNight], list[Problem]]:
    """Return a machine's nights, the oldest first, and what cannot be read."""
    nights, problems = [], []
    for path in sorted(nights_path(root, machine).glob("*/"), key=lambda found: in_time(found.name)):
        found = _read(path) if NIGHT.fullmatch(path.name) else None
        if isinstance(found, Problem):
            problems.append(found)
        elif found is not None:
            nights.append(found)
    return nights, problems


def accepted_of(root: Path, machine: str) -> dict[str, dict[str, str]]:
    """Return what is accepted, by finding: `until`, a day, and `why`.

    Raises:
        UsageError: the file is damaged.
    """
    path = nights_path(root, machine) / "accepted.json"
    try:
        found = json.loads(path.read_bytes())
        return {str(ident): {"until": str(one["until"]), "why": str(one["why"])} for ident, one in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(f"{path} is damaged: mend it, or remove it and accept its findings again.") from None


def accept(root: Path, machine: str, ident: str, until: str, why: str) -> None:
    """Write down that a finding is accepted."""
    path = nights_path(root, machine) / "accepted.json"
    write_json_atomically(path, {**accepted_of(root, machine), ident: {"until": until, "why": why}})


def in_time(night: str) -> tuple[str, int]:
    """Return what orders nights by their names."""
    day, _, number = night.partition(".")
    return day, int(number) if number.isdigit() else 0


def known_after(nights: Sequence[StoredNight]) -> Known:
    """Return what is known after some nights, the oldest first: what the last that concluded left."""
    concluded = [one for one in nights if one.is_concluded]
    return concluded[-1].known() if concluded else Known()


def night_seed(night: str) -> int:
    """Return the seed of a night's runs, by which a killed night finds them again."""
    day, _, number = night.partition(".")
    return int(day.replace("-", "")) * 100 + int(number or 0)


def _read(path: Path) -> StoredNight | Problem | None:
    file = path / "night.json"
    try:
        facts = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return Problem(file, None, "is cut off or not JSON")
    if not isinstance(facts, dict) or facts.get("schema") != SCHEMA:
        return Problem(file, None, f"is no night of this layout (schema {SCHEMA})")
    return StoredNight(path, facts)
