"""One measurement in a process of its own, as a user would start it, so that its start and its end are counted too.

`python -m tests.speed.measuring REQUEST.json` measures and writes what the caller cannot see beside the request.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command took, all its processes included."""

    wall_s: float
    cpu_s: float

    def plus(self, other: Cost) -> Cost:
        """Return both, one after the other."""
        return Cost(self.wall_s + other.wall_s, self.cpu_s + other.cpu_s)


@dataclass(frozen=True, slots=True)
class Measured:
    """A run of the harness and what it cost."""

    cost: Cost
    phases: list[dict[str, Any]]  # of the command around its blocks
    records: list[dict[str, Any]]


def cost_of(do: Callable[[], object]) -> Cost:
    """Do it and return its wall seconds and the CPU seconds of the child processes that it waited for."""
    before, clock = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    do()
    wall_s, after = time.monotonic() - clock, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(wall_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def measured(
    root: Path,
    work: Path,
    plan: str,
    releases: Sequence[str],
    *,
    isolation: str = "fork",
    smoke: bool = False,
    wheel: str = "cpu",
    given: Path | None = None,
) -> Measured:
    """Run a plan of `plans.py` in a new process and return its records and its cost.

    Args:
        root: the project's root; the releases are installed.
        work: a folder of this measurement's own, emptied first: its results never mix with those of releases.
        plan: the plan's name.
        releases: names of releases.
        isolation: fork or spawn.
        smoke: the tiny form of the plan.
        wheel: which wheels, as `releases.environments.prepare` takes it.
        given: the folder with the artifacts of plan `given`.

    Raises:
        RuntimeError: it failed, or a repeat did.
    """
    from harness.store.records import read_records

    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    request, answer = work / "request.json", work / "answer.json"
    asked = {"plan": plan, "releases": list(releases), "isolation": isolation, "smoke": smoke, "work": str(work)}
    asked |= {"wheel": wheel, "given": given and str(given)}
    request.write_text(json.dumps(asked | {"root": str(root)}))
    command = [sys.executable, "-m", "tests.speed.measuring", str(request)]
    began = time.monotonic()
    cost = cost_of(lambda: subprocess.run(command, cwd=root, check=False))
    if not answer.exists():
        raise RuntimeError(f"the measurement of plan {plan} failed; its messages are above, its logs below {work}")
    told = json.loads(answer.read_text())
    records, problems = read_records(Path(told["run"]) / "records.jsonl")
    failed = [f"{r['operation']}: {r['reason']}" for r in records if r.get("status") == "failed"]
    if failed or problems:
        raise RuntimeError(f"plan {plan}: {'; '.join(failed) or problems[0]}")
    phases = [
        {"name": "start the harness", "kind": "host", "wall_s": told["began"] - began},
        *told["phases"],
        {"name": "end the harness", "kind": "host", "wall_s": began + cost.wall_s - told["ended"]},
    ]
    return Measured(cost, phases, records)


def _main(request: Path) -> None:
    """Measure; what it takes until the first block and after the last one is told to the caller."""
    from harness.machine.identity import describe_machine
    from harness.measure.host_phases import host_phase
    from harness.measure.limits import Limits
    from harness.measure.plan import Plan, name_subjects
    from harness.measure.progress import Silent
    from harness.measure.run import measure
    from harness.releases.environments import describe
    from harness.releases.manifest import read_manifest
    from harness.releases.python_choice import common_python

    from .plans import PLANS
    from .plans import given as plan_with_given

    began, phases = time.monotonic(), []
    asked = json.loads(request.read_text())
    with host_phase(phases, "read the plan, describe the machine"):
        root, work = Path(asked["root"]), Path(asked["work"])
        manifest = read_manifest(root / "releases.toml")
        releases = [manifest.find(name) for name in asked["releases"]]
        python = common_python(releases)
        environments = [describe(one, root, wheel=asked["wheel"], python=python) for one in releases]
        folder = asked["given"] and Path(asked["given"])
        preset = plan_with_given(asked["smoke"], folder) if folder else PLANS[asked["plan"]](asked["smoke"])
        plan = Plan(
            "speed", preset, name_subjects(environments), describe_machine(), time.time_ns(), asked["isolation"]
        )
    outcome = measure(work, plan, Limits(), Silent())
    if outcome.interrupted:
        raise KeyboardInterrupt
    told = {"run": str(outcome.run.path), "began": began, "phases": phases, "ended": time.monotonic()}
    temporary = request.with_name("answer.partial")
    temporary.write_text(json.dumps(told))
    temporary.replace(request.with_name("answer.json"))


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
