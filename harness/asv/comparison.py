"""Two commits of any asv project compared, from its result files: unpaired, by the samples that asv kept.

Nothing here knows what was measured. Seconds and bytes are better when they are less; of any other unit nobody told
which way is better, so it is shown and not judged.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from harness.answers.comparison import Comparison
from harness.answers.notes import Said
from harness.answers.shortfall import tells_of_both
from harness.answers.sides import SubjectFacts
from harness.asv.directory import AsvHistory, unit_of
from harness.errors import UsageError
from harness.metrics import Kind
from harness.verdict.judge import judge
from harness.verdict.margins import MarginTable, least_change
from harness.verdict.rows import Reason, Row, RowInput, Verdict
from harness.verdict.undecided import undecided

FEWEST_SAMPLES = 4
"""As for blocks (design of the statistics): a t interval of fewer is too wide to decide anything."""

_DIRECTED = {"seconds": Kind.TIME, "bytes": Kind.HOST_MEMORY}

_Key = tuple[str, str, str]
"""Benchmark, environment, parameters."""

_NOTES = (
    "A block is one sample of asv's here. asv's samples come from few processes, one side after the other: what "
    "differs between processes, or changed on the machine meanwhile, looks like a change. Measure a finding again "
    "before acting on it.",
)


@dataclass(frozen=True, slots=True)
class _Side:
    """What one commit has for one row."""

    version: str
    status: str
    value: float
    samples: tuple[float, ...]


def compare_commits(
    history: AsvHistory, old: str, new: str, *, margins: MarginTable, machine: str | None = None, q_level: float = 0.05
) -> Comparison:
    """Compare two commits of a result directory.

    Args:
        history: what the directory holds.
        old, new: whole commit hashes, as `find_commit` returns them.
        margins: which change matters; a benchmark is the "metric" of its patterns, the environment the "device", the
            parameters the "model".
        machine: whose results; may be left out where only one machine has both commits.
        q_level: accepted false discovery rate.

    Raises:
        UsageError: no machine has results of both commits, or several have and none is named.
    """
    rows = history.of_machine(machine)
    rows = rows[rows["commit"].isin([old, new])]
    held = rows.groupby("machine", observed=True)["commit"].nunique()
    both = sorted(str(name) for name in held[held == len({old, new})].index)
    if not both:
        raise UsageError(f"No machine in {history.path} has results of both {old[:8]} and {new[:8]}.")
    if len(both) > 1:
        raise UsageError(f"{len(both)} machines have both commits: choose one with --machine: {', '.join(both)}.")
    rows = rows[rows["machine"] == both[0]]
    environments = sorted(rows["environment"].unique())
    sides = [_sides(rows[rows["commit"] == commit], history) for commit in (old, new)]
    keys = sorted(sides[0].keys() | sides[1].keys())
    inputs = [
        _row_input(key, sides[0].get(key), sides[1].get(key), margins, history, len(environments)) for key in keys
    ]
    obstacles = [
        _obstacle(sides[0].get(key), sides[1].get(key), row.unit, _is_single(key[0], history))
        for key, row in zip(keys, inputs, strict=True)
    ]
    judged = iter(
        judge([row for row, reason in zip(inputs, obstacles, strict=True) if reason is None], q_level=q_level)
    )
    done = tuple(
        next(judged) if reason is None else _undecided(row, sides[0].get(key), sides[1].get(key), reason)
        for key, row, reason in zip(keys, inputs, obstacles, strict=True)
    )
    counts = [min(len(row.old), len(row.new)) for row, reason in zip(inputs, obstacles, strict=True) if reason is None]
    return Comparison(
        old=SubjectFacts(name=old[:8], python=_python(rows, old)),
        new=SubjectFacts(name=new[:8], python=_python(rows, new)),
        machine={"name": both[0]},
        preset="asv",
        margin=margins.by_kind[Kind.TIME],
        blocks=min(counts, default=0),
        paired=False,
        rows=done,
        shortfall=_shortfall(done, old, new, sides),
        notes=tuple(map(Said, (*_environment_notes(environments), *_NOTES))),
        run_path=history.path,
    )


def find_commit(history: AsvHistory, name: str, *, elsewhere: str | None = None) -> str:
    """Return the whole hash of a commit that has results.

    Args:
        history: what the directory holds.
        name: the beginning of a hash.
        elsewhere: the hash that a repository knows the name by, where it does.

    Raises:
        UsageError: no commit with results has that name, or several have.
    """
    known = sorted(str(commit) for commit in history.values["commit"].unique())
    for wanted in (name, elsewhere):
        if not wanted:
            continue
        found = [commit for commit in known if commit.startswith(wanted) or wanted.startswith(commit)]
        if wanted in found:
            return wanted
        if len(found) > 1:
            raise UsageError(
                f"{name} matches {len(found)} commits with results ({found[0][:12]}, …): write more of the hash."
            )
        if found:
            return found[0]
    newest = history.values.dropna(subset=["date"]).sort_values("date")["commit"]
    latest = list(dict.fromkeys(str(commit)[:8] for commit in newest.iloc[::-1].unique()))[:5]
    raise UsageError(
        f"No commit {name} has results in {history.path}: give the beginning of a hash; "
        f"the newest are {', '.join(latest)}."
    )


def _shortfall(rows: Sequence[Row], old: str, new: str, sides: Sequence[Mapping[_Key, _Side]]) -> str | None:
    """Return why no row tells of both commits, and what to do next; None where one does."""
    if tells_of_both(rows):
        return None
    if sides[0].keys() & sides[1].keys():
        reasons = Counter(_WITHOUT_ANSWER.get(row.reason, row.reason.value) for row in rows)
        told = ", ".join(f"{number} {reason}" for reason, number in reasons.most_common())
        return f"Nothing could be compared between {old[:8]} and {new[:8]}: of {len(rows)} rows {told}. {_AGAIN}"
    for place, noun in enumerate(("benchmark", "environment")):
        before, after = (sorted({key[place] for key in side}) for side in sides)
        if not set(before) & set(after):
            return (
                f"Nothing could be compared: {old[:8]} and {new[:8]} have no {noun} in common. {old[:8]} has "
                f"{_listed(before)}; {new[:8]} has {_listed(after)}. If it was renamed, or a pin in its name moved, "
                "measure both commits under one name."
            )
    return (
        f"Nothing could be compared: {old[:8]} and {new[:8]} have no combination of environment, benchmark and "
        f"parameters in common, as {_row_name(min(sides[0]))} and {_row_name(min(sides[1]))} show. {_AGAIN}"
    )


_AGAIN = "Measure both commits with the same benchmarks, in one environment."
_WITHOUT_ANSWER = {
    Reason.FAILED: "failed on both sides",
    Reason.OTHER_VERSION: "have another version of the benchmark",
    Reason.NOT_MEASURED: "lack a value on a side",
}
_MOST_NAMES = 3


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def _row_name(key: _Key) -> str:
    benchmark, environment, parameters = key
    return " ".join(part for part in (benchmark, parameters, f"in {environment}") if part)


def _sides(rows: pd.DataFrame, history: AsvHistory) -> dict[_Key, _Side]:
    found: dict[_Key, _Side] = {}
    columns = ["benchmark", "environment", "parameters", "version", "status", "value", "first", "count"]
    for *key, version, status, value, first, count in rows[columns].itertuples(index=False):
        samples = tuple(float(sample) for sample in history.samples[int(first) : int(first) + int(count)])
        benchmark, environment, parameters = (str(part) for part in key)
        found[benchmark, environment, parameters] = _Side(str(version), str(status), float(value), samples)
    return found


def _obstacle(old: _Side | None, new: _Side | None, unit: str, single: bool) -> Reason | None:
    """Return why a row cannot be judged; None where it can. `single`: asv keeps one value of such a benchmark."""
    if old is None or new is None:
        return Reason.NOT_MEASURED
    # asv before it kept versions has none, and such results compare with all, as asv's own `compare` has it.
    if old.version and new.version and old.version != new.version:
        return Reason.OTHER_VERSION
    # What failed and is skipped now was not mended; what was skipped and fails now is a failure that nobody saw before.
    if new.status == "failed" or (old.status == "failed" and new.status == "ok"):
        return Reason.FAILED
    if old.status != "ok" or new.status != "ok":
        return Reason.NOT_MEASURED
    if unit not in _DIRECTED:
        return Reason.UNKNOWN_DIRECTION
    if not old.samples or not new.samples:
        return Reason.SINGLE_VALUE if single else Reason.NO_SAMPLES
    return Reason.TOO_FEW_SAMPLES if min(len(old.samples), len(new.samples)) < FEWEST_SAMPLES else None


def _row_input(
    key: _Key, old: _Side | None, new: _Side | None, margins: MarginTable, history: AsvHistory, environments: int
) -> RowInput:
    benchmark, environment, parameters = key
    unit = unit_of(benchmark, history.definitions)
    kind = _DIRECTED.get(unit, Kind.TIME)
    device, model = environment if environments > 1 else "-", parameters or "-"
    return RowInput(
        metric=benchmark,
        unit=unit,
        kind=kind,
        device=device,
        model=model,
        variant="-",
        judged=unit in _DIRECTED,
        margin=margins.margin(kind, benchmark, device, model, "-"),
        old=_numbered(old),
        new=_numbered(new),
        paired=False,
        least_change=least_change(None, unit),
    )


def _numbered(side: _Side | None) -> tuple[tuple[int, float], ...]:
    return tuple(enumerate(side.samples)) if side is not None else ()


def _is_single(benchmark: str, history: AsvHistory) -> bool:
    """Whether asv keeps a single value: of everything that is not timed (asv 0.6.6, runner.py)."""
    definition = history.definitions.get(benchmark)
    if definition is not None and definition.type:
        return definition.type != "time"
    return not benchmark.rpartition(".")[2].lower().startswith("time")


def _undecided(row: RowInput, old: _Side | None, new: _Side | None, reason: Reason) -> Row:
    """Return the row with both values as asv shows them, and why it is not judged.

    A benchmark that fails on one side only needs no statistics: that it began to fail is a regression.
    """
    values = [None if side is None or math.isnan(side.value) else side.value for side in (old, new)]
    found = undecided(replace(row, judged=True) if reason is Reason.FAILED else row, values[0], values[1], reason)
    failed = [side is not None and side.status == "failed" for side in (old, new)]
    if reason is Reason.FAILED and failed[0] != failed[1]:
        return replace(found, verdict=Verdict.REGRESSION if failed[1] else Verdict.IMPROVEMENT)
    return found


def _python(rows: pd.DataFrame, commit: str) -> str | None:
    versions = sorted({str(python) for python in rows.loc[rows["commit"] == commit, "python"].unique()} - {""})
    return ", ".join(versions) or None


def _environment_notes(environments: Sequence[str]) -> tuple[str, ...]:
    return (f"Environment: {environments[0]}.",) if len(environments) == 1 else ()
