"""asv's result files as a projection of the records: what `asv compare`, `asv show` and `asv publish` read.

For each benchmark and parameter they hold the newest complete run of the widest preset that has untainted samples
for it, one sample a block; runs of the release's present lock come before runs of an earlier one. So a smaller run
never removes or replaces a larger one's values, and what only `asv run` has measured stays. Runs with
`--isolation spawn` are left out: asv would take their lower numbers for a change of the release. So are runs of other
worker versions than the present one, which is the version that asv knows the benchmarks by.
"""

from __future__ import annotations

import datetime
import math
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from asv.results import Results, get_filename
from asv.runner import BenchmarkResult
from asv.util import UserError
from asv_runner.statistics import compute_stats

from harness.asv.benchmarks import AsvBenchmark, RowKey, asv_benchmarks
from harness.asv.machine_file import machine_parameters
from harness.errors import UsageError
from harness.metrics import METRICS, split_batch
from harness.releases.environments import choose_policy, choose_wheel
from harness.releases.pythons import running_python_minor
from harness.store.frame import ROW_KEY, failures_frame, repeats_frame, samples_frame
from harness.store.known_releases import known_releases
from harness.store.records import Problem
from harness.store.runs import RunDirectory, results_path, runs_of
from harness.worker import WORKER_VERSION

PRESET_WIDTHS = ("asv", "quick", "nightly", "full")
"""Presets from the narrowest to the widest; one of another name counts as the narrowest."""

_NOT_OF_RELEASES = ("speed", "confirm", "canary")  # the harness itself, or a few rows of a release once more

_NOT_MEASURED = math.nan  # asv shows n/a; its None means failed


@dataclass(slots=True)
class _Projected:
    """What one asv result file is to hold: a machine, a release and an environment."""

    run: RunDirectory  # the newest one used: its facts describe machine and environment
    subject: dict[str, Any]
    sources: list[tuple[RunDirectory, dict[str, Any]]] = field(default_factory=list)
    samples: dict[RowKey, list[float]] = field(default_factory=dict)
    without: dict[RowKey, float | None] = field(default_factory=dict)  # n/a (NaN) or failed (None)

    def preference(self, source: tuple[RunDirectory, dict[str, Any]]) -> tuple[bool, int, str]:
        """Order sources by whether they have the present lock, then by preset, then by age."""
        run, subject = source
        return subject.get("lock_digest") == self.subject.get("lock_digest"), _width(run), run.facts["created_at"]


def asv_results_path(root: Path) -> Path:
    """Return asv's results directory (`results_dir` in asv.conf.json)."""
    return results_path(root) / "asv"


def project(root: Path, problems: list[Problem] | None = None) -> list[Path]:
    """Bring asv's result files up to date with the records of all complete runs made here.

    Call it while holding `ResultsLock`. Reference runs are left out: they were measured on other machines, and a
    second machine in asv's directory would make `asv compare` refuse and `asv run NEW` find nothing to do.

    Args:
        root: the project root.
        problems: what was skipped is appended here: unreadable runs, and files in asv's directory that are not
            asv's, which are never overwritten.

    Returns:
        The result files that were written because something in them changed.
    """
    told = problems if problems is not None else []
    runs, found = runs_of(root)
    told.extend(found)
    forked = [
        run
        for run in runs
        if run.facts["state"] == "complete" and run.facts["kind"] not in _NOT_OF_RELEASES and not run.is_spawned
    ]
    complete = [run for run in forked if run.worker_version == WORKER_VERSION]
    if len(complete) < len(forked):
        others = f"{len(forked) - len(complete)} of its runs are of other worker versions than {WORKER_VERSION}"
        told.append(Problem(results_path(root) / "runs", None, f"{others}, whose numbers can mean something else"))
    if not complete:
        return []
    dates = _release_dates(root, told)
    if not dates:
        return []
    results = asv_results_path(root)
    benchmarks = asv_benchmarks(root, results, told)
    wanted = {key for benchmark in benchmarks for key in benchmark.keys}
    written = []
    for (machine, commit, environment), one in _chosen(root, complete, wanted, told).items():
        date = dates.get(commit)
        if date is None:
            unknown = f"{one.subject['name']} is not in releases.toml, so asv has no place for it"
            told.append(Problem(one.run.path, None, unknown))
            continue
        path = results / get_filename(machine, commit, environment)
        if _write(path, environment, one, date, benchmarks, told):
            written.append(path)
    return written


def _chosen(
    root: Path, complete: list[RunDirectory], wanted: set[RowKey], problems: list[Problem]
) -> dict[tuple[str, str, str], _Projected]:
    """Choose, for each result file, the samples of every wanted row: by lock, then preset, then age."""
    chosen: dict[tuple[str, str, str], _Projected] = {}
    for run in reversed(complete):
        for subject in _releases(run):
            chosen.setdefault(_file_of(root, run, subject), _Projected(run, subject))
    for run in complete:
        for subject in _releases(run):
            one = chosen[_file_of(root, run, subject)]
            one.sources.append((run, subject))
    tables: dict[Path, pd.DataFrame] = {}
    for one in chosen.values():
        one.sources.sort(key=one.preference, reverse=True)
        for run, subject in one.sources:
            if not _can_add(run, wanted - one.samples.keys() - one.without.keys()):
                continue  # preferred runs have settled all that it measured: spare the reading
            if run.path not in tables:
                tables[run.path] = repeats_frame([run.path], problems)
            _fill(one, tables[run.path], subject["name"], wanted)
    return chosen


def _can_add(run: RunDirectory, missing: set[RowKey]) -> bool:
    """Return whether a run's preset measures any device and model of the missing rows."""
    try:
        cells = {(cell["device"], cell["model"]) for group in run.facts["preset"]["groups"] for cell in group["cells"]}
    except (KeyError, TypeError):
        return bool(missing)  # it does not say, so look
    devices = {device for device, _ in cells}
    return any(
        device == "-" or (device in devices if model == "-" else (device, model) in cells)
        for _, device, model, _ in missing
    )


def _fill(one: _Projected, repeats: pd.DataFrame, subject: str, wanted: set[RowKey]) -> None:
    """Add what one run says about one subject, where nothing better is there already."""
    samples = samples_frame(repeats)
    found: dict[RowKey, list[float]] = {}
    own = samples.loc[samples["subject"] == subject, [*ROW_KEY, "value"]]
    for metric, device, model, variant, value in own.itertuples(index=False):
        found.setdefault((str(metric), str(device), str(model), str(variant)), []).append(float(value))
    for key in found.keys() & wanted:
        one.samples.setdefault(key, found[key])
    for key, value in _without_value(repeats[repeats["subject"] == subject], wanted):
        one.without.setdefault(key, value)


def _releases(run: RunDirectory) -> list[dict[str, Any]]:
    """Return the subjects that are releases of asv's history: none under a profile, and none twice ("v2.21.0#2")."""
    return [
        subject
        for subject in run.facts["subjects"]
        if subject.get("release_id") and not {"@", "#"} & {*subject["name"]}
    ]


def _file_of(root: Path, run: RunDirectory, subject: dict[str, Any]) -> tuple[str, str, str]:
    """Return machine, release id and environment as asv names a result file."""
    return run.machine, subject["release_id"], _asv_environment(root, subject)


def _asv_environment(root: Path, subject: dict[str, Any]) -> str:
    """Return the name that `ReleaseEnvironment` has: one for all releases, since asv's tables are by environment."""
    wheel = subject.get("wheel") or choose_wheel(root=root)
    policy = subject.get("policy") or choose_policy(root, None)
    return f"tf-{wheel}-{policy}-py{_python_minor(subject).replace('.', '')}"


def _python_minor(subject: dict[str, Any]) -> str:
    return str(subject.get("python") or running_python_minor())


def _width(run: RunDirectory) -> int:
    preset = run.facts.get("preset")
    name = preset.get("name") if isinstance(preset, dict) else preset
    return PRESET_WIDTHS.index(name) if name in PRESET_WIDTHS else 0


def _without_value(repeats: pd.DataFrame, wanted: set[RowKey]) -> Iterable[tuple[RowKey, float | None]]:
    """Yield (row, NaN or None) for what a subject found unsupported or absent, or failed at."""
    absent = repeats.loc[repeats["status"] == "absent", ROW_KEY]
    for metric, device, model, variant in absent.itertuples(index=False):
        yield (str(metric), str(device), str(model), str(variant)), _NOT_MEASURED
    columns = ["status", "operation", "device", "model", "variant"]
    for status, operation, *place, variant in failures_frame(repeats)[columns].itertuples(index=False):
        value = _NOT_MEASURED if status == "unsupported" else None
        # Without a load there are no calls either.
        operations = ("load", "infer") if operation == "load" else (operation,)
        variants = (str(variant), str(variant).partition("/")[0], "-")
        for key in wanted:
            if [*key[1:3]] == place and split_batch(key[3])[0] in variants and METRICS[key[0]].operation in operations:
                yield key, value


def _write(
    path: Path,
    environment: str,
    one: _Projected,
    date: datetime.date,
    benchmarks: list[AsvBenchmark],
    problems: list[Problem],
) -> bool:
    """Merge into one result file; return whether it changed."""
    results, commit = path.parent.parent, one.subject["release_id"]
    machine = machine_parameters(results, one.run, problems)
    if machine is None:
        return False
    if path.exists():
        fresh = _existing(path, one.run.machine, commit, problems)
        if fresh is None:
            return False
    else:
        midnight = datetime.datetime.combine(date, datetime.time(), datetime.UTC)
        timestamp_ms, python = int(midnight.timestamp()) * 1000, _python_minor(one.subject)
        fresh = Results({**machine, "python": python}, {}, commit, timestamp_ms, python, environment, {})
    started_at = datetime.datetime.fromisoformat(one.run.facts["created_at"])
    for benchmark in benchmarks:
        _merge(fresh, benchmark, one, started_at)
    if not fresh.get_all_result_keys():
        return False
    # asv writes in place; written beside and renamed, a killed process leaves the old file whole.
    with tempfile.TemporaryDirectory(prefix=".projection-", dir=results.parent) as temporary:
        fresh.save(temporary)
        new = Path(temporary) / path.relative_to(results)
        if path.exists() and new.read_bytes() == path.read_bytes():
            return False
        new.replace(path)
    return True


def _merge(into: Results, benchmark: AsvBenchmark, one: _Projected, started_at: datetime.datetime) -> None:
    """Put one benchmark's values into a result file's contents; what is not projected stays as it was."""
    known = benchmark.name in into.get_result_keys({benchmark.name: benchmark.definition})
    old = into.get_result_value(benchmark.name, benchmark.definition["params"]) if known else None
    values: list[float | None] = []
    samples: list[list[float] | None] = []
    selected = set()
    for index, key in enumerate(benchmark.keys):
        measured = one.samples.get(key)
        samples.append(measured)
        if measured is not None:
            selected.add(index)
            values.append(compute_stats(measured, 1)[0])
        else:
            values.append(one.without.get(key, _NOT_MEASURED))
            # n/a and failed never replace a value, whoever measured it.
            if old is None or (key in one.without and not _is_measured(old[index])):
                selected.add(index)
    if all(key not in one.samples and key not in one.without for key in benchmark.keys):
        return
    into.add_result(
        benchmark.definition,
        BenchmarkResult(values, samples, [None if values_ is None else 1 for values_ in samples], 0, "", None),
        started_at=started_at,
        duration=into.duration.get(benchmark.name),
        record_samples=True,
        selected_idx=selected,
    )


def _is_measured(value: Any) -> bool:
    """Return whether asv kept a number; a file that others have written to can hold anything."""
    return type(value) is int or (type(value) is float and not math.isnan(value))


def _existing(path: Path, machine: str, commit: str, problems: list[Problem]) -> Results | None:
    """Load a result file; what is not asv's, or another release's, is named and left alone."""
    try:
        loaded = Results.load(str(path), machine_name=machine)
        # asv reads each list when it is used, not when it loads: a damaged one shows only here.
        for name in loaded.get_all_result_keys():
            loaded.get_result_value(name, loaded.get_result_params(name))
    except (UserError, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        text = "cannot be read by asv 0.6.6: move it away, and `savedmodel-bench rebuild` writes it from the records"
        problems.append(Problem(path, None, text))
        return None
    if loaded.commit_hash != commit:
        problems.append(Problem(path, None, "holds another release's results"))
        return None
    return loaded


def _release_dates(root: Path, problems: list[Problem]) -> dict[str, datetime.date]:
    path = root / "releases.toml"
    try:
        return {release.ident: release.date for release in known_releases(root).releases}
    except UsageError as error:
        problems.append(Problem(path, None, str(error)))
        return {}
