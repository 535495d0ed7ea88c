"""Counted work: kept by what it depends on, so that it is counted once, and beside the records of each run.

`results/work/` has a file for each lock, interpreter, settings profile and version of the worker. `work.json` of a run
holds what that run was told, so that a run can be judged again without them.
"""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import field_error
from harness.store.records import Problem
from harness.store.runs import RunDirectory, results_path, write_json_atomically

SCHEMA = 1
FILE = "work.json"
UNSUPPORTED = "unsupported: "
"""How the reason begins of what a release cannot do at all."""


class Counted(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was counted of one operation: its Python calls, one number a process, and the rest of the middle process.

    `by_module` splits that process's calls; `io` has the bytes and the system calls of its reads and writes. What could
    not be counted is None, and where there are no calls, `reason` says why.
    """

    calls: tuple[int, ...] = ()
    by_module: dict[str, int] = {}
    graph_operations: int | None = None
    functions: int | None = None
    modules_imported: int | None = None
    io: dict[str, int] | None = None
    reason: str | None = None

    @property
    def middle(self) -> int | None:
        """The calls of the middle process; None where there are none."""
        return statistics.median_low(self.calls) if self.calls else None

    @property
    def is_known(self) -> bool:
        """Whether counting it again would tell no more: it was counted, or the release cannot do it."""
        return bool(self.calls) or (self.reason or "").startswith(UNSUPPORTED)


class CountedSubject(msgspec.Struct, frozen=True):
    """The counts of a subject by key (`count_key`), and the whole version of the Python that ran them."""

    python: str | None
    counts: dict[str, Counted]


class _Kept(msgspec.Struct):
    schema: int
    depends_on: dict[str, Any]
    counts: dict[str, Counted]


class _OfRun(msgspec.Struct):
    schema: int
    subjects: dict[str, CountedSubject]


@dataclass(frozen=True, slots=True)
class DependsOn:
    """All that kept counts depend on, beside the model and how it is saved and loaded."""

    lock: str
    python: str  # the whole version, 3.11.7
    architecture: str
    variables: Mapping[str, str]  # of the settings profile
    packages: Mapping[str, str]  # likewise
    worker_version: int
    counting_version: int

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]


def count_key(operation: str, device: str = "-", model: str = "-", variant: str = "-") -> str:
    """Return the key of a count: "import", "save_first/cpu/mlp-s/tf-module", "load_cold/cpu/mlp-s/tf-module/tf-load".

    Args:
        operation: the name of the metric that times it, without its unit.
        device: as everything below, of the metric's row; "-" where it has none.
        model: likewise.
        variant: likewise.
    """
    return "/".join([operation, *(part for part in (device, model, variant) if part != "-")])


def counted(processes: Sequence[Mapping[str, Any]]) -> Counted:
    """Return what several processes counted of one operation (harness/worker/counting.py), put together."""
    ordered = sorted(processes, key=lambda one: one["calls"])
    middle = ordered[(len(ordered) - 1) // 2]
    others = {name: middle.get(name) for name in ("graph_operations", "functions", "modules_imported", "io")}
    return Counted(tuple(one["calls"] for one in processes), dict(middle["by_module"]), **others)


def kept_counts(root: Path, name: str, depends_on: DependsOn) -> dict[str, Counted]:
    """Return the counts kept of an environment; none where there is no file of theirs that can be read.

    Args:
        root: the project's root.
        name: the environment's.
        depends_on: what they must have been counted with.
    """
    try:
        document = msgspec.json.decode(_kept_path(root, name, depends_on).read_bytes(), type=_Kept)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return {}  # they are counted again, and the file is written anew
    return document.counts if document.schema == SCHEMA and document.depends_on == asdict(depends_on) else {}


def keep_counts(root: Path, name: str, depends_on: DependsOn, counts: Mapping[str, Counted]) -> None:
    """Keep counts beside those that are kept; what failed is not kept, so that it is tried again.

    Args:
        root: the project's root.
        name: the environment's.
        depends_on: what they were counted with.
        counts: by key.
    """
    whole = {**kept_counts(root, name, depends_on), **{key: one for key, one in counts.items() if one.is_known}}
    path = _kept_path(root, name, depends_on)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, _Kept(SCHEMA, asdict(depends_on), whole))


def write_work(run: RunDirectory, subjects: Mapping[str, CountedSubject]) -> None:
    """Write a run's counts by the names of its subjects."""
    _write(run.path / FILE, _OfRun(SCHEMA, dict(subjects)))


def read_work(run: RunDirectory) -> tuple[dict[str, CountedSubject], list[Problem]]:
    """Read a run's counts, and what could not be read; a run without any has none."""
    path = run.path / FILE
    try:
        data = path.read_bytes()
        document = msgspec.json.decode(data, type=_OfRun)
    except FileNotFoundError:
        return {}, []
    except OSError as error:
        return {}, [Problem(path, None, f"cannot be read: {error.strerror}")]
    except msgspec.ValidationError as error:
        return {}, [Problem(path, None, f"holds no counted work: {field_error(error, json.loads(data))}")]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}, [Problem(path, None, "is cut off or not JSON")]
    if document.schema != SCHEMA:
        return {}, [Problem(path, None, f"is not counted work of this layout (schema {SCHEMA})")]
    return document.subjects, []


def missing(wanted: Iterable[str], known: Mapping[str, Counted]) -> list[str]:
    """Return the keys that are wanted and of which nothing is known."""
    return [key for key in wanted if key not in known or not known[key].is_known]


def _kept_path(root: Path, name: str, depends_on: DependsOn) -> Path:
    return results_path(root) / "work" / f"{name}-{depends_on.digest}.json"


def _write(path: Path, document: msgspec.Struct) -> None:
    write_json_atomically(path, msgspec.to_builtins(document))
