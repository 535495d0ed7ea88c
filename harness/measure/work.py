"""Counting the work of a plan's operations: in processes of their own, beside the blocks, and never timed.

Counts have next to no noise: two processes a subject tell whether one varies, three how far. They are kept by what they
depend on (harness/store/work.py), so that most runs find them there. The subjects are counted at the same time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.measure.counting import Counting, Wanted, count_in_process
from harness.measure.memory_limit import memory_limit_bytes
from harness.measure.plan import Plan
from harness.measure.presets import Preset
from harness.measure.progress import Progress
from harness.releases.environments import Environment
from harness.store.runs import RunDirectory
from harness.store.work import (
    Counted,
    CountedSubject,
    DependsOn,
    count_key,
    counted,
    keep_counts,
    kept_counts,
    missing,
    read_work,
    write_work,
)
from harness.worker import WORKER_VERSION
from harness.worker.counting import COUNTING_VERSION

KINDS = ("compare", "confirm", "run", "bench")
"""Kinds of run whose sides are told apart. A calibration's are the same, and one of asv's is a single cell."""

LEAST_PROCESSES, MOST_PROCESSES = 2, 3
VARIES = 0.001
"""Two processes that differ by more than this fraction, a twentieth of the margin, are joined by a third."""
BUDGET_SHARE = 0.1
"""What counting may take of a time limit."""

_AT_ONCE = 2
_LOADS = {"cold": ("load_cold", "first_call"), "warm": ("load_warm", "load_again", "first_call")}
"""What is counted of a load, by the pass that times it; a cold and a warm one are the same work, counted once."""


def count_work(root: Path, run: RunDirectory, plan: Plan, progress: Progress, budget_s: float | None = None) -> None:
    """Count what a plan asks for and is neither kept nor in the run yet, and write it beside the run's records.

    Args:
        root: the project's root.
        run: the run.
        plan: what is measured; one whose preset counts no work, or of a kind that compares nothing, is left alone.
        progress: is told.
        budget_s: what is left of the run's time limit; counting takes a tenth of it at most.
    """
    if not plan.preset.work or plan.kind not in KINDS:
        return
    deadline = None if budget_s is None else time.monotonic() + BUDGET_SHARE * budget_s
    wanted = tuple(_wanted(plan.preset))
    keys = ["import", *dict.fromkeys(key for one in wanted for some in one.keys.values() for key in some)]
    told = read_work(run)[0]
    sides = [_side(root, plan, names, keys, told) for names in _alike(plan.subjects)]
    open_sides = [side for side in sides if missing(keys, side.counts)]
    if open_sides:
        said = ", ".join(side.names[0] for side in open_sides)
        progress.say(f"Counting the Python calls of {said} once, apart from the measurements.")
        at_once = min(_AT_ONCE, len(os.sched_getaffinity(0)), len(open_sides))
        memory_bytes = memory_limit_bytes(plan.preset) / at_once
        counting = Counting(plan.preset, wanted, run.path / "counting", deadline, memory_bytes)
        _count_all(counting, open_sides, keys, at_once)
        for side in open_sides:
            if side.depends_on is not None:
                kept = {_kept_key(plan.preset, key): one for key, one in side.counts.items()}
                keep_counts(root, side.environment.name, side.depends_on, kept)
    found = {name: CountedSubject(side.python, side.counts) for side in sides for name in side.names}
    if found != told:
        write_work(run, found)


@dataclass(slots=True)
class _Side:
    """Subjects that do the same work, and what is known of it."""

    names: list[str]
    environment: Environment
    depends_on: DependsOn | None
    python: str | None
    counts: dict[str, Counted]


def _alike(subjects: Mapping[str, Environment]) -> Iterator[list[str]]:
    """Yield the names of subjects that are one environment with the same settings."""
    found: dict[tuple[object, ...], list[str]] = {}
    for name, environment in subjects.items():
        settings = (tuple(sorted(one.items())) for one in (environment.variables, environment.packages))
        found.setdefault((environment.name, environment.python, *settings), []).append(name)
    yield from found.values()


def _side(root: Path, plan: Plan, names: list[str], keys: Sequence[str], told: Mapping[str, CountedSubject]) -> _Side:
    """Return what is kept of subjects that do the same work, and what the run was told before."""
    environment = plan.subjects[names[0]]
    depends_on = _depends_on(environment)
    kept = {} if depends_on is None else kept_counts(root, environment.name, depends_on)
    of_run = told.get(names[0], CountedSubject(None, {}))
    known = {key: kept.get(_kept_key(plan.preset, key), of_run.counts.get(key)) for key in keys}
    counts = {key: one for key, one in known.items() if one is not None}
    return _Side(names, environment, depends_on, of_run.python if depends_on is None else depends_on.python, counts)


def _count_all(counting: Counting, sides: Sequence[_Side], keys: Sequence[str], at_once: int) -> None:
    """Count what sides lack, several at once; whatever happens, no process is left."""
    try:
        with ThreadPoolExecutor(at_once) as pool:
            try:
                list(pool.map(lambda side: _count(counting, side, missing(keys, side.counts)), sides))
            except BaseException:
                counting.stop()
                raise
    finally:
        shutil.rmtree(counting.folder, ignore_errors=True)


def _wanted(preset: Preset) -> Iterator[Wanted]:
    """Yield what is counted of each cell on the CPU: of the passes that its group measures."""
    for group in preset.groups:
        for cell in group.cells:
            if cell.device != "cpu":
                continue
            own = preset.own_model(cell)
            asked: dict[str, list[str]] = {"save": [], "load": []}
            if group.repeats.get("save") and (own is None or own.is_built):
                asked["save"] = ["save_first", *(["save_later"] if group.later_saves else [])]
            for name, count in _LOADS.items():
                asked["load"] += count if group.repeats.get(name) else ()
            keys = {
                "save": tuple(count_key(name, cell.device, cell.model, cell.writer) for name in asked["save"]),
                "load": tuple(
                    count_key(name, cell.device, cell.model, cell.artifact) for name in dict.fromkeys(asked["load"])
                ),
            }
            if any(keys.values()):
                yield Wanted(group, cell, keys)


def _kept_key(preset: Preset, key: str) -> str:
    """Return the key under which a count is kept: a model of one's own has its whole digest there."""
    for own in preset.models:
        key = key.replace(f"/{own.name}/", f"/{own.name}:{own.digest}/")
    return key


def _depends_on(environment: Environment) -> DependsOn | None:
    """Return what an environment's counts depend on; None of an interpreter of one's own, which can change any time."""
    if environment.lock_digest is None or environment.installation is not None:
        return None
    asked = [str(environment.python), "-I", "-S", "-c", "import platform; print(platform.python_version())"]
    try:
        said = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None  # what is wrong with it, the first block will say
    return DependsOn(
        lock=environment.lock_digest,
        python=said,
        architecture=os.uname().machine,
        variables=dict(environment.variables),
        packages=dict(environment.packages),
        worker_version=WORKER_VERSION,
        counting_version=COUNTING_VERSION,
    )


def _count(counting: Counting, side: _Side, keys: Sequence[str]) -> None:
    """Add to a side what was counted of some keys, in as many processes as it takes."""
    numbers: dict[str, list[Mapping[str, Any]]] = {key: [] for key in keys}
    reasons: dict[str, str] = {}
    for process in range(MOST_PROCESSES):
        open_keys = [key for key in keys if key not in reasons]
        if process >= LEAST_PROCESSES:
            open_keys = [key for key in open_keys if _varies([one["calls"] for one in numbers[key]])]
        if not open_keys or (process >= LEAST_PROCESSES and counting.is_late()):
            break
        python, found = count_in_process(counting, side.names[0], side.environment, open_keys)
        side.python = python or side.python
        for key, one in found.items():
            if isinstance(one, str):
                reasons[key] = one
            elif one["other_threads"]:
                reasons[key] = "other-threads: Python ran in other threads meanwhile, whose calls cannot be told apart"
            else:
                numbers[key].append(one)
    for key in keys:
        side.counts[key] = Counted(reason=reasons[key]) if key in reasons else counted(numbers[key])


def _varies(calls: Sequence[int]) -> bool:
    return max(calls) - min(calls) > VARIES * max(calls)
