"""`fleet.toml`: the machine types of a cluster, and how a job for each is asked for."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness.errors import UsageError, field_error

FILE = "fleet.toml"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
"""What a machine type may be called: its name becomes part of folders' names."""

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_OURS = (
    *("export", "export-file", "requeue", "no-requeue", "wrap", "output", "error", "comment", "parsable", "array"),
    *("signal", "chdir", "time", "exclusive", "get-user-env", "test-only", "nodelist", "exclude", "dependency"),
)
"""Options of sbatch that a fleet sets itself."""


class MachineType(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of node; docs/fleet.md explains the fields."""

    partition: str | None = None
    constraint: str | None = None
    gres: str | None = None
    account: str | None = None
    licenses: str | None = None
    sbatch: tuple[str, ...] = ()
    scratch: str = "/tmp"
    stage: str | bool = True
    stage_limit_gib: float = 40.0
    wall_time: str = "4h"
    notice: str = "2m"
    patience: str = "6h"
    tries: int = 3
    nodes: int = 1
    max_node_hours: float | None = None
    share: bool = False
    cpus: int | None = None
    memory_gib: float | None = None
    wheel: str = "auto"
    devices: tuple[str, ...] = ()

    @property
    def gpus(self) -> int:
        """How many GPUs a job asks for."""
        for part in (self.gres or "").split(","):
            kind, *more = part.partition("(")[0].split(":")
            if kind == "gpu":
                return int(more[-1]) if more and more[-1].isdecimal() else 1
        return 0

    @property
    def build(self) -> str:
        """Which build of TensorFlow it needs: cpu or cuda."""
        return self.wheel if self.wheel != "auto" else "cuda" if self.gpus else "cpu"

    @property
    def has(self) -> tuple[str, ...]:
        """The devices that are measured there."""
        return self.devices or (("cpu", "gpu") if self.gpus else ("cpu",))

    @property
    def wall_minutes(self) -> int:
        """The time limit of a job; Slurm's are whole minutes."""
        return math.ceil(seconds(self.wall_time) / 60)

    @property
    def most_node_hours(self) -> float:
        """The node-hours that a fleet may take on the type at most."""
        return 24.0 * self.nodes if self.max_node_hours is None else self.max_node_hours

    def node_hours(self, jobs: int) -> float:
        """Return the most node-hours that so many jobs take, all tries included."""
        return jobs * self.tries * self.wall_minutes / 60

    def arguments(self) -> list[str]:
        """Return the part of sbatch's arguments that the type says."""
        named = {
            "partition": self.partition, "constraint": self.constraint, "gres": self.gres, "account": self.account,
            "licenses": self.licenses,
        }  # fmt: skip
        words = [f"--{name}={value}" for name, value in named.items() if value is not None]
        if self.share:
            words += [f"--cpus-per-task={self.cpus}"] if self.cpus else []
            words += [f"--mem={math.ceil(self.memory_gib * 1024)}M"] if self.memory_gib else []
        else:
            words += ["--exclusive", "--mem=0"]
        notice = f"--signal=B:TERM@{seconds(self.notice):.0f}"
        return [*words, f"--time={self.wall_minutes}", notice, *self.sbatch]


def seconds(text: str) -> float:
    """Return the seconds of a duration such as "1h30m".

    Raises:
        ValueError: it is none.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None or not any(found.groups()):
        raise ValueError(f"{text!r} is no duration such as 4h, 90m or 1h30m")
    hours, minutes, rest = (int(part or 0) for part in found.groups())
    return float(3600 * hours + 60 * minutes + rest)


def read_types(root: Path, names: Sequence[str]) -> dict[str, MachineType]:
    """Read the machine types that are asked for, in that order.

    Raises:
        UsageError: the file is missing or wrong, or has no such type.
    """
    path = root / FILE
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise UsageError(f"There is no {path}: describe your machine types there, as docs/fleet.md shows.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from None
    unknown = [name for name in names if name not in document]
    if unknown or not names:
        raise UsageError(
            f"{FILE} has no machine type {', '.join(map(repr, unknown))}: it has {', '.join(document) or 'none'}."
        )
    return {name: _checked(name, document[name]) for name in dict.fromkeys(names)}


def _checked(name: str, table: object) -> MachineType:
    where = f"{FILE}: machine type {name!r}"
    if not NAME.fullmatch(name):
        raise UsageError(f"{where}: a type's name has letters, digits, '_' and '-' only.")
    try:
        found = msgspec.convert(table, MachineType)
    except msgspec.ValidationError as error:
        raise UsageError(f"{where}: {field_error(error, table)}; docs/fleet.md explains the fields.") from None
    try:
        for field in ("wall_time", "notice", "patience"):
            seconds(getattr(found, field))
    except ValueError as error:
        raise UsageError(f"{where}: {error}.") from None
    complaint = _complaint(found)
    if complaint is not None:
        raise UsageError(f"{where}: {complaint}.")
    return found


def _complaint(found: MachineType) -> str | None:
    for word in found.sbatch:
        option = word.removeprefix("--").partition("=")[0]
        if not word.startswith("--") or option in _OURS:
            return f"`sbatch` has {word!r}; give options as --NAME=VALUE, other than those that a fleet sets itself"
    if not Path(found.scratch).is_absolute():
        return "`scratch` must be an absolute path on the node"
    if isinstance(found.stage, str) and not Path(found.stage).is_absolute():
        return "`stage` must be an absolute path on the node, or false"
    if min(found.tries, found.nodes) < 1 or found.tries > 10:
        return "`tries` must be 1 to 10, `nodes` 1 or more"
    if found.gpus > 1:
        return "a job measures on one GPU: ask for one in `gres`"
    if found.wheel not in ("auto", "cpu", "cuda") or not set(found.devices) <= {"cpu", "gpu"}:
        return '`wheel` is "auto", "cpu" or "cuda", `devices` a list of "cpu" and "gpu"'
    if found.share and not (found.cpus and found.memory_gib):
        return "`share = true` needs `cpus` and `memory_gib`: the part of the node that is measured on"
    if seconds(found.notice) >= 60 * found.wall_minutes:
        return "`notice` must be shorter than `wall_time`"
    return None
