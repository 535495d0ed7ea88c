"""One asv result file, of any asv project, in either layout that asv has written: read with tolerance.

asv itself refuses layout 1 ("Run `asv update`") and stops at the first key it does not know; here every benchmark that
can be understood counts, and what cannot is named. Source of both layouts: `asv/results.py` of asv 0.6.6,
`Results.load` and `Results.update_to_2`.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import reprlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import msgspec

LAYOUTS = (1, 2)

_LARGEST = 10**300  # a whole number beyond it is no float
_YEAR_3000_MS = 32_503_680_000_000


class Status(IntEnum):
    """What asv kept for one benchmark and combination of parameters."""

    OK = 0
    FAILED = 1  # null: it raised, crashed or took too long
    NOT_APPLICABLE = 2  # NaN, as a number or as text: skipped, or not asked for
    UNUSABLE = 3  # neither a finite number nor one of these


class NotAsvResults(Exception):
    """The content is no asv result file; the message says what it is instead."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One benchmark of a file: a value for each combination of its parameters.

    `parameters` are the combinations in asv's order, as asv writes values ("10", "'csr'"), one empty combination where
    there are none. `values` and `statuses` are as long; `samples` likewise, each a tuple that is empty where asv kept
    none.
    """

    benchmark: str
    version: str  # asv's version of the benchmark, "" where the file has none
    parameters: tuple[tuple[str, ...], ...]
    values: tuple[float, ...]
    statuses: tuple[Status, ...]
    samples: tuple[tuple[float, ...], ...] | None


@dataclass(frozen=True, slots=True)
class ResultFile:
    """What one file says. `date_ms` is the commit's, in milliseconds since 1970; None where it has none."""

    machine: str | None
    environment: str
    python: str
    commit: str
    date_ms: int | None
    entries: tuple[Entry, ...]
    flaws: tuple[str, ...]  # benchmarks that were left out, with the reason


def parse_result_file(data: bytes) -> ResultFile:
    """Parse the bytes of a result file.

    Raises:
        NotAsvResults: it is cut off, no JSON, of an unknown layout, or lacks its commit or its results.
    """
    document = _document(data)
    if not isinstance(document, dict):
        raise NotAsvResults("is not an asv result file")
    layout, commit, results = document.get("version"), document.get("commit_hash"), document.get("results")
    if isinstance(layout, str) and layout.strip().isdecimal():
        layout = int(layout)
    if not isinstance(commit, str) or not commit or not isinstance(results, dict):
        raise NotAsvResults("is not an asv result file: it lacks a commit_hash or results")
    if type(layout) not in (int, float) or layout not in LAYOUTS:
        raise NotAsvResults(f"has asv's result layout {layout!r}; layouts 1 and 2 are known")
    flaws: list[str] = []
    entries = _second_layout(document, flaws) if layout == 2 else _first_layout(document, flaws)
    parameters = document.get("params")
    machine = parameters.get("machine") if isinstance(parameters, dict) else None
    date: Any = document.get("date")
    return ResultFile(
        machine=as_text(machine) or None,
        environment=as_text(document.get("env_name")) or as_text(document.get("python")) or "unnamed",
        python=as_text(document.get("python")),
        commit=as_text(commit),
        date_ms=int(date) if type(date) in (int, float) and 0 <= date < _YEAR_3000_MS else None,
        entries=tuple(entries),
        flaws=tuple(flaws),
    )


def _second_layout(document: Mapping[str, Any], flaws: list[str]) -> Iterator[Entry]:
    """Yield the benchmarks of layout 2: a row for each, its columns named once in `result_columns`."""
    columns = document.get("result_columns")
    if not isinstance(columns, list) or "result" not in columns:
        # Without the column nothing is known; to take that for null, asv's sign of a failure, would be a false alarm.
        raise NotAsvResults("is not an asv result file: its result_columns lack the column result")
    places = [columns.index(name) if name in columns else -1 for name in ("result", "params", "version", "samples")]
    for benchmark, row in document["results"].items():
        if not isinstance(row, list):
            flaws.append(f"{benchmark} is no list of columns")
            continue
        # asv leaves out the columns at the end that hold nothing.
        values, parameters, version, samples = (row[at] if 0 <= at < len(row) else None for at in places)
        entry = _entry(benchmark, version, parameters, values, samples, flaws)
        if entry is not None:
            yield entry


def _first_layout(document: Mapping[str, Any], flaws: list[str]) -> Iterator[Entry]:
    """Yield the benchmarks of layout 1: a number, a list, or an object with result, params, samples and stats."""
    versions = document.get("benchmark_version")
    known = versions if isinstance(versions, dict) else {}
    for benchmark, content in document["results"].items():
        parts = content if isinstance(content, dict) else {"result": content}
        if "result" not in parts:
            flaws.append(f"{benchmark} has no result")
            continue
        values = parts["result"]
        if values is not None and not isinstance(values, list):
            values = [values]
        entry = _entry(benchmark, known.get(benchmark), parts.get("params"), values, parts.get("samples"), flaws)
        if entry is not None:
            yield entry


def _entry(benchmark: str, version: Any, parameters: Any, values: Any, samples: Any, flaws: list[str]) -> Entry | None:
    benchmark = as_text(benchmark)
    combinations = _combinations(parameters)
    if combinations is None:
        flaws.append(f"{benchmark} has parameters that are no lists")
        return None
    if values is None:  # asv shortens "all failed" to null
        values = [None] * len(combinations)
    if not isinstance(values, list) or len(values) != len(combinations):
        held = len(values) if isinstance(values, list) else "none"
        flaws.append(f"{benchmark} has {held} of the {len(combinations)} values that its parameters ask for")
        return None
    statuses: tuple[Status, ...]
    if set(map(type, values)) == {float} and math.isfinite(sum(values)):
        statuses = (Status.OK,) * len(values)  # nearly always, and in a tenth of the time
    else:
        statuses = tuple(_status(value) for value in values)
    unusable = statuses.count(Status.UNUSABLE)
    if unusable:
        example = reprlib.repr(values[statuses.index(Status.UNUSABLE)])
        flaws.append(f"{benchmark} has no finite number in {unusable} of {len(values)} values, but {example}")
    return Entry(
        benchmark=benchmark,
        version=as_text(version),
        parameters=combinations,
        values=tuple(
            float(value) if status == Status.OK else math.nan for value, status in zip(values, statuses, strict=True)
        ),
        statuses=statuses,
        samples=_samples(samples, len(combinations)),
    )


def join_parameters(values: Sequence[str]) -> str:
    """Return a combination of parameters as one text that no other combination has.

    That is asv's values with commas between, as in "10, 'csr'", wherever these can be told apart again; else a list of
    JSON, as in '["a, b", "c"]'. "" where there are none.
    """
    text = ", ".join(values)
    if not text.startswith('["') and _split(text) == list(values):
        return text
    return json.dumps(list(values), ensure_ascii=False)


def _split(text: str) -> list[str]:
    """Return the parts between ", " outside of brackets and quotes; none of an empty text."""
    parts, start, depth, quote = [], 0, 0, ""
    place = 0
    while place < len(text):
        character = text[place]
        if quote:
            place += character == "\\"
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "([{<":
            depth += 1
        elif character in ")]}>":
            depth -= 1
        elif depth == 0 and text.startswith(", ", place):
            parts.append(text[start:place])
            start = place + 2
        place += 1
    return [*parts, text[start:]] if text else []


def _combinations(parameters: Any) -> tuple[tuple[str, ...], ...] | None:
    """Return the combinations in asv's order (the last parameter varies fastest), None where this is no such list."""
    if not parameters:
        return ((),)
    if not isinstance(parameters, list) or not all(isinstance(values, list) for values in parameters):
        return None
    return tuple(itertools.product(*(_told_apart([as_text(value) for value in values]) for values in parameters)))


def _told_apart(values: list[str]) -> list[str]:
    """Return the values of one parameter, numbered where several read alike, as asv does since it tells them apart.

    (asv_runner 0.3.2, `_unique_param_ids`.) Of older files the second of two alike would replace the first.
    """
    if len(set(values)) == len(values):
        return values
    counted = Counter(values)
    numbers = {value: itertools.count() for value in counted}
    return [f"{value} ({next(numbers[value])})" if counted[value] > 1 else value for value in values]


def _status(value: Any) -> Status:
    # type() instead of isinstance(): true and false are no measurements, and this runs once a value.
    kind = type(value)
    if kind is float:
        if value - value == 0.0:
            return Status.OK
        return Status.NOT_APPLICABLE if value != value else Status.UNUSABLE
    if value is None:
        return Status.FAILED
    if kind is str and value.strip().lower() == "nan":  # as writers of JSON have it that know no NaN
        return Status.NOT_APPLICABLE
    return Status.OK if kind is int and abs(value) < _LARGEST else Status.UNUSABLE


def _samples(samples: Any, combinations: int) -> tuple[tuple[float, ...], ...] | None:
    """Return the samples of each combination; numbers that are not finite are left out, and what is no list."""
    if not isinstance(samples, list):
        return None
    if combinations == 1 and samples and not isinstance(samples[0], list | type(None)):
        samples = [samples]  # layout 1 kept the samples of a benchmark without parameters bare
    if len(samples) != combinations:
        return None
    return tuple(_finite(some) for some in samples)


def _finite(some: Any) -> tuple[float, ...]:
    if not isinstance(some, Sequence) or isinstance(some, str):
        return ()
    return tuple(float(value) for value in some if _status(value) == Status.OK)


def _document(data: bytes) -> Any:
    # Three times as fast as what follows. It knows no NaN, so that becomes the text that means the same here; within a
    # text, the quotes leave no JSON.
    with contextlib.suppress(msgspec.MsgspecError, ValueError, RecursionError):
        return msgspec.json.decode(data.replace(b"NaN", b'"nan"'))
    try:
        return json.loads(data)
    except RecursionError:
        raise NotAsvResults("is cut off or not JSON") from None
    except ValueError:
        pass
    try:  # Python reads no whole number of more than 4,300 digits; as a float it is one that is too large
        return json.loads(data, parse_int=_whole_number)
    except (ValueError, RecursionError):
        raise NotAsvResults("is cut off or not JSON") from None


def _whole_number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def as_text(value: Any) -> str:
    """Return a name or version as text that every encoding of Unicode can write; whole floats as whole numbers."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return text if text.isascii() else text.encode(errors="replace").decode()
