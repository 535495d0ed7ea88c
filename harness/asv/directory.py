"""The result directory of any asv project as tables: every machine, environment, commit, benchmark and parameter.

Nothing here knows what was measured. Files that are cut off or foreign are named and skipped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.asv.columns import Columns, ReadFile, cache_path, read_columns
from harness.asv.result_file import Status, as_text
from harness.errors import UsageError
from harness.store.records import Problem

if TYPE_CHECKING:  # it imports scipy, which takes a second
    from harness.verdict.history import Each

SERIES_KEY = ["machine", "environment", "benchmark", "version", "parameters"]
"""The columns of `AsvHistory.values` that name a series: what asv draws as one line, if the version never changes."""

STATUSES = {Status.OK: "ok", Status.FAILED: "failed", Status.NOT_APPLICABLE: "n/a", Status.UNUSABLE: "unusable"}

_NOT_RESULTS = ("machine.json", "benchmarks.json")
# What asv measures in, by the beginning of a benchmark's own name (asv_runner/benchmarks/*.py).
_UNITS = {"time": "seconds", "timeraw": "seconds", "mem": "bytes", "peakmem": "bytes"}

_GUESSED = "units are guessed from the benchmarks' names, and those of track_ benchmarks are not known"


@dataclass(frozen=True, slots=True)
class Definition:
    """What benchmarks.json says of one benchmark today."""

    unit: str
    version: str
    parameter_names: tuple[str, ...]
    type: str = ""  # asv's: time, track, peakmemory, …; "" where it is not said


@dataclass(frozen=True, slots=True)
class AsvHistory:
    """Everything in a result directory.

    `values` has one row for each file and series, by machine, environment, date and commit: the columns of SERIES_KEY
    and python, commit, date (UTC; the commit's), unit, value (in the unit; NaN unless status is "ok"), status (see
    STATUSES), `first` and `count`. The row's samples are `samples[first : first + count]`; count is 0 where asv kept
    only its summary, the value. `definitions` are today's benchmarks, empty where benchmarks.json cannot be read.
    """

    path: Path
    values: pd.DataFrame
    samples: NDArray[np.float64]
    definitions: Mapping[str, Definition]
    problems: tuple[Problem, ...]

    @property
    def series(self) -> int:
        """How many series it holds."""
        return len(self.values[SERIES_KEY].drop_duplicates())

    def of_machine(self, machine: str | None) -> pd.DataFrame:
        """Return the rows of one machine, all where None.

        Raises:
            UsageError: no result is of that machine.
        """
        if machine is None:
            return self.values
        rows = self.values[self.values["machine"] == machine]
        if rows.empty:
            known = ", ".join(sorted(self.values["machine"].unique()))
            raise UsageError(f"{self.path} has no results of machine {machine}; it has those of {known}.")
        return rows


def read_asv_directory(path: Path, *, cached: bool = True, each: Each = map) -> AsvHistory:
    """Read asv's results_dir.

    Args:
        path: the directory that holds benchmarks.json and a folder for each machine; a machine's folder will do.
        cached: read only files that have changed since the last call, and remember what was read.
        each: as `read_columns` takes it.

    Raises:
        UsageError: there is no such directory, or no asv result file in it.
    """
    if not path.is_dir():
        raise UsageError(f"{path} is no directory: give the results_dir of an asv.conf.json.")
    files = [file for pattern in ("*.json", "*/*.json") for file in path.glob(pattern) if file.name not in _NOT_RESULTS]
    columns = read_columns(path, files, cache=cache_path(path) if cached else None, each=each)
    problems = [Problem(path / file.path, None, file.refusal) for file in columns.files if file.refusal is not None]
    if len(problems) == len(columns.files):
        raise UsageError(f"{path} holds no asv result file: give the results_dir of an asv.conf.json.")
    problems += [Problem(path / file.path, None, flaw) for file in columns.files for flaw in file.flaws]
    definitions: dict[str, Definition] = {}
    for candidate in (path / "benchmarks.json", path.parent / "benchmarks.json"):
        if candidate.exists():
            definitions = _definitions(candidate, problems)
            break
    else:
        problems.append(Problem(path / "benchmarks.json", None, f"is missing: {_GUESSED}", is_skipped=False))
    values = _values(columns, definitions)
    if _measured_twice(columns, path, problems):
        values = _once(values)
    return AsvHistory(path, values, columns.samples, definitions, tuple(problems))


def unit_of(benchmark: str, definitions: Mapping[str, Definition]) -> str:
    """Return a benchmark's unit: as it is defined, else what asv measures in by its name, else ""."""
    if benchmark in definitions:
        return definitions[benchmark].unit
    return _UNITS.get(benchmark.rpartition(".")[2].partition("_")[0], "")


def _definitions(path: Path, problems: list[Problem]) -> dict[str, Definition]:
    try:
        members = json.loads(path.read_bytes()).items()
    except (OSError, ValueError, RecursionError, AttributeError):
        members = ()
    found = {as_text(name): _definition(facts) for name, facts in members if isinstance(facts, dict)}
    if not found:
        text = f"holds no definition of a benchmark: {_GUESSED}"
        problems.append(Problem(path, None, text, is_skipped=False))
    return found


def _definition(facts: Mapping[str, Any]) -> Definition:
    names = facts.get("param_names")
    return Definition(
        unit=as_text(facts.get("unit")),
        version=as_text(facts.get("version")),
        parameter_names=tuple(map(as_text, names)) if isinstance(names, list) else (),
        type=as_text(facts.get("type")),
    )


def _measured_twice(columns: Columns, path: Path, problems: list[Problem]) -> bool:
    """Return whether any commit of a machine and environment is in several files, and name those that do not count."""
    held: dict[tuple[str, str, str], list[ReadFile]] = {}
    for file in columns.files:
        if file.refusal is None:
            held.setdefault((file.machine, file.environment, file.commit), []).append(file)
    several = [files for files in held.values() if len(files) > 1]
    for files in several:
        counts = max(files, key=_rank_within_commit)
        for file in files:
            if file is not counts:
                text = (
                    f"is a second file of commit {file.commit[:8]}, machine {file.machine} and environment "
                    f"{file.environment}: where both have a value, {counts.path} counts"
                )
                problems.append(Problem(path / file.path, None, text, is_skipped=False))
    return bool(several)


def _rank_within_commit(file: ReadFile) -> tuple[bool, str]:
    """Rank files of one commit: the one named as asv names it is the one that asv itself reads and writes."""
    return Path(file.path).name == f"{file.commit[:8]}-{file.environment}.json", file.path


def _once(values: pd.DataFrame) -> pd.DataFrame:
    """Return the rows without those that another file of the same commit replaces: what was measured comes first."""
    is_known = values["status"].isin([STATUSES[Status.OK], STATUSES[Status.FAILED]]).to_numpy()
    by_weight = values.iloc[np.argsort(is_known, kind="stable")]
    return by_weight.drop_duplicates([*SERIES_KEY, "commit"], keep="last").sort_index().reset_index(drop=True)


def _values(columns: Columns, definitions: Mapping[str, Definition]) -> pd.DataFrame:
    first = np.zeros(len(columns.count), dtype=np.int64)
    np.cumsum(columns.count[:-1], out=first[1:])
    latest = np.iinfo(np.int64).max
    ranked = sorted(
        range(len(columns.files)),
        key=lambda place: (
            columns.files[place].machine,
            columns.files[place].environment,
            latest if columns.files[place].date_ms is None else columns.files[place].date_ms,
            columns.files[place].commit,
            _rank_within_commit(columns.files[place]),
        ),
    )
    rank = np.empty(len(columns.files), dtype=np.int32)
    rank[ranked] = np.arange(len(ranked), dtype=np.int32)
    order = np.argsort(rank[columns.file], kind="stable")
    file, series = columns.file[order], columns.series[order]
    dates = [np.datetime64("NaT", "ms") if f.date_ms is None else np.datetime64(f.date_ms, "ms") for f in columns.files]
    by_file: dict[str, list[str]] = {
        name: [getattr(one, name) for one in columns.files] for name in ("machine", "environment", "python", "commit")
    }
    by_series: dict[str, list[str]] = {
        "benchmark": [benchmark for benchmark, _, _ in columns.names],
        "version": [version for _, version, _ in columns.names],
        "parameters": [values for _, _, values in columns.names],
        "unit": [unit_of(benchmark, definitions) for benchmark, _, _ in columns.names],
    }
    table: dict[str, Any] = {
        **{name: _category(texts, file) for name, texts in by_file.items()},
        "date": pd.DatetimeIndex(np.array(dates, dtype="datetime64[ms]")[file]).tz_localize("UTC"),
        **{name: _category(texts, series) for name, texts in by_series.items()},
        "value": columns.value[order],
        "status": pd.Categorical.from_codes(columns.status[order], categories=pd.Index(STATUSES.values())),
        "first": first[order],
        "count": columns.count[order],
    }
    return pd.DataFrame(table)


def _category(texts: list[str], places: NDArray[np.int32]) -> Any:
    """Return texts[places] as a categorical, whose memory is that of the places."""
    known = {text: code for code, text in enumerate(sorted(set(texts)))}
    codes = np.array([known[text] for text in texts], dtype=np.int32)
    return pd.Categorical.from_codes(codes[places], categories=pd.Index(list(known), dtype="str"))
